"""Time a sweep of children that do nothing, beside bare ``python script.py``, as many at a time."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from table import Row

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.config.sweeps import HyperDriveConfig, NoTerminationPolicy, RandomParameterSampling, uniform
from aml_jupyter.service import SubmitRequest, create_target, service_status, stop_target, wait_for_run
from aml_jupyter.service.sweeps import submit_sweep
from aml_jupyter.workspace import WorkspaceFolder, find_runs

__all__ = ["children_row", "created_row"]


def _submit(folder: WorkspaceFolder, project: Path, target: str, count: int, at_once: int) -> str:
    config = ScriptRunConfig(source_directory=str(project), script="script.py")
    config.run_config.target = target
    space = RandomParameterSampling({"--x": uniform(0, 1)}, seed=1)
    sweep = HyperDriveConfig(space, "loss", "minimize", count, at_once, policy=NoTerminationPolicy(), run_config=config)
    return submit_sweep(folder, sweep, SubmitRequest(config, "bench")).run.id


def children_row(folder: WorkspaceFolder, tmp: Path, count: int = 1000) -> Row:
    """Run a sweep of `count` children two at a time, through the whole path."""
    project = tmp / "children"
    project.mkdir()
    (project / "script.py").write_text("pass\n")
    create_target(folder, "pair", "computeinstance", {"max_parallel": 2})

    def bare(_: int) -> None:
        subprocess.run([sys.executable, str(project / "script.py"), "--x", "0.5"], check=True)

    def bare_rate(number: int) -> float:
        begin = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(bare, range(number)))
        return number / (time.perf_counter() - begin)

    before = bare_rate(200)
    begin = time.perf_counter()
    run = _submit(folder, project, "pair", count, 2)
    while (status := service_status(folder)) is None or not status.alive:
        time.sleep(0.01)
    ended = wait_for_run(folder, run, timeout=900, poll_seconds=0.2)
    ours = count / (time.perf_counter() - begin)
    memory = psutil.Process(status.pid).memory_full_info().uss / 2**20
    peer = (before + bare_rate(200)) / 2
    done = len(find_runs(folder.store.read(), parent=run, status="Completed"))
    return Row(
        f"children of a sweep, {count}, two at a time, {count - done} lost; the service after it",
        f"{ours:.1f}/s = {ours / peer:.2f}x, {memory:.0f} MB",
        ">= 0.4x, <= 150 MB",
        f"bare python {peer:.1f}/s",
        ours / peer >= 0.4 and done == count and ended.status == "Completed" and memory <= 150,
    )


def created_row(folder: WorkspaceFolder, tmp: Path, count: int = 1000) -> Row:
    """Create the records of `count` children that all wait."""
    project = tmp / "waiting"
    project.mkdir()
    (project / "script.py").write_text("pass\n")
    create_target(folder, "halted", "computeinstance", {"max_parallel": 2})
    stop_target(folder, "halted")
    begin = time.perf_counter()
    run = _submit(folder, project, "halted", count, count)
    while len(find_runs(folder.store.read(), parent=run)) < count:
        if time.perf_counter() - begin > 120:
            raise TimeoutError(f"{count} children were not there in 120 s")
        time.sleep(0.05)
    rate = count / (time.perf_counter() - begin)
    return Row("children of a sweep created", f"{rate:.0f}/s", ">= 200/s", "-", rate >= 200)

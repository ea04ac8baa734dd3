"""Time the way of a run: submit, first line, throughput of the queue, and what the service costs while it waits."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from table import Row

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import (
    SubmitRequest,
    create_target,
    delete_target,
    service_status,
    start_target,
    stop_target,
    submit,
    wait_for_run,
)
from aml_jupyter.workspace import WorkspaceFolder, find_runs

__all__ = ["first_line_row", "service_row", "submit_row", "throughput_row"]


def _request(project: Path, target: str | None = None) -> SubmitRequest:
    config = ScriptRunConfig(source_directory=str(project), script="script.py")
    if target:
        config.run_config.target = target
    return SubmitRequest(config, "bench")


def submit_row(folder: WorkspaceFolder, tmp: Path) -> Row:
    """Time `submit` of a folder of 1,000 unchanged files, in process."""
    project = tmp / "thousand"
    for number in range(10):
        (project / f"d{number}").mkdir(parents=True)
        for name in range(100):
            (project / f"d{number}" / f"{name}.txt").write_text(f"{number} {name}" * 40)
    (project / "script.py").write_text("")
    create_target(folder, "stopped", "computeinstance", {"max_parallel": 1})
    stop_target(folder, "stopped")
    submit(folder, _request(project, "stopped"))
    taken = []
    for _ in range(30):
        begin = time.perf_counter()
        submit(folder, _request(project, "stopped"))
        taken.append(time.perf_counter() - begin)
    middle = statistics.median(taken) * 1000
    return Row(
        "submit returns, 1,000 unchanged files, p50",
        f"{middle:.1f} ms",
        "<= 40 ms",
        "Ray Jobs 280-900 ms *",
        middle <= 40,
    )


def first_line_row(folder: WorkspaceFolder, tmp: Path, papermill: float) -> Row:
    """Time from the call of `submit` to the first line of the script, service warm."""
    project, stamp = tmp / "first", tmp / "first-stamp"
    project.mkdir()
    (project / "script.py").write_text(f"import time; open({str(stamp)!r}, 'w').write(repr(time.time()))")
    taken = []
    for _ in range(16):
        begin = time.time()
        run = submit(folder, _request(project)).run
        wait_for_run(folder, run.id, timeout=60)
        taken.append(float(stamp.read_text()) - begin)
    middle = statistics.median(taken[1:]) * 1000
    return Row(
        "submit to first line, service warm, p50",
        f"{middle:.0f} ms",
        "<= 150 ms",
        f"papermill {papermill * 1000:.0f} ms",
        middle <= 150,
    )


def throughput_row(folder: WorkspaceFolder, tmp: Path, count: int = 1000) -> Row:
    """Run `count` queued no-op scripts on two slots, beside bare ``python script.py``, two at a time."""
    project = tmp / "noop"
    project.mkdir()
    (project / "script.py").write_text("pass\n")
    create_target(folder, "two", "computeinstance", {"max_parallel": 2})
    stop_target(folder, "two")
    for _ in range(count):
        last = submit(folder, _request(project, "two")).run

    def bare(_: int) -> None:
        subprocess.run([sys.executable, str(project / "script.py")], check=True)

    def bare_rate(number: int) -> float:
        begin = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(bare, range(number)))
        return number / (time.perf_counter() - begin)

    before = bare_rate(200)
    begin = time.perf_counter()
    start_target(folder, "two")
    wait_for_run(folder, last.id, timeout=600, poll_seconds=0.2)
    while find_runs(folder.store.read(), target="two", status=("Queued", "Starting", "Running", "Finalizing"), last=1):
        time.sleep(0.05)
    ours = count / (time.perf_counter() - begin)
    peer = (before + bare_rate(200)) / 2
    lost = count - len(find_runs(folder.store.read(), target="two", status="Completed"))
    return Row(
        f"no-op runs through the queue, {count} queued, {lost} lost",
        f"{ours:.1f}/s = {ours / peer:.2f}x",
        ">= 0.5x",
        f"bare python {peer:.1f}/s",
        ours / peer >= 0.5 and lost == 0,
    )


def service_row(folder: WorkspaceFolder, tmp: Path, seconds: float = 20.0) -> Row:
    """Weigh the service while 100 runs go on and 1,000 wait."""
    project = tmp / "sleepers"
    project.mkdir()
    (project / "script.py").write_text("import time; time.sleep(3600)\n")
    create_target(folder, "hundred", "computeinstance", {"max_parallel": 100})
    for _ in range(1100):
        submit(folder, _request(project, "hundred"))
    deadline = time.monotonic() + 300
    while len(find_runs(folder.store.read(), target="hundred", status="Running")) < 100:
        if time.monotonic() > deadline:
            raise TimeoutError("100 runs were not up in 300 s")
        time.sleep(0.5)
    status = service_status(folder)
    assert status is not None
    process = psutil.Process(status.pid)
    time.sleep(3)
    first = sum(process.cpu_times()[:2])
    time.sleep(seconds)
    share = (sum(process.cpu_times()[:2]) - first) / seconds * 100
    memory = process.memory_full_info().uss / 2**20
    delete_target(folder, "hundred")  # its runs hold slots that are the machine's
    while find_runs(folder.store.read(), target="hundred", status=("Queued", "Running", "CancelRequested"), last=1):
        time.sleep(0.2)
    return Row(
        "service, 1,000 queued + 100 running",
        f"{share:.1f} % of a core, {memory:.0f} MB",
        "<= 2 %, <= 120 MB",
        f"this process {psutil.Process(os.getpid()).memory_full_info().uss / 2**20:.0f} MB",
        share <= 2 and memory <= 120,
    )

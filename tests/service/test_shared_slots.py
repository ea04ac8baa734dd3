"""Compute instances of one machine, in one workspace or several, share its cores and keep their own order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import SubmitRequest, create_target, start_target, stop_target, submit, wait_for_run
from aml_jupyter.views import compute_view
from aml_jupyter.workspace import WorkspaceFolder, get_run, transitions

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

SCRIPT = """
import os, time
def note(what):
    fd = os.open({ledger!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (what + " " + os.environ["AML_RUN_ID"] + "\\n").encode())
    os.close(fd)
note("begin")
time.sleep(0.05)
note("end")
"""


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[WorkspaceFolder]:
    """Another workspace of the same user."""
    opened = WorkspaceFolder.open(tmp_path / "neighbour", create=True)
    yield opened
    opened.close()


def _submit(folder: WorkspaceFolder, project: Path, target: str) -> str:
    config = ScriptRunConfig(source_directory=str(project), script="train.py")
    config.run_config.target = target
    return submit(folder, SubmitRequest(config, "tests")).run.id


def test_all_instances_together_run_no_more_than_there_are_cores(
    folder: WorkspaceFolder, neighbour: WorkspaceFolder, project: Path, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    (project / "train.py").write_text(SCRIPT.format(ledger=str(ledger)))
    places = [(folder, "ci-one"), (folder, "ci-two"), (neighbour, "ci-three")]
    for workspace, name in places:
        create_target(workspace, name, "computeinstance")
        assert compute_view(workspace, name).as_json()["slots"] == CORES
    runs: dict[str, list[str]] = {name: [] for _, name in places}
    for _ in range(10):
        for workspace, name in places:
            runs[name].append(_submit(workspace, project, name))
    for workspace, name in places:
        for run in runs[name]:
            assert wait_for_run(workspace, run, timeout=120).status == "Completed"
    running: set[str] = set()
    most = 0
    for line in ledger.read_text().splitlines():
        what, run = line.split()
        (running.add if what == "begin" else running.remove)(run)
        most = max(most, len(running))
    assert 1 <= most <= CORES
    for workspace, name in places:
        db = workspace.store.read()
        claims = [next(each.id for each in transitions(db, run) if each.after == "Starting") for run in runs[name]]
        assert claims == sorted(claims)


def test_an_instance_that_is_stopped_holds_its_own_jobs_and_no_others(folder: WorkspaceFolder, project: Path) -> None:
    (project / "train.py").write_text("print(1)")
    for name in ("ci-one", "ci-two"):
        create_target(folder, name, "computeinstance", {"max_parallel": 1})
    stop_target(folder, "ci-one")
    held = [_submit(folder, project, "ci-one") for _ in range(3)]
    others = [_submit(folder, project, name) for name in ("ci-two", "ci-two", "local")]
    for run in others:
        assert wait_for_run(folder, run, timeout=60).status == "Completed"
    for run in held:
        assert get_run(folder.store.read(), run).status == "Queued"
    assert get_run(folder.store.read(), held[0]).reason == "waits until ci-one is started (it is Stopped)"
    start_target(folder, "ci-one")
    for run in held:
        assert wait_for_run(folder, run, timeout=60).status == "Completed"

"""A Jupyter server hosts the service, and takes nothing with it when it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_process import JupyterProcess
from support import until

from aml_jupyter.service import cancel_run, service_status, wait_for_run
from aml_jupyter.supervisor.protocol import LOG
from aml_jupyter.workspace import WorkspaceFolder, get_run

RUNS = "workspaces/default/runs"
LEDGER = """
import os, signal, time
print(os.getpid(), flush=True)
number = 0
while not os.path.exists(os.path.join(os.environ["TEST_GATES"], "go")):
    print("line", number, flush=True)
    number += 1
    time.sleep(0.05)
print("end", flush=True)
"""


@pytest.fixture
def server(folder: WorkspaceFolder, project: Path, tmp_path: Path) -> Iterator[JupyterProcess]:
    (project / "train.py").write_text(LEDGER)
    process = JupyterProcess(project, tmp_path / "jupyter")
    yield process
    process.close()


def _submit(server: JupyterProcess, tmp_path: Path) -> str:
    body = {"script": "train.py", "environment_variables": {"TEST_GATES": str(tmp_path)}}
    return str(server.fetch(RUNS, "POST", body)["run"]["id"])


def test_a_server_that_ends_or_dies_takes_no_run_with_it(
    server: JupyterProcess, folder: WorkspaceFolder, tmp_path: Path
) -> None:
    run_id = _submit(server, tmp_path)
    until(lambda: "line 3" in server.fetch(f"{RUNS}/{run_id}/logs")["text"])
    offset = server.fetch(f"{RUNS}/{run_id}/logs")["next_offset"]
    assert server.terminate() < 5
    assert get_run(folder.store.read(), run_id).status == "Running"

    again = JupyterProcess(server.root, tmp_path / "again")
    try:
        until(lambda: again.fetch(f"{RUNS}/{run_id}/logs?offset={offset}")["text"].count("line") > 3)
        again.process.kill()
        again.process.wait()
        (tmp_path / "go").touch()
        assert wait_for_run(folder, run_id, 30).status == "Completed"
        lines = (folder.layout.run(run_id).attempt(1).control / LOG).read_text().splitlines()
        assert lines[1:-1] == [f"line {number}" for number in range(len(lines) - 2)]
        assert lines[-1] == "end"
    finally:
        again.close()


def test_a_dead_service_is_started_again_once_by_two_servers(
    server: JupyterProcess, folder: WorkspaceFolder, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    second = JupyterProcess(server.root, tmp_path / "second")
    request.addfinalizer(second.close)
    run_id = _submit(server, tmp_path)
    until(lambda: server.fetch(f"{RUNS}/{run_id}")["run"]["status"] == "Running")
    first = server.fetch("workspaces/default/service")["service"]
    assert (first["alive"], first["open_runs"]) == (True, 1)
    os.kill(first["pid"], signal.SIGKILL)

    def is_back() -> bool:
        status = service_status(folder)
        return status is not None and status.alive and status.pid != first["pid"]

    until(is_back)
    services = [each.fetch("workspaces/default/service") for each in (server, second)]
    assert services[0]["service"]["pid"] == services[1]["service"]["pid"]
    assert sum(each["host"]["starts"] for each in services) >= 1
    cancel_run(folder, run_id)
    assert wait_for_run(folder, run_id, 30).status == "Canceled"


def test_a_stopped_service_is_not_replaced(server: JupyterProcess, folder: WorkspaceFolder, tmp_path: Path) -> None:
    run_id = _submit(server, tmp_path)
    until(lambda: server.fetch(f"{RUNS}/{run_id}")["run"]["status"] == "Running")
    pid = server.fetch("workspaces/default/service")["service"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: not server.fetch("workspaces/default/service")["service"]["answers"])
    finally:
        os.kill(pid, signal.SIGCONT)
    (tmp_path / "go").touch()
    assert wait_for_run(folder, run_id, 30).status == "Completed"
    assert server.fetch("workspaces/default/service")["service"]["pid"] == pid


def test_a_server_that_starts_later_takes_up_what_waits(
    folder: WorkspaceFolder, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aml_jupyter.config import ScriptRunConfig
    from aml_jupyter.service import SubmitRequest, stop_service, submit

    (project / "train.py").write_text("print('ran')")
    run = submit(folder, SubmitRequest(ScriptRunConfig(str(project), "train.py"), "tests")).run
    stop_service(folder)
    server = JupyterProcess(project, tmp_path / "jupyter")
    try:
        until(lambda: server.fetch(f"{RUNS}/{run.id}")["run"]["status"] == "Completed")
    finally:
        server.close()

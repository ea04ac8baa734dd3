"""A service of an older package hands over to a newer one; a newer one keeps what it has."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Submit, log_of, until

import aml_jupyter
from aml_jupyter.service import service_status, stop_service, wait_for_run
from aml_jupyter.service.client import socket_path
from aml_jupyter.service.lease import Lease, acquire
from aml_jupyter.service.wakeup import WakeSocket
from aml_jupyter.workspace import WorkspaceFolder, get_run

PROGRAM = """
import sys
import aml_jupyter
aml_jupyter.__version__ = sys.argv[2]
from aml_jupyter.service.process import main
sys.exit(main([sys.argv[1], "--until-idle"]))
"""

Serve = Callable[[str], None]


@pytest.fixture
def serve(folder: WorkspaceFolder) -> Iterator[Serve]:
    """Return a function that starts a service of a package version."""
    started: list[subprocess.Popen[bytes]] = []

    def start(version: str) -> None:
        command = [sys.executable, "-c", PROGRAM, str(folder.root), version]
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True))
        until(lambda: version_of(folder) == version, message="the service")

    yield start
    stop_service(folder)
    for process in started:
        process.wait(30)


def version_of(folder: WorkspaceFolder) -> str:
    status = service_status(folder)
    return status.version if status is not None and status.answers else ""


def test_an_older_service_hands_its_runs_over(
    folder: WorkspaceFolder, submit_script: Submit, serve: Serve, tmp_path: Path
) -> None:
    serve("0.0.1")
    go = tmp_path / "go"
    text = (
        "import itertools, os, time\n"
        f"for i in itertools.takewhile(lambda _: not os.path.exists({str(go)!r}), itertools.count()):\n"
        "    print(i, flush=True) or time.sleep(0.01)"
    )
    first = submit_script(text)
    until(lambda: version_of(folder) == aml_jupyter.__version__, message="the newer service")
    told = len(log_of(folder, first.id).split())
    until(lambda: len(log_of(folder, first.id).split()) > told, message="more lines of the first run")
    go.touch()
    second = submit_script("print('second')")
    assert wait_for_run(folder, first.id, timeout=60).status == "Completed"
    assert wait_for_run(folder, second.id, timeout=60).status == "Completed"
    lines = log_of(folder, first.id).split()
    assert lines == [str(i) for i in range(len(lines))]
    assert get_run(folder.store.read(), first.id).attempt == 1


@pytest.mark.parametrize("leaving", [True, False])
def test_who_comes_while_a_service_leaves_waits_for_its_place(folder: WorkspaceFolder, leaving: bool) -> None:
    path = socket_path(folder)
    first = acquire(folder, str(path))
    assert first is not None
    asked, over = threading.Event(), threading.Event()

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        asked.set()
        return {"ok": True, "leaving": leaving}

    def serve() -> None:
        while not over.is_set():
            wakeup.wait(0.05)

    def come() -> None:
        mine = WorkspaceFolder.open(folder.root)
        taken.append(acquire(mine, str(path)))
        mine.close()

    wakeup, taken = WakeSocket(path, answer), list[Lease | None]()
    threads = [threading.Thread(target=serve), threading.Thread(target=come)]
    for thread in threads:
        thread.start()
    until(asked.is_set, message="that the second one asks")
    if not leaving:
        threads[1].join(30)
    first.release()
    threads[1].join(30)
    over.set()
    threads[0].join(30)
    wakeup.close()
    (second,) = taken
    assert (second is not None and second.epoch == first.epoch + 1) if leaving else second is None
    if second is not None:
        second.release()


def test_a_newer_service_is_left_alone(folder: WorkspaceFolder, submit_script: Submit, serve: Serve) -> None:
    serve("999.0")
    assert wait_for_run(folder, submit_script("print(1)").id, timeout=60).status == "Completed"
    assert version_of(folder) == "999.0"

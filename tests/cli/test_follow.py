"""Followed logs have no gap and no repetition, end with the run, and Ctrl-C leaves the run alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support import log_of, until

from aml_jupyter.cli.follow import follow_run
from aml_jupyter.service import SubmitRequest, cancel_run, service_status, submit, wait_for_run
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run

from .conftest import Aml

AML = [sys.executable, "-c", "import sys; from aml_jupyter.cli.main import entry; sys.exit(entry())"]
COUNTING = """
import sys, time
for number in range(300):
    sys.stdout.write("línea %d\\n" % number)
    sys.stdout.flush()
    time.sleep(0.003)
"""
WAITING = """
import time, pathlib
print("begun", flush=True)
while not pathlib.Path({gate!r}).exists():
    time.sleep(0.02)
print("ended")
"""


def queue(folder: WorkspaceFolder, project: Path, text: str, **request: object) -> RunRecord:
    from aml_jupyter.config import ScriptRunConfig

    (project / "script.py").write_text(text)
    config = ScriptRunConfig(source_directory=str(project), script="script.py")
    return submit(folder, SubmitRequest(config, "follow", **request)).run  # type: ignore[arg-type]


def test_a_followed_log_is_whole(folder: WorkspaceFolder, project: Path) -> None:
    run = queue(folder, project, COUNTING)
    pieces: list[str] = []
    states: list[str] = []
    ended = follow_run(folder, run.id, pieces.append, lambda now: states.append(now.status))
    assert ended.status == "Completed"
    assert "".join(pieces) == "".join(f"línea {number}\n" for number in range(300))
    assert len(pieces) > 1
    assert states[-1] == "Completed"


def test_each_attempts_log_is_followed(folder: WorkspaceFolder, project: Path) -> None:
    text = "import os, sys\nprint('attempt', os.environ['AML_ATTEMPT'])\nsys.exit(0 if os.environ['AML_ATTEMPT'] == '2' else 1)\n"
    run = queue(folder, project, text, max_retries=1)
    pieces: list[str] = []
    assert follow_run(folder, run.id, pieces.append).status == "Completed"
    assert "".join(pieces) == "attempt 1\nattempt 2\n"


def test_logs_of_a_running_run_and_its_end(aml: Aml, folder: WorkspaceFolder, project: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = queue(folder, project, WAITING.format(gate=str(gate)))
    follower = subprocess.Popen(
        [*AML, "run", "logs", "-f", run.id], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    assert follower.stdout.readline() == "begun\n"
    until(lambda: "Running, as of" in aml("run", "show", "last").out)  # the log may be ahead of the state
    gate.touch()
    out, _ = follower.communicate(timeout=30)
    assert out == "ended\n" and follower.returncode == 0
    assert aml("run", "logs", "last", "--tail", "1").out == "ended\n"


def test_a_followed_run_gets_to_its_end_though_its_service_was_killed(
    folder: WorkspaceFolder, project: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run = queue(folder, project, WAITING.format(gate=str(gate)))
    follower = subprocess.Popen([*AML, "run", "logs", "-f", run.id], stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    assert follower.stdout.readline() == "begun\n"
    killed = service_status(folder)
    assert killed is not None
    os.kill(killed.pid, signal.SIGKILL)
    gate.touch()
    out, _ = follower.communicate(timeout=60)
    assert out == "ended\n" and follower.returncode == 0
    assert get_run(folder.store.read(), run.id).status == "Completed"
    after = service_status(folder)
    assert after is not None and after.epoch > killed.epoch


@pytest.mark.parametrize("by", ["run list", "run show last", "workspace show", "get_status"])
def test_who_only_looks_has_a_killed_service_started_again(
    folder: WorkspaceFolder, project: Path, tmp_path: Path, by: str
) -> None:
    gate = tmp_path / "gate"
    run = queue(folder, project, WAITING.format(gate=str(gate)))
    until(lambda: get_run(folder.store.read(), run.id).status == "Running")
    killed = service_status(folder)
    assert killed is not None
    os.kill(killed.pid, signal.SIGKILL)
    until(lambda: not getattr(service_status(folder), "alive", True))
    gate.touch()
    code = (
        "from aml_jupyter.sdk import Workspace; from aml_jupyter.workspace import WorkspaceFolder; "
        f"Workspace(WorkspaceFolder.open({str(folder.root)!r})).get_run({run.id!r}).get_status()"
    )
    words = [sys.executable, "-c", code] if by == "get_status" else [*AML, *by.split()]
    for _ in range(2):  # the second one finds a service that starts, or works
        looked = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert looked.returncode == 0, looked.stderr
    until(lambda: get_run(folder.store.read(), run.id).status == "Completed", 60)


LISTING = """
import os, subprocess, time
while not os.path.exists({gate!r}):
    time.sleep(0.01)
print(subprocess.run({words!r}, env=dict(os.environ, PYTHONPATH={path!r})).returncode, "listed", flush=True)
"""


def services(folder: WorkspaceFolder) -> list[int]:
    """Return the processes that are, or are about to be, the service of a workspace."""
    lines = ((each.pid, each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"]))
    return [pid for pid, line in lines if "--until-idle" in line and str(folder.root) in line]


@pytest.mark.parametrize("who", ["a script of a run", "another user"])
def test_who_only_looks_starts_no_service_with_the_environment_of_a_run_or_for_another_user(
    folder: WorkspaceFolder, project: Path, tmp_path: Path, who: str
) -> None:
    gate = tmp_path / "gate"
    words = [*AML, "run", "list", "--workspace", str(folder.root)]
    text = LISTING.format(gate=str(gate), words=words, path=os.environ.get("PYTHONPATH", ""))
    run = queue(folder, project, text)
    until(lambda: get_run(folder.store.read(), run.id).status == "Running")
    (pid,) = services(folder)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not services(folder))
    if who == "another user":
        if os.geteuid() != 0:
            pytest.skip("giving a folder to another user needs root")
        os.chown(folder.root, 65534, 65534)
        looked = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert looked.returncode == 0 and run.id in looked.stdout, looked.stderr
    else:
        gate.touch()
        until(lambda: "0 listed" in log_of(folder, run.id), 60)
    assert services(folder) == []
    gate.touch()
    os.chown(folder.root, os.geteuid(), os.getegid())
    assert subprocess.run(words, capture_output=True, timeout=60).returncode == 0
    until(lambda: get_run(folder.store.read(), run.id).status == "Completed", 60)


def test_ctrl_c_leaves_the_run_alone(folder: WorkspaceFolder, project: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = queue(folder, project, WAITING.format(gate=str(gate)))
    until(lambda: get_run(folder.store.read(), run.id).status == "Running")
    for words, stream in ((["run", "wait", run.id], "stderr"), (["run", "logs", "-f", run.id], "stdout")):
        waiter = subprocess.Popen([*AML, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert getattr(waiter, stream).readline()  # it follows from here on
        os.kill(waiter.pid, signal.SIGINT)
        _, said = waiter.communicate(timeout=30)
        assert waiter.returncode == 130
        assert f"{run.id} goes on" in said and "Traceback" not in said
    assert get_run(folder.store.read(), run.id).status == "Running"
    gate.touch()
    assert wait_for_run(folder, run.id, 30).status == "Completed"


def test_wait_gives_up_after_its_time(aml: Aml, folder: WorkspaceFolder, project: Path, tmp_path: Path) -> None:
    run = queue(folder, project, WAITING.format(gate=str(tmp_path / "never")))
    outcome = aml("run", "wait", run.id, "--timeout", "0.2")
    assert outcome.code == 124 and "it goes on" in outcome.err
    cancel_run(folder, run.id)
    assert wait_for_run(folder, run.id, 30).status == "Canceled"

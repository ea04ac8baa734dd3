"""An image without Python runs scripts and commands through supervisor.sh, which writes the same control files."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from base_images import SHELL_IMAGE
from containers import containers_of, submit_in_docker
from debian_packages import need_packages
from engine_process import Engine
from support import log_of, until

from aml_jupyter.service import cancel_run, wait_for_run
from aml_jupyter.supervisor import identity, protocol
from aml_jupyter.supervisor.control_files import read_attempt, read_result
from aml_jupyter.targets.shell_launch import shell_command
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run

pytestmark = pytest.mark.timeout(600)


def _submit(folder: WorkspaceFolder, project: Path, text: str, **request: Any) -> RunRecord:
    return submit_in_docker(folder, project, text, image=SHELL_IMAGE, name="train.sh", **request)


def test_a_script_runs_in_an_image_without_python(engine: Engine, folder: WorkspaceFolder, project: Path) -> None:
    text = """
echo "hello from $AML_TEST_IMAGE, $MINE, $(pwd)"
echo 'a "word"' >&2
mkdir -p outputs && echo model > outputs/model.txt
exit 7
"""
    run = _submit(folder, project, text, variables={"MINE": "it's $mine"})
    done = wait_for_run(folder, run.id, timeout=120)
    assert (done.status, done.exit_code) == ("Failed", 7), done.reason
    place = folder.layout.run(run.id).attempt(1)
    assert log_of(folder, run.id).splitlines() == [f"hello from shell, it's $mine, {place.work}", 'a "word"']
    assert (place.work / "outputs/model.txt").stat().st_uid == os.getuid()
    assert "no Python" in get_run(folder.store.read(), run.id).properties["aml.in_run_client"]
    until(lambda: not containers_of(engine.host, run), 60, "the container's removal")


def test_it_is_canceled_with_all_that_it_started(engine: Engine, folder: WorkspaceFolder, project: Path) -> None:
    text = "trap '' TERM\nsleep 600 &\necho begin\nwhile :; do sleep 1; done"
    run = _submit(folder, project, text, grace_seconds=1)
    until(lambda: "begin" in log_of(folder, run.id), 90, "the script's first line")
    until(lambda: get_run(folder.store.read(), run.id).status == "Running", 30, "the run's start")
    begin = time.monotonic()
    cancel_run(folder, run.id)
    assert wait_for_run(folder, run.id, timeout=60).status == "Canceled"
    assert time.monotonic() - begin < 30


def test_its_limits_of_time_and_memory_are_kept(engine: Engine, folder: WorkspaceFolder, project: Path) -> None:
    slow = _submit(folder, project, "sleep 600", max_seconds=2, grace_seconds=1)
    done = wait_for_run(folder, slow.id, timeout=90)
    assert (done.status, "it ran for 2 s" in done.reason) == ("Failed", True), done.reason
    text = "exec awk 'BEGIN { while (1) { x = x x \"0123456789abcdef0123456789abcdef\" } }'"
    hungry = _submit(folder, project, text, memory=60_000_000)
    done = wait_for_run(folder, hungry.id, timeout=90)
    assert done.status == "Failed"
    assert done.error is not None
    assert "60 MB" in done.error["message"]


def test_a_python_script_there_is_told_what_is_missing(engine: Engine, folder: WorkspaceFolder, project: Path) -> None:
    run = submit_in_docker(folder, project, "print(1)", image=SHELL_IMAGE)
    done = wait_for_run(folder, run.id, timeout=90)
    assert done.status == "Failed"
    assert "python does not exist in the image, which has no Python" in done.error["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="a namespace of its own needs root")
@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_every_shell_writes_the_same_files(shell: str, tmp_path: Path) -> None:
    program = shell.split()[0]
    need_packages(**{"busybox-static" if program == "busybox" else program: program})
    control, work = tmp_path / "control", tmp_path / "work"
    control.mkdir()
    work.mkdir()
    token = f"workspace/run-{os.getpid()}-{shell.split()[0]}/1"
    launch = {
        "epoch": 2,
        "token": token,
        "command": ["sh", "-c", 'echo "$GREETING" in "$(pwd)"; sleep 600 & exit 3'],
        "cwd": str(work),
        "environment": {"GREETING": 'it\'s "hello"', "PATH": os.environ["PATH"]},
        "max_seconds": None,
        "grace_seconds": 1,
    }
    (control / "launch.json").write_text(json.dumps(launch))
    command = [*shell.split(), *shell_command(str(control), 0)[1:]]
    first = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh", *command]
    for _ in range(2):  # the second one finds the first one's work
        done = subprocess.run(
            first,
            env={"PATH": os.environ["PATH"], protocol.MARKER: token},
            timeout=60,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    attempt, result = read_attempt(str(control)), read_result(str(control))
    assert attempt and result
    assert (attempt["token"], attempt["epoch"], attempt["boot_id"]) == (token, 2, identity.boot_id())
    assert attempt["command"] == launch["command"]
    assert (result["reason"], result["exit_code"], result["signal"], result["leftovers"]) == ("exit", 3, None, 1)
    assert (control / "user_logs/std_log.txt").read_text() == f'it\'s "hello" in {work}\n'
    assert (tmp_path / "started.json").samefile(control / "attempt.json")
    assert identity.survivors(token) == []


def test_it_refuses_to_run_where_it_would_end_everything(tmp_path: Path) -> None:
    control = tmp_path / "control"
    control.mkdir()
    launch = {"epoch": 1, "token": "w/r/1", "command": ["true"], "cwd": "/", "environment": {}}
    (control / "launch.json").write_text(json.dumps(launch))
    done = subprocess.run(shell_command(str(control), 0), timeout=60, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "in a container of its own only" in done.stderr
    assert not (control / "attempt.json").exists()

"""Have a workspace with a target on another machine: a real SSH server, whose connections a test cuts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from ssh_server import SshServer, attach_server
from support import log_of

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import SubmitRequest, submit, wait_for_run
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_metrics, get_run

__all__ = ["Far", "check_speaker", "far", "speaker"]


class Far:
    """A workspace with the target ``box``, and the machine behind it."""

    def __init__(self, folder: WorkspaceFolder, server: SshServer, project: Path, base: Path) -> None:
        self.folder = folder
        self.server = server
        self.project = project
        self.base = base

    def config(self, text: str = "", name: str = "train.py") -> ScriptRunConfig:
        """Return what runs a script of the project, with `text` as its content."""
        if text:
            (self.project / name).write_text(text)
        config = ScriptRunConfig(source_directory=str(self.project), script=name)
        config.run_config.target = "box"
        config.run_config.environment_variables = {"GREETING": "hello"}
        return config

    def submit(self, text: str = "", name: str = "train.py", **request: Any) -> RunRecord:
        """Submit a script of the project, with `text` as its content."""
        return submit(self.folder, SubmitRequest(self.config(text, name), "far", **request)).run

    def end(self, run: RunRecord) -> RunRecord:
        return wait_for_run(self.folder, run.id, timeout=90)

    def status(self, run: RunRecord) -> str:
        return get_run(self.folder.store.read(), run.id).status

    def sessions(self) -> list[psutil.Process]:
        """Return the processes of sshd that serve a connection."""
        return psutil.Process(self.server.pid).children()

    def cut(self) -> None:
        """End the server's side of every connection, as a router that forgets them does."""
        for session in self.sessions():
            session.kill()

    def far_log(self, run: RunRecord) -> Path:
        return self.base / f"runs/{self.folder.id}/{run.id}/attempts/1/control/user_logs/std_log.txt"


SPEAKER = """
import os, sys, time
from azureml.core import Run
run = Run.get_context()
open(sys.argv[1] if len(sys.argv) > 1 else os.path.expanduser("~/begun"), "a").write("x")
number = 0
while not os.path.exists("/%s"):
    print("line", number, flush=True)
    run.log("number", number)
    number += 1
    time.sleep(0.02)
print("end", number, flush=True)
"""


def speaker(far: Far, tmp_path: Path) -> tuple[str, Path]:
    """Return a script that prints until the file `stop` is there, and that file."""
    stop = tmp_path / "stop"
    text = SPEAKER % str(stop).lstrip("/")
    return text.replace('os.path.expanduser("~/begun")', repr(str(tmp_path / "begun"))), stop


def check_speaker(far: Far, run: RunRecord, tmp_path: Path) -> None:
    """Check that a speaker ran once, and that nothing it said is lost or there twice."""
    done = far.end(run)
    lines = log_of(far.folder, run.id).splitlines()
    assert (done.status, done.attempt) == ("Completed", 1), (done.reason, lines[-3:])
    assert (tmp_path / "begun").read_text() == "x"
    count = int(lines[-1].split()[1])
    assert lines[:-1] == [f"line {number}" for number in range(count)]
    assert get_metrics(far.folder.store.read(), run.id)["number"] == list(range(count))


@pytest.fixture
def far(folder: WorkspaceFolder, ssh_server: Callable[..., SshServer], tmp_path: Path) -> Far:
    project = tmp_path / "project"
    project.mkdir()
    (project / "data.txt").write_text("snapshot\n")
    server = ssh_server()
    attach_server(folder, server, "box", tmp_path / "far", max_parallel=2)
    return Far(folder, server, project, tmp_path / "far")

"""A project, a way to submit a script of it to a real service, and a service that a test drives step by step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from far_machine import far  # noqa: F401 (fixture)
from support import Submit

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import SubmitRequest, submit
from aml_jupyter.service.client import socket_path
from aml_jupyter.service.lease import acquire
from aml_jupyter.service.reconciler import Reconciler
from aml_jupyter.service.wakeup import WakeSocket
from aml_jupyter.workspace import RunRecord, WorkspaceFolder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    path.mkdir()
    return path


@pytest.fixture
def submit_script(folder: WorkspaceFolder, project: Path) -> Submit:
    """Return a function that writes a script into the project, submits it and returns its run."""

    def submit_text(
        text: str, name: str = "train.py", arguments: Any = (), target: str | None = None, **request: Any
    ) -> RunRecord:
        (project / name).write_text(text)
        config = ScriptRunConfig(source_directory=str(project), script=name, arguments=list(arguments))
        if target:
            config.run_config.target = target
        if "max_seconds" in request:
            config.run_config.max_run_duration_seconds = request.pop("max_seconds")
        return submit(folder, SubmitRequest(config, "tests", **request)).run

    return submit_text


@pytest.fixture
def loop(folder: WorkspaceFolder) -> Iterator[Reconciler]:
    """Drive the workspace from this process, step by step."""
    path = socket_path(folder)
    lease = acquire(folder, str(path))
    assert lease is not None
    reconciler = Reconciler(folder, lease, WakeSocket(path, lambda request: {"ok": True}), linger_seconds=60)
    yield reconciler
    reconciler.shut_down()
    reconciler.wakeup.close()
    lease.release()

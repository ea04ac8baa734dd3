"""A real Jupyter server in this process, with the extension on, and a workspace of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403
from tornado.httpclient import HTTPClientError

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import SubmitRequest, submit
from aml_jupyter.workspace import RunRecord, WorkspaceFolder

Api = Callable[..., Coroutine[Any, Any, tuple[int, Any]]]


@pytest.fixture
def folder(folder: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch) -> WorkspaceFolder:
    """The server's default workspace."""
    monkeypatch.setenv("AML_WORKSPACE", str(folder.root))
    return folder


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    """Settings of the server under test."""
    return {"ServerApp": {"jpserver_extensions": {"aml_jupyter": True}, "allow_unauthenticated_access": False}}


@pytest.fixture
def jp_web_app(folder: WorkspaceFolder, jp_serverapp: Any) -> Iterator[Any]:
    """End the extension's threads with the test."""
    yield jp_serverapp.web_app
    state = jp_serverapp.web_app.settings["aml"]
    if state.host is not None:
        state.host.stop()
    state.pool.close()
    state.workspaces.close()


@pytest.fixture
def api(jp_fetch: Any) -> Api:
    """Return a function that calls an endpoint below ``/aml/api`` and returns (status, JSON)."""

    async def call(path: str, method: str = "GET", body: Any = None, **params: Any) -> tuple[int, Any]:
        sent = None if method in ("GET", "DELETE") else body if isinstance(body, str) else json.dumps(body or {})
        try:
            answer = await jp_fetch("aml", "api", *path.split("/"), method=method, body=sent, params=params)
        except HTTPClientError as error:
            assert error.response is not None
            return error.code, json.loads(error.response.body)
        return answer.code, json.loads(answer.body)

    return call


@pytest.fixture
def project(jp_root_dir: Path) -> Path:
    """A source directory inside the server's root directory."""
    path = Path(jp_root_dir) / "project"
    path.mkdir()
    return path


@pytest.fixture
def submit_script(folder: WorkspaceFolder, project: Path) -> Callable[..., RunRecord]:
    """Return a function that submits a script and returns its run."""

    def submit_text(text: str, **request: Any) -> RunRecord:
        (project / "train.py").write_text(text)
        config = ScriptRunConfig(source_directory=str(project), script="train.py")
        return submit(folder, SubmitRequest(config, "tests", **request)).run

    return submit_text

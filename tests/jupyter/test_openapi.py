"""The OpenAPI document is what the server does: made from its handlers, and checked by schemathesis against a real one."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_process import TOKEN, JupyterProcess

from aml_jupyter.jupyter.server import openapi
from aml_jupyter.service import create_target, stop_service

FILE = Path(__file__).parents[2] / "docs/openapi.json"
SECONDS = 40
"""How long schemathesis tries."""
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "negative_data_rejection", "allow_header_conformance", "ignored_auth",
)  # fmt: skip
SCRIPT = """
from azureml.core import Run
run = Run.get_context()
for step in range(30):
    run.log("loss", 1 / (step + 1), step=step)
run.log("nothing", float("nan"))
run.log_list("sizes", [1, 2])
run.log_row("grid", a=1, b="x")
run.tag("stage", "final")
open("outputs/model.txt", "w").write("x")
print("done")
"""


@pytest.fixture
def server(tmp_path: Path, folder: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[JupyterProcess]:
    monkeypatch.setenv("AML_WORKSPACE", str(folder.root))
    root = tmp_path / "root"
    (root / "project").mkdir(parents=True)
    (root / "project/train.py").write_text(SCRIPT)
    running = JupyterProcess(root, tmp_path / "home")
    yield running
    running.close()
    stop_service(folder)


def _run(server: JupyterProcess) -> str:
    """Submit a run and return its id when it has ended."""
    answer = server.fetch("workspaces/default/runs", "POST", {"source_directory": "project", "script": "train.py"})
    run = answer["run"]["id"]
    offset = 0
    for _ in range(600):
        log = server.fetch(f"workspaces/default/runs/{run}/logs?offset={offset}")
        if log["complete"]:
            break
        offset = log["next_offset"]
    shown = server.fetch(f"workspaces/default/runs/{run}")["run"]
    assert shown["status"] == "Completed", shown
    return str(run)


def test_the_file_is_current() -> None:
    assert json.loads(FILE.read_text("utf-8")) == json.loads(json.dumps(openapi.document())), (
        "run: python -m aml_jupyter.jupyter.server.openapi docs/openapi.json"
    )


def test_every_route_and_method_is_in_the_document() -> None:
    """Walk the routes as tornado has them, not through what the document is made with."""
    from tornado.web import RequestHandler

    from aml_jupyter.jupyter.server.routes import ROUTES

    paths = openapi.document()["paths"]
    seen = set()
    for pattern, handler in ROUTES[:-1]:
        (path,) = (path for path in paths if re.fullmatch(pattern, "/aml/api" + _filled(path)) and path not in seen)
        seen.add(path)
        for method in ("get", "post", "put", "patch", "delete"):
            own = next(vars(kind)[method] for kind in handler.__mro__ if method in vars(kind))
            answers = own is not vars(RequestHandler)[method]
            assert answers == (method in paths[path]), f"{method.upper()} {path} of {handler.__name__}"
    assert seen == set(paths)
    assert ROUTES[-1][0] == "/aml/api/.*"


def _filled(path: str) -> str:
    action = "pause" if "/sweep/" in path else "start"
    return re.sub(r"{(\w+)}", lambda part: action if part[1] == "action" else "x", path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_schemathesis_finds_nothing(server: JupyterProcess, tmp_path: Path, folder: Any) -> None:
    """No answer is a 500, and every one is as the document says, to the field."""
    create_target(folder, "gpu-box", "computeinstance", {})
    run = _run(server)
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(_strict(server.fetch("openapi.json"))))
    # names that are there, so that more than refusals are seen
    known = {
        "workspace_id": "default",
        "run_id": run,
        "target_name": "gpu-box",
        "metric_name": "loss",
        "path": "outputs/model.txt",
    }
    settings = ["[parameters]", *(f'"path.{name}" = "{value}"' for name, value in known.items())]
    (tmp_path / "known.toml").write_text("\n".join(settings) + "\n")
    (tmp_path / "guessed.toml").write_text('[parameters]\n"path.workspace_id" = "default"\n')
    for name in ("known", "guessed"):
        done = _schemathesis(server, tmp_path, document, name)
        assert done.returncode == 0, f"{done.stdout[-12000:]}\n{server.log.read_text()[-4000:]}"
    assert not re.findall(r"Traceback|\s500 ", server.log.read_text())


def _schemathesis(
    server: JupyterProcess, tmp_path: Path, document: Path, name: str
) -> subprocess.CompletedProcess[str]:
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(tmp_path / f"{name}.toml"), "--no-color",
        "run", str(document), "--url", f"{server.url}aml/api", "--header", f"Authorization:token {TOKEN}",
        "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-time", str(SECONDS // 2),
        "--warnings", "off", "--generation-database", "none", "--no-shrink", "--suppress-health-check", "all", "--seed", "1",
    ]  # fmt: skip
    return subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env={**os.environ, "NO_PROXY": "*", "COLUMNS": "140"},
    )


def _strict(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with answers that have no other fields than those it names."""
    strict = copy.deepcopy(document)
    for schema in strict["components"]["schemas"].values():
        schema.setdefault("additionalProperties", False)
    for operations in strict["paths"].values():
        operations.pop("summary", None)
    return strict

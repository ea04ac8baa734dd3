"""Which notebook is this kernel's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aml_jupyter.jupyter.notebook import notebook_path


@pytest.fixture
def notebook(project: Path) -> Path:
    path = project / "a.ipynb"
    path.write_text("{}")
    return path


def test_nothing_tells_in_a_plain_kernel(project: Path) -> None:
    assert notebook_path() is None


def test_what_is_written_wins(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(project / "other.ipynb"))
    assert notebook_path("mine.ipynb") == project / "mine.ipynb"
    monkeypatch.setenv("AML_NOTEBOOK", str(project / "b.ipynb"))
    assert notebook_path() == project / "b.ipynb"


def test_the_session_name_tells(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook))
    assert notebook_path() == notebook


def test_a_session_name_that_is_no_notebook_is_passed_over(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (str(project) + "/", "console-1", str(project / "gone.ipynb")):
        monkeypatch.setenv("JPY_SESSION_NAME", name)
        assert notebook_path() is None


def test_vs_code_and_papermill_tell_through_variables(notebook: Path) -> None:
    assert notebook_path(namespace={"__vsc_ipynb_file__": str(notebook)}) == notebook
    assert notebook_path(namespace={"__session__": str(notebook)}) == notebook
    assert notebook_path(namespace={"PAPERMILL_INPUT_PATH": str(notebook)}) == notebook


def test_a_relative_session_name_is_joined_to_its_own_servers_root(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getppid()))
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    monkeypatch.chdir(tmp_path)
    assert notebook_path() is None
    info = f'{{"pid": {os.getppid()}, "root_dir": "{notebook.parent}", "url": "", "token": ""}}'
    (tmp_path / f"jpserver-{os.getppid()}.json").write_text(info)
    assert notebook_path() == notebook


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, object]]]:
    """Serve a list of sessions where Colab's kernels look for theirs."""
    sessions: list[dict[str, object]] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(sessions if self.path == "/api/sessions" else None).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        monkeypatch.setenv("COLAB_JUPYTER_IP", "127.0.0.1")
        monkeypatch.setenv("KMP_TARGET_PORT", str(server.server_port))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield sessions
        server.shutdown()


def test_colab_tells_through_its_server_and_the_mounted_drive(colab: list[dict[str, object]], project: Path) -> None:
    assert notebook_path() is None
    colab.append({"name": "My%20first%20try.ipynb", "path": "fileId=1aB-c", "kernel": {"id": "k"}})
    assert notebook_path() is None  # the Drive is not mounted
    drive = project / "drive" / "MyDrive" / "Colab Notebooks"
    drive.mkdir(parents=True)
    (drive / "My first try.ipynb").write_text("{}")
    assert notebook_path() == drive / "My first try.ipynb"
    colab.append({"name": "other.ipynb", "path": "fileId=2", "kernel": {"id": "l"}})
    assert notebook_path() is None  # which of the two it is, nothing says
    assert notebook_path("mine.ipynb") == project / "mine.ipynb"


@pytest.mark.parametrize(
    "line",
    [
        ["papermill", "-p", "other", "b.ipynb", "sub/a.ipynb", "out.ipynb", "--no-progress-bar"],
        ["nbconvert", "--to", "notebook", "--execute", "--output", "out", "sub/a.ipynb"],
    ],
)
def test_who_executes_a_notebook_from_a_command_line_tells_by_it(
    line: list[str], folder: object, project: Path, tmp_path: Path
) -> None:
    asks = "from aml_jupyter.jupyter.notebook import notebook_path\nprint(notebook_path(namespace=globals()))"
    parameters = {"cell_type": "code", "id": "p", "metadata": {"tags": ["parameters"]}, "source": "other = 1"}
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": asks}
    empty = {"execution_count": None, "outputs": []}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    content = {"cells": [parameters | empty, cell | empty], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (project / "sub").mkdir()
    for name in ("b.ipynb", "sub/a.ipynb", "out.ipynb"):
        (project / name).write_text(json.dumps(content))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JPY_")}
    environment |= {"PYTHONWARNINGS": "ignore", "IPYTHONDIR": str(tmp_path / "ipython")}
    done = subprocess.run(
        [sys.executable, "-m", *line], cwd=project, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (written,) = [path for path in project.rglob("out.ipynb") if str(project / "sub") in path.read_text()]
    assert f"{project / 'sub' / 'a.ipynb'}\\n" in written.read_text()

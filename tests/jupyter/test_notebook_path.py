"""Which notebook is this kernel's."""

from __future__ import annotations

import os
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

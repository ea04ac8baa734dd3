"""The command line in this process, on a workspace of the test's own with a real service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.cli.main import main
from aml_jupyter.workspace import WorkspaceFolder


@dataclass(frozen=True)
class Outcome:
    """What a command did: exit code, what it printed, what it remarked."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Aml = Callable[..., Outcome]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the command is given in, with a script."""
    path = tmp_path / "digits"
    path.mkdir()
    (path / "train.py").write_text("import sys\nprint('arguments', sys.argv[1:])\n")
    monkeypatch.chdir(path)
    monkeypatch.setenv("AML_WORKSPACE", str(tmp_path / "workspace"))
    return path


@pytest.fixture
def folder(project: Path, tmp_path: Path) -> Iterator[WorkspaceFolder]:
    opened = WorkspaceFolder.open(tmp_path / "workspace", create=True)
    yield opened
    opened.close()


@pytest.fixture
def aml(project: Path, capsys: pytest.CaptureFixture[str]) -> Aml:
    """Return a function that carries out one command line."""

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, captured.out, captured.err)

    return run

"""An IPython shell with the magics, in a folder and a workspace of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.workspace import WorkspaceFolder


@pytest.fixture
def folder(folder: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch) -> WorkspaceFolder:
    """The workspace that the magics use."""
    monkeypatch.setenv("AML_WORKSPACE", str(folder.root))
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    path = tmp_path / "project"
    path.mkdir()
    monkeypatch.chdir(path)
    for name in ("JPY_SESSION_NAME", "JPY_PARENT_PID", "AML_NOTEBOOK", "PAPERMILL_INPUT_PATH"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture
def shell(folder: WorkspaceFolder, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An IPython shell with the magics loaded; what it displays is kept in ``shell.display_pub.outputs``."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell.instance(config=config)
    shell.display_pub = CapturingDisplayPublisher(shell=shell)
    shell.extension_manager.load_extension("aml_jupyter")
    yield shell
    InteractiveShell.clear_instance()

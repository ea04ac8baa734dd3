"""Lay out project folders with run configurations in the form of SDK v1."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

FILES = Path(__file__).parent / "files"


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a project folder with run configurations from `files/`."""

    def make(*names: str, folder: str = ".azureml", extra: str = "") -> Path:
        root = tmp_path / "project"
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "train.py").write_text("print('hello')\n")
        shutil.copy(FILES / "conda_dependencies.yml", root / folder / "conda_dependencies.yml")
        for name in names:
            text = (FILES / f"{name}.runconfig").read_text().replace(".azureml/", f"{folder}/")
            (root / folder / f"{name}.runconfig").write_text(text + extra)
        return root

    return make

"""What is built holds what users need, and nothing of the tests' remains."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a fresh wheel and a fresh source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_wheel_holds_the_package_the_licence_and_what_jupyter_and_python_look_for(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"aml_jupyter", "aml_jupyter_azureml.pth"}
    for end in (
        ".dist-info/licenses/LICENSE",
        ".data/data/etc/jupyter/jupyter_server_config.d/aml_jupyter.json",
        ".data/data/share/jupyter/labextensions/aml-jupyter/package.json",
        ".data/data/share/jupyter/labextensions/aml-jupyter/install.json",
        ".data/data/share/jupyter/labextensions/aml-jupyter/schemas/aml-jupyter/panel.json",
        "aml_jupyter/jupyter/static/run_view.js",
        "aml_jupyter/jupyter/static/LICENSE.uplot.txt",
        "aml_jupyter/locale/ja_JP/LC_MESSAGES/aml_jupyter.json",
        "aml_jupyter/py.typed",
        "aml_jupyter/supervisor/site/sitecustomize.py",
    ):
        assert any(name.endswith(end) for name in names), end
    assert not [name for name in names if name.endswith((".pyc", ".ipynb")) or "test" in name]


def test_the_source_distribution_holds_what_is_tracked(built: Path) -> None:
    [archive] = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {"LICENSE", "README.md", "Makefile", "notebooks/quickstart.ipynb", "tests/conftest.py"} <= names
    assert {"labextension/package.json", "labextension/src/view/run.ts"} <= names
    junk = ("__pycache__", ".output", ".hypothesis", ".pytest_cache", ".venv", ".bench", "node_modules")
    assert not [name for name in names if any(part in junk for part in name.split("/"))]

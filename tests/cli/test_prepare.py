"""`aml experiment prepare`: what 2017's users did before the first run of a configuration, and what happens without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from wheels import make_wheel

from aml_jupyter.environments import EnvironmentCache
from aml_jupyter.service import create_target
from aml_jupyter.workspace import WorkspaceFolder, find_runs

from .conftest import Aml

RUN_CONFIGURATION = """\
ArgumentVector:
  - $file
Target: box
Framework: Python
CondaDependenciesFile: aml_config/conda_dependencies.yml
PrepareEnvironment: {prepare}
"""
CONDA = """\
name: project_environment
dependencies:
  - pip:
    - tiny
"""


@pytest.fixture
def workbench(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: WorkspaceFolder) -> Path:
    """A project of 2017 whose run configuration `box` needs a package, and an index that has it."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    create_target(folder, "box", "computeinstance", {})
    settings = project / "aml_config"
    settings.mkdir()
    (settings / "box.runconfig").write_text(RUN_CONFIGURATION.format(prepare="false"))
    (settings / "conda_dependencies.yml").write_text(CONDA)
    (project / "train.py").write_text("import tiny; print('tiny', tiny.__name__)\n")
    return project


def test_what_is_not_prepared_is_refused_until_it_is(aml: Aml, workbench: Path, folder: WorkspaceFolder) -> None:
    refused = aml("experiment", "submit", "-c", "box", "train.py")
    assert refused.code == 2
    assert "PrepareEnvironment is false" in refused.err and "aml experiment prepare -c box" in refused.err
    assert find_runs(folder.store.read()) == []
    prepared = aml("experiment", "prepare", "-c", "box")
    assert prepared.code == 0 and "is ready, resolved to" in prepared.out
    assert "tiny" in prepared.out  # the build's log
    again = aml("experiment", "prepare", "--run-configuration", "box")
    assert again.code == 0 and "is there already, resolved to" in again.out
    ran = aml("experiment", "submit", "-c", "box", "train.py")
    assert ran.code == 0 and "tiny tiny" in ran.out


def test_a_project_elsewhere_is_named_in_the_line(
    aml: Aml, workbench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = aml("experiment", "submit", "-c", "box", "-p", workbench, "train.py")
    assert f"aml experiment prepare -p {workbench} -c box" in refused.err
    assert aml("experiment", "prepare", "-p", workbench, "-c", "box", "--json").json["state"] == "ready"
    assert aml("experiment", "submit", "-c", "box", "-p", workbench, "--async", "train.py").code == 0


@pytest.mark.parametrize("prepare", ["true", None])
def test_a_run_that_may_builds_by_itself(aml: Aml, workbench: Path, prepare: str | None) -> None:
    text = RUN_CONFIGURATION.format(prepare=prepare)
    if prepare is None:
        text = text.replace("PrepareEnvironment: None\n", "")
    (workbench / "aml_config/box.runconfig").write_text(text)
    ran = aml("experiment", "submit", "-c", "box", "train.py")
    assert ran.code == 0 and "tiny tiny" in ran.out


def test_a_file_of_1x_builds_by_itself_whatever_it_says(aml: Aml, workbench: Path) -> None:
    (workbench / "aml_config/box.runconfig").write_text(
        "script: train.py\ntarget: box\nprepareEnvironment: false\n"
        "environment:\n  python:\n    userManagedDependencies: false\n"
        "    condaDependenciesFile: aml_config/conda_dependencies.yml\n"
    )
    ran = aml("experiment", "submit", "-c", "box", "train.py")
    assert ran.code == 0 and "tiny tiny" in ran.out


def test_nothing_to_prepare_is_said(aml: Aml, workbench: Path) -> None:
    for option in ("-c", "-t"):
        done = aml("experiment", "prepare", option, "local")
        assert done.code == 0 and "nothing to build" in done.out
    assert EnvironmentCache().entries() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "aml experiment prepare -c NAME"),
        (["-c", "bix"], "box"),
        (["-c", "box", "-t", "bax"], "box"),
        (["-c", "docker"], "No Docker engine is running at unix:///nowhere.sock"),
    ],
)
def test_what_cannot_be_prepared_is_refused(
    aml: Aml, workbench: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    if "docker" in words:
        (workbench / "aml_config/docker.compute").write_text(
            "baseDockerImage: microsoft/mmlspark:plus\ntype: localdocker\n"
        )
        (workbench / "aml_config/docker.runconfig").write_text(
            "Target: docker\nFramework: Python\nPrepareEnvironment: true\n"
        )
    done = aml("experiment", "prepare", *words)
    assert done.code == 2 and said in done.err

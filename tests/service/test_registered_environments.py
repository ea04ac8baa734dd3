"""A run may name its environment: it is written out at the submit; what was never registered is saved by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import log_of
from wheels import make_wheel

from aml_jupyter.config import CondaDependencies, Environment, RunConfiguration, ScriptRunConfig
from aml_jupyter.config.environment import EnvironmentReference
from aml_jupyter.errors import UserErrorException
from aml_jupyter.service import SubmitRequest, find_registered, register_environment, submit, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, find_runs, list_environments, read_definition


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment with a package that only a folder of wheels has."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    environment = Environment("tiny-env")
    dependencies = CondaDependencies.create(pip_packages=["tiny"])
    dependencies.set_pip_option("--no-index")
    dependencies.set_pip_option(f"--find-links {tmp_path / 'wheels'}")
    environment.python.conda_dependencies = dependencies
    environment.environment_variables = {"MODE": "registered"}
    return environment


def request(project: Path, environment: Environment) -> SubmitRequest:
    (project / "train.py").write_text("import os, tiny\nprint(tiny.__version__, os.environ['MODE'])\n")
    config = ScriptRunConfig(source_directory=str(project), script="train.py", environment=environment)
    return SubmitRequest(config, "tests")


@pytest.mark.parametrize("version", [None, "1"])
def test_a_named_environment_is_written_out_at_the_submit(
    folder: WorkspaceFolder, project: Path, tiny: Environment, version: str | None
) -> None:
    register_environment(folder, tiny)
    (project / ".azureml").mkdir()
    reference = {"name": "tiny-env", **({"version": version} if version else {})}
    (project / ".azureml" / "named.runconfig").write_text(json.dumps({"script": "train.py", "environment": reference}))
    run_config = RunConfiguration.load(str(project), "named")
    assert run_config.environment.is_reference
    asked = request(project, tiny)
    asked.config.run_config = run_config
    run = submit(folder, asked).run
    done = wait_for_run(folder, run.id, timeout=60)
    assert done.status == "Completed", done.error
    assert log_of(folder, run.id).split() == ["1.0", "registered"]
    written = read_definition(folder.layout, run.id)["run_config"]["environment"]
    assert (written["name"], written["version"]) == ("tiny-env", "1")
    assert run_config.environment.is_reference  # what the person holds is as it was


def test_an_unknown_name_is_refused_with_the_nearest_before_anything_is_copied(
    folder: WorkspaceFolder, project: Path, tiny: Environment
) -> None:
    register_environment(folder, tiny)
    for named, said in (
        (EnvironmentReference("tiny-evn"), "did you mean tiny-env"),
        (EnvironmentReference("tiny-env", "9"), "no version '9'; its versions: 1"),
        (EnvironmentReference("AzureML-VowpalWabbit-8.8.0"), "none that could stand in for it"),
    ):
        with pytest.raises(UserErrorException, match=said):
            submit(folder, request(project, named))
    assert list(folder.layout.runs.iterdir()) == [] and find_runs(folder.store.read()) == []


def test_a_submit_saves_an_environment_once_under_a_name_of_its_own(
    folder: WorkspaceFolder, project: Path, tiny: Environment
) -> None:
    first, second = (submit(folder, request(project, tiny)).run for _ in range(2))
    (saved,) = list_environments(folder.store.read())
    assert saved.autosaved and saved.version.startswith("Autosave_")
    for run in (first, second):
        environment = read_definition(folder.layout, run.id)["run_config"]["environment"]
        assert (environment["name"], environment["version"]) == ("tiny-env", saved.version)
    assert tiny.version is None
    found, _ = find_registered(folder, "tiny-env", saved.version)
    assert found.environment_variables == {"MODE": "registered"}
    register_environment(folder, tiny)
    third = submit(folder, request(project, tiny)).run
    assert read_definition(folder.layout, third.id)["run_config"]["environment"]["version"] == "1"


def test_an_untouched_template_is_nothing_to_save(folder: WorkspaceFolder, project: Path) -> None:
    (project / "train.py").write_text("print(1)\n")
    submit(folder, SubmitRequest(ScriptRunConfig(source_directory=str(project), script="train.py"), "tests"))
    assert list_environments(folder.store.read()) == []


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("AzureML-Minimal", "AmlJupyter-Minimal"),
        ("AzureML-Tutorial", "AmlJupyter-DataScience"),
        ("AzureML-Scikit-learn-0.20.3", "AmlJupyter-Sklearn"),
        ("AzureML-sklearn-1.0-ubuntu20.04-py38-cpu", "AmlJupyter-Sklearn"),
        ("AzureML-lightgbm-3.2-ubuntu18.04-py37-cpu", "AmlJupyter-LightGBM"),
        ("AzureML-PyTorch-1.6-GPU", "AmlJupyter-PyTorch"),
        ("AzureML-pytorch-1.10-ubuntu18.04-py38-cuda11-gpu", "AmlJupyter-PyTorch"),
        ("AzureML-ACPT-pytorch-1.11-py38-cuda11.5-gpu", "AmlJupyter-PyTorch"),
        ("AzureML-TensorFlow-2.3-CPU", "AmlJupyter-TensorFlow"),
    ],
)
def test_azures_curated_names_mean_the_nearest_of_ours_and_it_is_said(
    folder: WorkspaceFolder, name: str, ours: str
) -> None:
    found, notes = find_registered(folder, name)
    assert found.name == ours
    assert notes and name in notes[0] and ours in notes[0]
    assert find_registered(folder, ours) == (found, ())


def test_a_curated_one_runs(folder: WorkspaceFolder, project: Path) -> None:
    (project / "train.py").write_text("import sys, pip\nprint(sys.prefix, pip.__file__)\n")
    named: Any = EnvironmentReference("AzureML-Minimal")
    config = ScriptRunConfig(source_directory=str(project), script="train.py", environment=named)
    submission = submit(folder, SubmitRequest(config, "tests"))
    assert any("AmlJupyter-Minimal stands in for it" in note for note in submission.notes)
    done = wait_for_run(folder, submission.run.id, timeout=120)
    assert done.status == "Completed", done.error
    prefix, file = log_of(folder, done.id).split()
    assert file.startswith(prefix) and "environments" in prefix
    assert list_environments(folder.store.read()) == []  # a curated one needs no saving


def test_the_password_of_a_registry_is_a_secret_and_comes_back(folder: WorkspaceFolder) -> None:
    environment = Environment("boxed")
    environment.docker.base_image = "registry.example.org/team/image:1"
    registry = environment.docker.base_image_registry
    registry.address, registry.username, registry.password = "registry.example.org", "me", "hunter2"
    register_environment(folder, environment)
    found, _ = find_registered(folder, "boxed")
    assert found.docker.base_image_registry.password == "hunter2"
    for path in [*folder.root.glob("aml.db*"), folder.layout.journal, *folder.layout.environments.rglob("*.json")]:
        assert b"hunter2" not in path.read_bytes()


def test_an_untracked_run_leaves_no_environment_behind(
    folder: WorkspaceFolder, project: Path, tiny: Environment
) -> None:
    asked = request(project, tiny)
    asked.config.run_config.tracked_run = False
    wait_for_run(folder, submit(folder, asked).run.id, timeout=60)
    assert list_environments(folder.store.read()) == []


def test_a_conda_package_that_nothing_can_read_is_refused_with_its_line(
    folder: WorkspaceFolder, tmp_path: Path
) -> None:
    (tmp_path / "conda.yml").write_text("name: mine\ndependencies:\n  - python=3.11\n  - numpy=>3\n")
    wrong = Environment.from_conda_specification("mine", tmp_path / "conda.yml")
    with pytest.raises(UserErrorException, match=r"conda\.yml, line 4: 'numpy=>3' is no package spec"):
        register_environment(folder, wrong)
    assert list_environments(folder.store.read()) == []

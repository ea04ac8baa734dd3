"""Environments: how they are made, copied, written and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from aml_jupyter.config import DEFAULT_CPU_IMAGE, CondaDependencies, DockerBuildContext, Environment, PythonSection
from aml_jupyter.errors import ConfigurationError, UserErrorException


def test_a_new_environment_is_the_sdks_template() -> None:
    environment = Environment("mine")
    assert environment.name == "mine"
    assert environment.environment_variables == {"EXAMPLE_ENV_VAR": "EXAMPLE_VALUE"}
    assert environment.python.interpreter_path == "python"
    assert environment.python.conda_dependencies == CondaDependencies()
    assert environment.docker.base_image == DEFAULT_CPU_IMAGE
    assert environment.docker.shm_size == "2g"


def test_image_dockerfile_and_build_context_exclude_one_another() -> None:
    docker = Environment("mine").docker
    docker.base_dockerfile = "FROM python"
    assert docker.base_image is None
    docker.build_context = DockerBuildContext("git", "https://example.org/x.git")
    assert docker.base_dockerfile is None
    docker.base_image = "python:3.12"
    assert docker.build_context is None


def test_a_copy_is_independent() -> None:
    one = Environment("one")
    one.version = "3"
    two = one.clone("two")
    two.python.interpreter_path = "/usr/bin/python3"
    assert (two.name, two.version, one.python.interpreter_path) == ("two", None, "python")


def test_it_is_made_of_files_with_packages(tmp_path: Path) -> None:
    (tmp_path / "conda.yml").write_text("dependencies:\n- numpy\n")
    made = Environment.from_conda_specification("a", tmp_path / "conda.yml")
    assert made.python.conda_dependencies is not None
    assert list(made.python.conda_dependencies.conda_packages) == ["python=3.10.18", "numpy"]
    (tmp_path / "requirements.txt").write_text("# mine\nnumpy==2 # fast\n\n--no-deps\nscipy\n")
    made = Environment.from_pip_requirements("b", tmp_path / "requirements.txt")
    assert made.python.conda_dependencies is not None
    assert list(made.python.conda_dependencies.pip_packages) == ["numpy==2", "scipy"]
    assert list(made.python.conda_dependencies.pip_options) == ["--no-deps"]


def test_it_is_made_of_an_image(tmp_path: Path) -> None:
    image = Environment.from_docker_image("a", "python:3.12")
    assert image.docker.base_image == "python:3.12"
    assert image.python.user_managed_dependencies
    (tmp_path / "Dockerfile").write_text("FROM python:3.12\n")
    assert Environment.from_dockerfile("b", tmp_path / "Dockerfile").docker.base_dockerfile == "FROM python:3.12\n"
    assert Environment.from_dockerfile("b", "FROM x\nRUN y").docker.base_dockerfile == "FROM x\nRUN y"
    with pytest.raises(UserErrorException, match="not both"):
        Environment.from_docker_image("c", "x", conda_specification="a", pip_requirements="b")


def test_a_folder_of_it_can_be_read_again(tmp_path: Path) -> None:
    one = Environment("one")
    one.docker.base_dockerfile = "FROM python:3.12\n"
    one.python.conda_dependencies = CondaDependencies.create(pip_packages=["numpy"])
    one.save_to_directory(tmp_path / "one")
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "BaseDockerfile",
        "azureml_environment.json",
        "conda_dependencies.yml",
    ]
    assert Environment.load_from_directory(tmp_path / "one") == one
    with pytest.raises(UserErrorException, match="exists already"):
        one.save_to_directory(tmp_path / "one")
    one.save_to_directory(tmp_path / "one", overwrite=True)
    (tmp_path / "one" / "azureml_environment.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"azureml_environment\.json: expected JSON"):
        Environment.load_from_directory(tmp_path / "one")


def test_a_conda_file_is_read_when_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conda.yml").write_text("dependencies:\n- numpy\n")
    python = PythonSection()
    python.conda_dependencies_file = "conda.yml"
    assert python.conda_dependencies is not None
    assert list(python.conda_dependencies.conda_packages) == ["numpy"]
    with pytest.raises(ConfigurationError, match="expected the path of a conda environment file, found no file"):
        python.conda_dependencies_file = "other.yml"


def test_a_version_and_a_label_are_not_asked_for_together() -> None:
    with pytest.raises(UserErrorException, match="not both"):
        Environment.get(object(), "x", version="1", label="latest")

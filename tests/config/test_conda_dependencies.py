"""The packages of an environment: SDK v1's template, changes, files."""

from __future__ import annotations

from pathlib import Path

import pytest

from aml_jupyter.config import CondaDependencies
from aml_jupyter.errors import UserErrorException


def test_the_template_is_the_sdks() -> None:
    template = CondaDependencies()
    assert template.as_dict() == {
        "name": "project_environment",
        "dependencies": ["python=3.8.13", {"pip": ["azureml-defaults"]}],
        "channels": ["anaconda", "conda-forge"],
    }


def test_create_pins_the_sdks_packages_and_asks_for_its_python() -> None:
    made = CondaDependencies.create(
        pip_packages=["azureml-sdk[notebooks]", "azureml-core==1.0", "numpy>=2"], conda_packages=["scikit-learn=1.5"]
    )
    assert list(made.pip_packages) == ["azureml-sdk[notebooks]~=1.61.0", "azureml-core~=1.61.0", "numpy>=2"]
    assert list(made.conda_packages) == ["python=3.10.18", "scikit-learn=1.5"]
    assert list(CondaDependencies.create().pip_packages) == ["azureml-defaults~=1.61.0"]
    assert list(CondaDependencies.create(pin_sdk_version=False).pip_packages) == ["azureml-defaults"]
    assert list(CondaDependencies.create(pip_packages=[]).pip_packages) == []
    assert list(CondaDependencies.create(pip_indexurl="https://example.org").pip_options) == [
        "--find-links https://example.org"
    ]


def test_a_package_replaces_one_of_the_same_name() -> None:
    made = CondaDependencies.create(pip_packages=["Scikit_Learn==1.0", "numpy"], conda_packages=["pandas"])
    made.add_pip_package("scikit-learn==1.5")
    made.add_conda_package("pandas=2")
    assert list(made.pip_packages) == ["numpy", "scikit-learn==1.5"]
    assert list(made.conda_packages) == ["python=3.10.18", "pandas=2"]
    made.remove_pip_package("numpy")
    made.remove_pip_package("scikit-learn")
    made.remove_conda_package("pandas")
    made.remove_conda_package("never-there")
    assert made.as_dict()["dependencies"] == ["python=3.10.18", {"pip": []}]


def test_channels_python_and_options_are_set() -> None:
    made = CondaDependencies()
    made.add_channel("pytorch")
    made.add_channel("pytorch")
    made.remove_channel("anaconda")
    assert list(made.conda_channels) == ["conda-forge", "pytorch"]
    made.set_python_version("3.11")
    assert made.get_python_version() == "3.11"
    made.set_pip_option("--index-url https://one.example")
    made.set_pip_index_url("https://two.example")
    made.set_pip_option("--no-deps")
    assert list(made.pip_options) == ["--index-url https://two.example", "--no-deps"]
    made.remove_pip_option("--no-deps")
    made.set_pip_requirements(["a==1", "b"])
    assert list(made.pip_packages) == ["a==1", "b"]


def test_an_option_is_no_package_and_a_package_no_option() -> None:
    with pytest.raises(UserErrorException, match="Invalid package name --no-deps"):
        CondaDependencies().add_pip_package("--no-deps")
    with pytest.raises(UserErrorException, match="Invalid package name -c"):
        CondaDependencies().add_conda_package("-c conda-forge")
    with pytest.raises(UserErrorException, match="Invalid pip option numpy"):
        CondaDependencies().set_pip_option("numpy")
    with pytest.raises(UserErrorException, match=r"write \['numpy'\]"):
        CondaDependencies.create(pip_packages="numpy")  # type: ignore[arg-type]


def test_the_file_is_written_and_read(tmp_path: Path) -> None:
    made = CondaDependencies.create(conda_packages=["numpy"])
    path = made.save(tmp_path / "conda.yml")
    assert CondaDependencies(path) == made
    assert Path(path).read_text() == made.serialize_to_string()
    Path(path).write_text("# mine\n" + Path(path).read_text())
    made.add_conda_package("scipy")
    made.save(path)
    assert Path(path).read_text().startswith("# mine\n")
    assert CondaDependencies(path) == made
    assert made.save_to_file(tmp_path) == ".azureml/auto_conda_dependencies.yml"
    assert CondaDependencies(tmp_path / ".azureml" / "auto_conda_dependencies.yml") == made


def test_a_folder_or_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserErrorException, match="which is a folder"):
        CondaDependencies().save(tmp_path)
    with pytest.raises(UserErrorException, match="does not exist"):
        CondaDependencies().save(tmp_path / "no" / "conda.yml")
    with pytest.raises(UserErrorException, match="Name the file"):
        CondaDependencies().save()


def test_requirements_of_one_package_are_joined() -> None:
    assert CondaDependencies.merge_requirements(["a>=1", "b", "a<2"]) == ["a>=1,<2", "b"]

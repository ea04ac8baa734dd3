"""An Environment alone says what has to be built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aml_jupyter import environments
from aml_jupyter.config import CondaDependencies, Environment
from aml_jupyter.environments.pythons import python_specifier
from aml_jupyter.errors import ConfigurationError
from aml_jupyter.supervisor.pip_settings import installer_settings

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def of(dependencies: CondaDependencies | None, **submitter: object) -> environments.Recipe | None:
    environment = Environment("e")
    environment.python.conda_dependencies = dependencies
    return environments.choose_recipe(environment, {**environments.submitter(), **submitter})


def test_an_untouched_template_builds_nothing() -> None:
    assert of(None) is None
    assert of(CondaDependencies()) is None
    assert of(CondaDependencies.create()) is None


def test_user_managed_packages_build_nothing() -> None:
    environment = Environment("e")
    environment.python.user_managed_dependencies = True
    environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["six"])
    assert environments.choose_recipe(environment, environments.submitter()) is None


def test_pip_packages_make_a_virtual_environment_of_the_submitters_python() -> None:
    recipe = of(CondaDependencies.create(pip_packages=["six==1.17.0", "azureml-defaults"]))
    assert recipe is not None and recipe.kind == "venv"
    assert recipe.asked["requirements"] == ["six==1.17.0"]
    assert recipe.asked["python"]["version"].startswith(HERE)
    assert "azureml-defaults" in recipe.notes[0]


def test_equal_wishes_have_equal_keys_whatever_their_credentials() -> None:
    first = of(CondaDependencies.create(pip_packages=["six"], pip_indexurl="https://me:one@host/simple"))
    second = of(CondaDependencies.create(pip_packages=["six"], pip_indexurl="https://me:two@host/simple"))
    third = of(CondaDependencies.create(pip_packages=["six"], pip_indexurl="https://other/simple"))
    assert first and second and third
    assert first.key == second.key != third.key
    assert environments.Recipe.from_dict(first.as_dict()).key == first.key


def test_a_python_that_is_here_is_taken_and_another_one_is_refused_by_name() -> None:
    recipe = of(CondaDependencies.create(pip_packages=["six"], python_version=HERE))
    assert recipe is not None and recipe.asked["python"]["path"].startswith("/")
    if not environments.choose.has_conda():
        with pytest.raises(ConfigurationError, match=r"python=2\.6 cannot be had.*nearest on this machine is Python"):
            of(CondaDependencies.create(pip_packages=["six"], python_version="2.6"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("python=3.11", "==3.11.*"),
        ("python=3.11.*", "==3.11.*"),
        ("python==3.11.7", "==3.11.7"),
        ("python=3.11.7", "==3.11.7"),
        ("python>=3.9,<3.12", "<3.12,>=3.9"),
        ("python=3.11.*=*_cpython", "==3.11.*"),
        ("conda-forge::python 3.10", "==3.10.*"),
        ("python", ""),
    ],
)
def test_conda_s_ways_to_name_a_python(written: str, meant: str) -> None:
    assert python_specifier(written) == meant


def test_a_python_without_a_version_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="asks for no version of Python"):
        python_specifier("python=three")


def test_pip_s_settings_are_read_the_variable_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(
        "[global]\nindex-url = https://mine/simple\nextra-index-url =\n    https://one/simple\n    https://two/simple\n"
    )
    found = installer_settings(
        {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/nowhere", "PIP_INDEX_URL": "https://wins/simple"}
    )
    assert found["index-url"] == ["https://wins/simple"]
    assert found["extra-index-url"] == ["https://one/simple", "https://two/simple"]


@pytest.mark.parametrize("written", ["index_url", "INDEX-URL", "--index-url"])
def test_a_name_in_pip_s_file_is_read_as_pip_reads_it(tmp_path: Path, written: str) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(f"[global]\n{written} = https://mine/simple\n")
    variables = {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/nowhere", "PIP_CONFIG_FILE": str(file)}
    assert installer_settings(variables)["index-url"] == ["https://mine/simple"]
    command = [sys.executable, "-m", "pip", "config", "list"]
    asked = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=True)
    assert "global.index-url='https://mine/simple'" in asked.stdout


def test_a_file_of_pip_s_that_is_chosen_stands_for_the_user_s_own(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\nextra-index-url = https://not-here/simple\n")
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://mine/simple\n")
    variables = {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/nowhere", "PIP_CONFIG_FILE": str(file)}
    assert "extra-index-url" not in installer_settings(variables)
    assert "extra-index-url" in installer_settings({**variables, "PIP_CONFIG_FILE": str(tmp_path / "missing")})


def test_files_of_2017_mean_what_they_did_though_their_server_is_no_more(tmp_path: Path) -> None:
    gone = "https://azuremldownloads.azureedge.net/python-repository/preview"
    lines = [f"--index-url {gone}", "azureml-requirements", f"{gone}/azureml.logging-1.0-py3-none-any.whl?sig=hidden"]

    def chosen(*more: str) -> environments.Recipe | None:
        environment = Environment("workbench")
        content = {"dependencies": ["python=3.5.2", {"pip": [*lines, *more]}]}
        environment.python.conda_dependencies = CondaDependencies.from_dict(content)
        return environments.choose_recipe(environment, environments.submitter(), [tmp_path])

    assert chosen() is None  # an untouched template: nobody has asked for anything
    recipe = chosen("six")
    assert recipe is not None and recipe.asked["requirements"] == ["six"] and recipe.asked["options"] == []
    assert any("that server is no more" in note for note in recipe.notes)
    assert any("azureml.logging-1.0-py3-none-any.whl: not installed" in note for note in recipe.notes)
    assert not any("hidden" in note for note in recipe.notes)

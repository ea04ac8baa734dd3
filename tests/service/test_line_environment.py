"""Packages, an environment or an image that a line names: they win over what the run configuration says."""

from __future__ import annotations

import platform
from typing import Any

import pytest

from aml_jupyter.config import CondaDependencies, Environment, RunConfiguration
from aml_jupyter.environments import submitter
from aml_jupyter.errors import UserErrorException
from aml_jupyter.service import register_environment
from aml_jupyter.service.line_environment import LineEnvironment, split_packages
from aml_jupyter.workspace import WorkspaceFolder

MINOR = ".".join(platform.python_version_tuple()[:2])


def content(run_config: RunConfiguration) -> list[Any]:
    dependencies = run_config.environment.python.conda_dependencies
    assert dependencies is not None
    return list(dependencies.as_dict()["dependencies"])


def with_packages(*pip: str, conda: tuple[str, ...] = ()) -> RunConfiguration:
    run_config = RunConfiguration()
    run_config.environment = Environment("mine")
    made = CondaDependencies.from_dict({"dependencies": [*conda, {"pip": list(pip)}]})
    run_config.environment.python.conda_dependencies = made
    return run_config


@pytest.mark.parametrize(
    ("value", "packages"),
    [
        ("scikit-learn", ["scikit-learn"]),
        ("pandas==2.2 scikit-learn", ["pandas==2.2", "scikit-learn"]),
        ("pandas>=2,<3,joblib", ["pandas>=2,<3", "joblib"]),
        ("numpy >=1.26", ["numpy >=1.26"]),
        ("ray[tune,default]", ["ray[tune,default]"]),
        ("tomli; python_version < '3.11'", ["tomli; python_version < '3.11'"]),
        ("tiny @ file:///x/tiny-1.0-py3-none-any.whl", ["tiny @ file:///x/tiny-1.0-py3-none-any.whl"]),
        ("-r requirements.txt", ["-r requirements.txt"]),
        ("conda-forge::numpy=1.26.*", ["conda-forge::numpy=1.26.*"]),
    ],
)
def test_one_value_may_name_several_packages(value: str, packages: list[str]) -> None:
    assert split_packages(value) == packages


def test_pip_alone_is_the_submitters_python_with_these(folder: WorkspaceFolder) -> None:
    line = LineEnvironment.of(pip=["pandas==2.2 joblib", "-r more.txt"])
    made, notes = line.apply(folder, RunConfiguration(), submitter())
    assert content(made) == [{"pip": ["pandas==2.2", "joblib", "-r more.txt"]}] and notes == ()


def test_conda_has_the_python_that_it_is_sent_from_unless_it_says_another(folder: WorkspaceFolder) -> None:
    made, _ = LineEnvironment.of(conda=["scikit-learn,numpy"]).apply(folder, RunConfiguration(), submitter())
    assert content(made) == [f"python={MINOR}", "scikit-learn", "numpy"]
    made, _ = LineEnvironment.of(conda=["python=3.9 numpy"]).apply(folder, RunConfiguration(), submitter())
    assert content(made) == ["python=3.9", "numpy"]


def test_the_line_wins_over_the_run_configuration_and_leaves_it_alone(folder: WorkspaceFolder) -> None:
    written = with_packages("pandas==1.0", "numpy", conda=("python=3.10", "scipy=1.0"))
    before = content(written)
    line = LineEnvironment.of(conda=["numpy"], pip=["pandas==2.2", "scipy"])
    made, _ = line.apply(folder, written, submitter())
    assert content(made) == ["python=3.10", {"pip": ["pandas==2.2", "scipy"]}, "numpy"]
    assert content(written) == before and written.environment.name == "mine"


def test_a_python_of_ones_own_gives_way_and_it_is_said(folder: WorkspaceFolder) -> None:
    written = RunConfiguration()
    written.environment.python.user_managed_dependencies = True
    written.environment.python.interpreter_path = "/usr/bin/python3"
    made, notes = LineEnvironment.of(pip=["numpy"]).apply(folder, written, submitter())
    assert not made.environment.python.user_managed_dependencies
    assert "/usr/bin/python3" in notes[0] and "is not used" in notes[0]
    assert written.environment.python.user_managed_dependencies


def test_a_registered_environment_and_packages_beside_it(folder: WorkspaceFolder) -> None:
    environment = Environment("train")
    for packages in (["numpy"], ["numpy", "scipy"]):
        environment.python.conda_dependencies = CondaDependencies.from_dict({"dependencies": [{"pip": packages}]})
        register_environment(folder, environment)
    made, _ = LineEnvironment.of(environment="train").apply(folder, with_packages("polars"), submitter())
    assert (made.environment.version, content(made)) == ("2", [{"pip": ["numpy", "scipy"]}])
    line = LineEnvironment.of(environment="train:1", pip=["joblib"])
    made, _ = line.apply(folder, RunConfiguration(), submitter())
    assert (made.environment.name, made.environment.version) == ("train", None)
    assert content(made) == [{"pip": ["numpy", "joblib"]}]
    with pytest.raises(UserErrorException, match="did you mean train"):
        LineEnvironment.of(environment="trian").apply(folder, RunConfiguration(), submitter())
    made, notes = LineEnvironment.of(environment="AzureML-Minimal").apply(folder, RunConfiguration(), submitter())
    assert made.environment.name == "AmlJupyter-Minimal" and "stands in for it" in notes[0]


def test_an_image_is_a_container_with_its_own_python_or_with_packages_on_top(folder: WorkspaceFolder) -> None:
    made, _ = LineEnvironment.of(image="python:3.12").apply(folder, RunConfiguration(), submitter())
    assert made.docker.use_docker and made.environment.docker.base_image == "python:3.12"
    assert made.environment.python.user_managed_dependencies
    made, _ = LineEnvironment.of(image="python:3.12", pip=["numpy"]).apply(folder, RunConfiguration(), submitter())
    assert not made.environment.python.user_managed_dependencies and content(made) == [{"pip": ["numpy"]}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"conda": [" "]}, "--conda ' '"),
        ({"environment": ""}, "--environment ''"),
        ({"conda": ["-c"]}, "a package was expected"),
        ({"pip": ["==2"]}, "a package was expected"),
    ],
)
def test_what_names_nothing_is_refused(folder: WorkspaceFolder, line: dict[str, Any], said: str) -> None:
    with pytest.raises(UserErrorException, match=said):
        LineEnvironment.of(**line).apply(folder, RunConfiguration(), submitter())

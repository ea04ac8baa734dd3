"""Which Python runs a run, and with which variables."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.config import RunConfiguration, SparkPackage
from aml_jupyter.environments import resolve, submitter, without_effect
from aml_jupyter.errors import ConfigurationError

HERE: dict[str, Any] = {
    "python": sys.executable,
    "version": "3.11.7",
    "variables": {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/home/me"},
    "host": "h",
    "user": "me",
    "cwd": "/",
}


def _definition(config: RunConfiguration | None = None, **fields: Any) -> dict[str, Any]:
    config = config or RunConfiguration()
    declared = config.declared_variables()
    return {"submitter": HERE, "run_config": config.to_dict(), "environment_variables": declared, **fields}


def test_the_template_means_the_submitters_python_and_says_so() -> None:
    resolved = resolve(_definition())
    assert resolved.interpreter == sys.executable
    assert resolved.kind == "submitter"
    assert resolved.notes == (f"Python: {sys.executable} 3.11.7 (the submitter's; no packages are installed)",)
    assert resolved.variables["LANG"] == "C.UTF-8"


def test_python_on_the_path_is_the_python_that_runs() -> None:
    resolved = resolve(_definition())
    assert resolved.variables["PATH"] == f"{os.path.dirname(sys.executable)}:/usr/bin:/bin"
    activated = {**HERE, "variables": {"PATH": f"/usr/local/bin:{os.path.dirname(sys.executable)}:/bin"}}
    kept = resolve({"submitter": activated, "run_config": {}})
    assert kept.variables["PATH"] == activated["variables"]["PATH"]


def test_declared_variables_win_over_the_submitters_and_the_runs_over_the_environments() -> None:
    config = RunConfiguration()
    config.environment.environment_variables = {"LANG": "de", "A": "environment", "B": "environment"}
    config.environment_variables = {"A": "run", "PATH": "/opt/bin"}
    variables = resolve(_definition(config)).variables
    assert (variables["LANG"], variables["A"], variables["B"], variables["PATH"]) == (
        "de",
        "run",
        "environment",
        "/opt/bin",
    )


def test_only_the_untouched_template_is_an_example() -> None:
    config = RunConfiguration()
    assert config.declared_variables() == {}
    config.environment.environment_variables = {"EXAMPLE_ENV_VAR": "mine"}
    assert config.declared_variables() == {"EXAMPLE_ENV_VAR": "mine"}
    config.environment.environment_variables = {"EXAMPLE_ENV_VAR": "EXAMPLE_VALUE", "A": "1"}
    assert resolve(_definition(config)).variables["EXAMPLE_ENV_VAR"] == "EXAMPLE_VALUE"


def test_nothing_of_this_process_leaks_into_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAK", "1")
    monkeypatch.setenv("CONDA_TOKEN", "1")
    variables = resolve(_definition()).variables
    assert set(variables) == {"PATH", "LANG", "HOME"}
    assert not {"LEAK", "CONDA_TOKEN"} & set(resolve({**_definition(), "submitter": submitter()}).variables)


def test_a_virtual_environment_of_ones_own_is_entered(tmp_path: Path) -> None:
    venv.create(tmp_path / "theirs", with_pip=False)
    python = tmp_path / "theirs" / "bin" / "python"
    config = RunConfiguration()
    config.environment.python.user_managed_dependencies = True
    config.environment.python.interpreter_path = str(python)
    mine = {**HERE, "variables": {"PATH": "/mine/bin:/usr/bin:/bin", "VIRTUAL_ENV": "/mine", "CONDA_PREFIX": "/conda"}}
    resolved = resolve({**_definition(config), "submitter": mine})
    assert resolved.interpreter == str(python)
    assert resolved.kind == "user-managed"
    assert resolved.variables["VIRTUAL_ENV"] == str(tmp_path / "theirs")
    assert "CONDA_PREFIX" not in resolved.variables
    assert resolved.variables["PATH"] == f"{tmp_path}/theirs/bin:/usr/bin:/bin"
    code = "import sys, shutil; print(sys.prefix, shutil.which('python'))"
    answer = subprocess.run(
        [resolved.interpreter, "-c", code], env=resolved.variables, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == [str(tmp_path / "theirs"), str(python)]


def test_a_conda_environment_of_ones_own_is_entered(tmp_path: Path) -> None:
    (tmp_path / "science" / "conda-meta").mkdir(parents=True)
    (tmp_path / "science" / "bin").mkdir()
    python = tmp_path / "science" / "bin" / "python"
    python.symlink_to(sys.executable)
    config = RunConfiguration()
    config.environment.python.user_managed_dependencies = True
    config.environment.python.interpreter_path = str(python)
    variables = resolve(_definition(config)).variables
    assert (variables["CONDA_PREFIX"], variables["CONDA_DEFAULT_ENV"]) == (str(tmp_path / "science"), "science")


def test_a_user_managed_environment_without_a_path_is_the_submitters_python() -> None:
    config = RunConfiguration()
    config.environment.python.user_managed_dependencies = True
    resolved = resolve(_definition(config))
    assert (resolved.interpreter, resolved.kind) == (sys.executable, "user-managed")


def test_an_interpreter_that_has_gone_since_is_named(tmp_path: Path) -> None:
    config = RunConfiguration()
    config.environment.python.user_managed_dependencies = True
    config.environment.python.interpreter_path = str(tmp_path / "python")
    with pytest.raises(ConfigurationError, match="there is no file"):
        resolve(_definition(config))


@pytest.mark.parametrize("name", ["", "A=B", "A\0B"])
def test_an_illegal_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="environment_variables: expected names without '='"):
        resolve(_definition(environment_variables={name: "1"}))


def test_sparks_settings_without_spark_are_said_to_have_no_effect() -> None:
    config = RunConfiguration()
    config.spark.configuration = {"spark.app.name": "Azure ML Experiment"}  # what SDK v1 wrote into every file
    assert without_effect(config) == ()
    config.spark.configuration = {"spark.executor.memory": "2g"}
    config.environment.spark.packages = [SparkPackage("g", "a", "1")]
    assert without_effect(config) == (
        "framework is Python, so Spark's settings and packages (spark.executor.memory, g:a:1) have no effect.",
    )
    config.framework = "PySpark"
    assert without_effect(config) == ()

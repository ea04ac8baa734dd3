"""A script asks which environment it runs in, reads those that the workspace keeps, and gives one to its child."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

import pytest
from support import log_of

from aml_jupyter.config import CondaDependencies, Environment, ScriptRunConfig
from aml_jupyter.service import SubmitRequest, register_environment, submit, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder

SCRIPT = """
from azureml.core import Environment, Run, Workspace
from azureml.core.environment import Environment as Same

assert Same is Environment
run = Run.get_context()
mine = run.get_environment()
print("mine", mine.name, mine.version.split("_")[0], mine.python.user_managed_dependencies)
ws = run.experiment.workspace
kept = Environment.get(ws, "train")
print("kept", kept.name, kept.version, list(kept.python.conda_dependencies.pip_packages), kept.environment_variables)
print("first", list(Environment.get(ws, "train", version="1").python.conda_dependencies.pip_packages))
print("listed", sorted(name for name in Environment.list(ws) if not name.startswith("AmlJupyter-")))
for wrong in (lambda: Environment.get(ws, "trian"), lambda: Environment("new")):
    try:
        wrong()
    except Exception as error:
        print(type(error).__name__, error)
open("which.py", "w").write("import os, sys; print('child', sys.prefix, os.environ['MINE'])")
child = run.submit_child({"script": "which.py", "environment": mine})
print(child.id, child.wait_for_completion()["status"])
print(child.get_environment().python.interpreter_path)
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A Python that has neither aml-jupyter nor azureml-core."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(tmp_path / "bare")
    return tmp_path / "bare"


def _named(name: str, *packages: str) -> Environment:
    environment = Environment(name)
    environment.python.conda_dependencies = CondaDependencies.create(pip_packages=list(packages))
    environment.environment_variables = {"MINE": "a value"}
    return environment


def test_a_script_reads_environments_and_hands_its_own_on(folder: WorkspaceFolder, project: Path, bare: Path) -> None:
    register_environment(folder, _named("train", "six"))
    register_environment(folder, _named("train", "six", "toml"))
    (project / "train.py").write_text(SCRIPT)
    config = ScriptRunConfig(source_directory=str(project), script="train.py")
    environment = _named("own")
    environment.python.user_managed_dependencies = True
    environment.python.interpreter_path = str(bare / "bin/python")
    config.run_config.environment = environment
    done = wait_for_run(folder, submit(folder, SubmitRequest(config, "tests")).run.id, timeout=60)
    log = log_of(folder, done.id)
    assert done.status == "Completed", (done.error, log)
    lines = log.splitlines()
    assert lines[0] == "mine own Autosave True"
    assert lines[1:4] == [
        "kept train 2 ['six', 'toml'] {'MINE': 'a value'}",
        "first ['six']",
        "listed ['own', 'train']" if "'own'" in log else "listed ['train']",
    ]
    assert "did you mean train" in lines[4] and "RunEnvironmentException" in lines[5]
    child, status = lines[6].split()
    assert status == "Completed" and lines[7] == str(bare / "bin/python")
    assert log_of(folder, child) == f"child {bare} a value\n"
    assert str(bare) != sys.prefix

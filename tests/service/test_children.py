"""A script submits runs below its own: what it says about them is done, and waiting for them blocks nobody."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from missing_parts import NOTHING_TO_TEST
from support import Submit, log_of

from aml_jupyter.service import create_target, set_default, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, find_runs


def test_a_child_gets_what_the_script_says_of_it(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script(
        """
from azureml.core import Run
run = Run.get_context()
open("fold.py", "w").write("import os; print('fold', os.environ['FOLD'])")
config = {"script": "fold.py", "environment_variables": {"FOLD": "3"}, "max_run_duration_seconds": 77}
child = run.submit_child(config, display_name="third fold")
print(child.wait_for_completion()["status"])
with run.child_run("group") as group:
    inner = group.submit_child(config)
    print(inner.parent.id == group.id, inner.wait_for_completion()["status"])
for wrong in ({"script": "fold.py", "argumnts": []}, {"script": "fold.py", "environment": {"python": 5}}):
    try:
        run.submit_child(wrong)
    except Exception as error:
        print(type(error).__name__, error)
try:
    run.submit_child(config, priorty=3)
except Exception as error:
    print(type(error).__name__, error)
"""
    )
    done = wait_for_run(folder, run.id, timeout=60)
    log = log_of(folder, run.id)
    assert done.status == "Completed", log
    child = next(each for each in find_runs(folder.store.read(), parent=run.id) if each.display_name == "third fold")
    assert child.definition["max_run_duration_seconds"] == 77
    assert "fold 3" in log_of(folder, child.id)
    assert "True Completed" in log
    assert "submit_child does not know 'argumnts'; did you mean arguments?" in log
    assert "environment.python: expected a mapping" in log
    assert "submit_child does not know 'priorty'" in log


def test_a_child_runs_on_the_python_of_its_parent(
    folder: WorkspaceFolder, project: Path, submit_script: Submit
) -> None:
    other = next((found for name in ("3.8", "3.9", "3.12", "3.10") if (found := _python(name))), None)
    if other is None:
        pytest.skip(NOTHING_TO_TEST + "this machine has one Python only")
    text = "from azureml.core import Run; print(Run.get_context().submit_child({'script': 'which.py'}).id)"
    (project / "which.py").write_text("import sys; print('version', *sys.version_info[:2])")
    from aml_jupyter.config import ScriptRunConfig
    from aml_jupyter.service import SubmitRequest, submit

    (project / "train.py").write_text(text)
    config = ScriptRunConfig(source_directory=str(project), script="train.py")
    config.run_config.environment.python.user_managed_dependencies = True
    config.run_config.environment.python.interpreter_path = other
    run = submit(folder, SubmitRequest(config, "tests")).run
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed", log_of(folder, run.id)
    (child,) = find_runs(folder.store.read(), parent=run.id)
    assert wait_for_run(folder, child.id, timeout=60).status == "Completed", log_of(folder, child.id)
    assert child.definition["submitter"]["python"] == other
    assert log_of(folder, child.id).split() != ["version", *map(str, sys.version_info[:2])]


def test_a_parent_that_waits_gives_its_only_slot_to_its_child(folder: WorkspaceFolder, submit_script: Submit) -> None:
    create_target(folder, "one", "computeinstance", {"max_parallel": 1})
    set_default(folder, "one")
    run = submit_script(
        """
import sys
from azureml.core import Run, ScriptRunConfig
run, depth = Run.get_context(), int(sys.argv[1])
if depth:
    config = ScriptRunConfig(source_directory="", script="train.py", arguments=[depth - 1])
    children = [run.submit_child(config) for _ in range(2)]
    print([child.wait_for_completion()["status"] for child in children])
""",
        arguments=["2"],
    )
    assert wait_for_run(folder, run.id, timeout=90).status == "Completed", log_of(folder, run.id)
    assert log_of(folder, run.id).strip() == "['Completed', 'Completed']"
    targets = {each.target for each in find_runs(folder.store.read(), children=True)}
    assert targets == {"one"}  # nobody chose a target: the workspace's default is meant


def test_a_failed_child_is_explained_by_the_end_of_its_log(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script(
        """
from azureml.core import Run
open("fold.py", "w").write("raise SystemExit('no such fold')")
Run.get_context().submit_child({"script": "fold.py"}).wait_for_completion()
"""
    )
    done = wait_for_run(folder, run.id, timeout=60)
    assert done.status == "Failed"
    (child,) = find_runs(folder.store.read(), parent=run.id)
    log = log_of(folder, run.id)
    assert "no such fold" in log
    assert str(folder.layout.run(child.id).attempt(1).control / "user_logs" / "std_log.txt") in log


def _python(version: str) -> str | None:
    found = next(iter(sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))), None)
    python = str(found) if found else shutil.which(f"python{version}")
    works = (
        python is not None and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
    )  # pyenv's shims
    return python if works and not sys.version.startswith(f"{version}.") else None

"""What is wrong with a submit is said before anything is copied."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from support import Submit, log_of, until

from aml_jupyter.config import RunConfiguration, ScriptRunConfig
from aml_jupyter.errors import ConfigurationError, UserErrorException
from aml_jupyter.service import SubmitRequest, submit, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, find_runs, get_run


def _count(folder: WorkspaceFolder) -> tuple[int, int]:
    return len(find_runs(folder.store.read())), len(list(folder.layout.runs.iterdir()))


def _watching(folder: str) -> RunConfiguration:
    config = RunConfiguration()
    config.history.directories_to_watch = [folder]
    return config


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"script": "trian.py"}, r"script path doesn't exist.*did you mean train\.py"),
        ({"script": "../outside.py"}, "should be inside the project folder"),
        ({"script": "train.py", "command": "make"}, "either a command or a script"),
        ({}, "neither"),
        ({"script": "train.py", "source_directory": "/nowhere/at/all"}, "source_directory: expected a folder"),
        ({"script": "train.py", "run_config": _watching("../elsewhere")}, r"history.directories_to_watch = '\.\./else"),
        ({"script": "train.py", "run_config": _watching("/var/log")}, "name folders in it"),
    ],
)
def test_what_cannot_run_is_refused(
    folder: WorkspaceFolder, project: Path, fields: dict[str, Any], message: str
) -> None:
    (project / "train.py").write_text("")
    (project.parent / "outside.py").write_text("")
    config = ScriptRunConfig(**{"source_directory": str(project), **fields})
    with pytest.raises(ConfigurationError, match=message):
        submit(folder, SubmitRequest(config, "tests"))
    assert _count(folder) == (0, 0)


def test_notes_of_the_run_configuration_reach_the_user(folder: WorkspaceFolder, project: Path) -> None:
    (project / "train.py").write_text("")
    run_config = RunConfiguration.from_dict({"script": "train.py", "colour": "blue"})
    config = ScriptRunConfig(source_directory=str(project), run_config=run_config)
    assert any("colour" in note for note in submit(folder, SubmitRequest(config, "tests")).notes)


def test_the_same_id_again_finds_its_own_leftovers(
    folder: WorkspaceFolder, project: Path, submit_script: Submit
) -> None:
    (folder.layout.run("mine").inputs / "cloudpickle").mkdir(parents=True)  # a submit that was killed
    run = submit_script("print('once')", run_id="mine")
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    again = submit_script("print('once')", run_id="mine")
    assert (again.seq, log_of(folder, "mine")) == (run.seq, "once\n")
    assert folder.layout.run("mine").definition.exists()


def test_an_interrupt_after_the_commit_keeps_the_run(folder: WorkspaceFolder, submit_script: Submit) -> None:
    def interrupt(frame: FrameType, event: str, argument: Any) -> None:
        if event == "return" and frame.f_code.co_name == "execute" and "COMMIT" in frame.f_locals.values():
            sys.setprofile(None)
            raise KeyboardInterrupt  # as Ctrl-C does between two instructions

    sys.setprofile(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt, match="is in the queue already"):
            submit_script("print('kept')")
    finally:
        sys.setprofile(None)
    run = find_runs(folder.store.read())[0]
    assert folder.layout.run(run.id).definition.exists(), "the database has acknowledged it"
    submit_script("")
    until(lambda: get_run(folder.store.read(), run.id).status == "Completed")


def test_tags_and_properties_are_texts(folder: WorkspaceFolder, submit_script: Submit) -> None:
    with pytest.raises(UserErrorException, match="priority"):
        submit_script("", priority="high")
    run = submit_script("", tags={"a": 1})
    assert run.tags == {"a": "1"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cores": 1.5}, "cores is 1.5; a whole number of at least 1"),
        ({"max_retries": "2"}, "max_retries is '2'; a whole number of at least 0"),
        ({"memory": "4GB"}, "memory is '4GB'; a whole number of bytes"),
        ({"grace_seconds": -1}, "grace_seconds is -1; a number of at least 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(
    folder: WorkspaceFolder, submit_script: Submit, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserErrorException, match=message):
        submit_script("", **fields)
    assert _count(folder) == (0, 0)


def test_an_interpreter_without_user_managed_dependencies_is_said_to_have_no_effect(
    folder: WorkspaceFolder, project: Path
) -> None:
    (project / "train.py").write_text("")
    config = ScriptRunConfig(source_directory=str(project), script="train.py")
    config.run_config.environment.python.interpreter_path = "/opt/theirs/bin/python"
    notes = submit(folder, SubmitRequest(config, "tests")).notes
    assert any("'/opt/theirs/bin/python' has no effect without" in note for note in notes)


def test_the_priority_of_a_run_configuration_counts(folder: WorkspaceFolder, project: Path) -> None:
    (project / "train.py").write_text("")
    config = ScriptRunConfig(source_directory=str(project), script="train.py")
    config.run_config.priority = 7
    assert submit(folder, SubmitRequest(config, "tests")).run.definition["priority"] == 7
    assert submit(folder, SubmitRequest(config, "tests", priority=9)).run.definition["priority"] == 9

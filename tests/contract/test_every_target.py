"""The same run on every target, with only the target changed: what a user notices is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from base_images import PYTHON_IMAGE, SHELL_IMAGE
from ssh_server import attach_server
from support import log_of, until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import SubmitRequest, cancel_run, create_target, submit, wait_for_run
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run, list_artifacts

pytestmark = pytest.mark.timeout(600)

TARGETS = {
    "local": ("local", None),
    "instance": ("computeinstance", None),
    "docker": ("docker", PYTHON_IMAGE),
    "docker-shell": ("docker", SHELL_IMAGE),
    "remote": ("remote", None),
    "remotedocker": ("remotedocker", PYTHON_IMAGE),
    "remotedocker-shell": ("remotedocker", SHELL_IMAGE),
}


class Place:
    """One target, and a way to run a shell command there."""

    def __init__(self, folder: WorkspaceFolder, project: Path, name: str) -> None:
        self.folder = folder
        self.project = project
        self.name = name
        self.type, self.image = TARGETS[name]

    def submit(self, command: str, max_seconds: float | None = None, **request: Any) -> RunRecord:
        config = ScriptRunConfig(source_directory=str(self.project), command=command)
        config.run_config.target = self.name
        config.run_config.max_run_duration_seconds = max_seconds
        config.run_config.environment_variables = {"GREETING": "hello"}
        if self.image:
            config.run_config.environment.docker.base_image = self.image
            config.run_config.environment.python.user_managed_dependencies = True
        return submit(self.folder, SubmitRequest(config, "contract", kind="command", **request)).run

    def end(self, run: RunRecord) -> RunRecord:
        return wait_for_run(self.folder, run.id, timeout=120)


@pytest.fixture(params=list(TARGETS))
def place(request: pytest.FixtureRequest, folder: WorkspaceFolder, tmp_path: Path) -> Place:
    project = tmp_path / "project"
    project.mkdir()
    (project / "data.txt").write_text("snapshot\n")
    made = Place(folder, project, request.param)
    engine = request.getfixturevalue("engine") if made.image else None
    if made.type in ("remote", "remotedocker"):
        server = request.getfixturevalue("ssh_server")()
        socket = {} if engine is None else {"engine": str(engine.socket)}
        attach_server(folder, server, made.name, tmp_path / "far", made.type, **socket)
    elif made.name != "local":
        create_target(folder, made.name, made.type)
    return made


def test_it_runs_the_snapshot_and_keeps_log_outputs_and_exit_code(place: Place) -> None:
    run = place.submit("cat data.txt; echo $GREETING; mkdir -p outputs; cp data.txt outputs/kept.txt; exit 5")
    (place.project / "data.txt").write_text("changed after the submit\n")
    done = place.end(run)
    assert (done.status, done.exit_code, done.attempt) == ("Failed", 5, 1), done.reason
    assert log_of(place.folder, run.id) == "snapshot\nhello\n"
    assert "outputs/kept.txt" in {artifact.name for artifact in list_artifacts(place.folder.store.read(), run.id)}


def test_it_completes(place: Place) -> None:
    done = place.end(place.submit("true"))
    assert (done.status, done.exit_code) == ("Completed", 0), done.reason


def test_it_is_canceled_while_it_runs(place: Place) -> None:
    run = place.submit("echo begin; sleep 600", grace_seconds=1)
    until(lambda: "begin" in log_of(place.folder, run.id), 90, "the first line")
    until(lambda: get_run(place.folder.store.read(), run.id).status == "Running", 30, "the run's start")
    cancel_run(place.folder, run.id)
    assert place.end(run).status == "Canceled"


def test_it_ends_at_its_limit_of_time(place: Place) -> None:
    done = place.end(place.submit("sleep 600", max_seconds=1, grace_seconds=1))
    assert done.status == "Failed"
    assert "it ran for 1 s" in done.reason


def test_a_failed_attempt_is_tried_again(place: Place) -> None:
    done = place.end(place.submit('echo attempt "$AML_ATTEMPT"; [ "$AML_ATTEMPT" = 2 ]', max_retries=1))
    assert (done.status, done.attempt) == ("Completed", 2), done.reason
    assert [log_of(place.folder, done.id, n) for n in (1, 2)] == ["attempt 1\n", "attempt 2\n"]


def test_a_program_that_is_not_there_is_named(place: Place) -> None:
    done = place.end(place.submit("no-such-program"))
    assert (done.status, done.exit_code) == ("Failed", 127)
    assert "no-such-program" in log_of(place.folder, done.id)


def test_a_signal_is_told_from_an_exit(place: Place) -> None:
    done = place.end(place.submit("kill -9 $$"))
    assert done.status == "Failed"
    assert done.error is not None
    assert done.error["type"] == "signal"

"""A run whose place goes away just as it is claimed goes back to waiting, says for what, and starts once when it is back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE
from containers import containers_of, submit_in_docker
from engine_process import Engine
from ssh_server import SshServer, attach_server
from support import Submit, log_of, until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import SubmitRequest, cancel_run, submit
from aml_jupyter.service.preparing import prepare
from aml_jupyter.service.reconciler import Reconciler
from aml_jupyter.service.starting import handle_of
from aml_jupyter.service.watching import watch
from aml_jupyter.supervisor import protocol
from aml_jupyter.targets.container_place import container_name
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, attempts, get_run, transitions

pytestmark = [pytest.mark.timeout(600), pytest.mark.faults]

NO_ENGINE = "waits for its container: No Docker engine is running"


def _status(folder: WorkspaceFolder, run: RunRecord) -> str:
    return get_run(folder.store.read(), run.id).status


def _claim(loop: Reconciler, run: RunRecord, status: str = "Starting") -> None:
    """Turn the loop until `run` has been claimed and is `status`, and start nothing."""

    def is_claimed() -> bool:
        loop.adopt()
        watch(loop)
        loop.settle()
        if _status(loop.folder, run) == status:
            return True
        prepare(loop)
        return _status(loop.folder, run) == status

    until(is_claimed, 90, lambda: f"the claim of {get_run(loop.folder.store.read(), run.id)}")


def _turn_until(loop: Reconciler, run: RunRecord, status: str, reason: str = "") -> RunRecord:
    """Turn the loop until `run` is `status` for `reason`."""

    def is_there() -> bool:
        loop.tick()
        now = get_run(loop.folder.store.read(), run.id)
        return now.status == status and reason in now.reason

    until(is_there, 90, lambda: f"{status}: it is {get_run(loop.folder.store.read(), run.id).reason}")
    return get_run(loop.folder.store.read(), run.id)


def _check_one_start(folder: WorkspaceFolder, run: RunRecord, said: str) -> None:
    assert run.attempt == 1
    assert len(attempts(folder.store.read(), run.id)) == 1
    assert log_of(folder, run.id).splitlines() == [said]


def test_an_engine_that_goes_away_before_the_start_sends_the_run_back_into_the_queue(
    own_engine: Callable[..., Engine], folder: WorkspaceFolder, project: Path, loop: Reconciler
) -> None:
    engine = own_engine(PYTHON_IMAGE)
    run = submit_in_docker(folder, project, "print('once')")
    _claim(loop, run)
    engine.kill()
    waiting = _turn_until(loop, run, "Queued", NO_ENGINE)
    assert waiting.attempt == 1
    target = loop.backend("local")
    assert target.capacity().free == target.capacity().total
    for _ in range(20):  # it stays there, and is not claimed over and over
        loop.tick()
    assert _status(folder, run) == "Queued"
    engine.start()
    _check_one_start(folder, _turn_until(loop, run, "Completed"), "once")
    path = [change.after for change in transitions(folder.store.read(), run.id)]
    assert path.count("Running") == 1
    until(lambda: not (loop.tick() or containers_of(engine.host, run)), 60, "the container's removal")


def test_a_container_that_its_engine_ended_before_the_first_word_is_started_again(
    own_engine: Callable[..., Engine], folder: WorkspaceFolder, project: Path, loop: Reconciler
) -> None:
    import docker

    engine = own_engine(PYTHON_IMAGE)
    run = submit_in_docker(folder, project, "print('once')")
    _claim(loop, run)
    # A container that stands where that of the attempt would: it was started, and has not come to its first word.
    name = container_name(protocol.attempt_token(folder.id, run.id, 1), run.id, 1)
    client = docker.DockerClient(base_url=engine.host, version="1.41", timeout=60)
    try:
        client.containers.run(PYTHON_IMAGE, ["sleep", "600"], name=name, detach=True, stop_signal="SIGKILL")
    finally:
        client.close()

    def is_started() -> bool:
        loop.tick()
        return loop.active[run.id].starting is not None and loop.active[run.id].starting.done()

    until(is_started, 60, "the start, of which no word came")
    assert _status(folder, run) == "Starting"
    engine.stop()
    _turn_until(loop, run, "Queued", NO_ENGINE)
    engine.start()
    _check_one_start(folder, _turn_until(loop, run, "Completed"), "once")


def test_a_start_that_comes_up_late_is_noticed_while_its_run_waits(
    own_engine: Callable[..., Engine], folder: WorkspaceFolder, project: Path, loop: Reconciler
) -> None:
    engine = own_engine(PYTHON_IMAGE)
    run = submit_in_docker(folder, project, "print('late')")
    _claim(loop, run)
    engine.kill()
    _turn_until(loop, run, "Queued", NO_ENGINE)
    placed = loop.backend("local").paths(handle_of(get_run(folder.store.read(), run.id)))
    launch = Path(placed.control, protocol.LAUNCH)
    content = json.loads(launch.read_text())
    content["command"][0] = sys.executable  # here, not in a container: no engine can be had that would start one
    launch.write_text(json.dumps(content))
    subprocess.run([sys.executable, "-I", "-S", placed.archive, "supervise", placed.control], check=True, timeout=60)
    _check_one_start(folder, _turn_until(loop, run, "Completed"), "late")


def test_a_run_that_was_sent_back_can_be_canceled(
    own_engine: Callable[..., Engine], folder: WorkspaceFolder, project: Path, loop: Reconciler
) -> None:
    engine = own_engine(PYTHON_IMAGE)
    run = submit_in_docker(folder, project, "print('never')")
    _claim(loop, run)
    engine.kill()
    _turn_until(loop, run, "Queued", NO_ENGINE)
    assert cancel_run(folder, run.id).status == "Canceled"
    engine.start()
    for _ in range(20):
        loop.tick()
    assert log_of(folder, run.id) == ""
    assert not containers_of(engine.host, run)


def test_a_build_that_its_engine_left_alone_gives_its_slot_back(
    own_engine: Callable[..., Engine], folder: WorkspaceFolder, project: Path, loop: Reconciler
) -> None:
    engine = own_engine(PYTHON_IMAGE)
    run = submit_in_docker(folder, project, "print('once')")

    def is_claimed() -> bool:
        loop.adopt()
        loop.settle()
        return _status(folder, run) == "Preparing"

    until(is_claimed, 60, "the claim")
    engine.kill()
    _turn_until(loop, run, "Queued", NO_ENGINE)
    target = loop.backend("local")
    assert target.capacity().free == target.capacity().total
    engine.start()
    _check_one_start(folder, _turn_until(loop, run, "Completed"), "once")


def test_a_run_whose_engine_is_away_holds_up_nobody_behind_it(
    own_engine: Callable[..., Engine],
    folder: WorkspaceFolder,
    project: Path,
    loop: Reconciler,
    submit_script: Submit,
) -> None:
    engine = own_engine(PYTHON_IMAGE)
    in_containers = [submit_in_docker(folder, project, "print('once')", name=f"{each}.py") for each in "ab"]
    engine.kill()
    for run in in_containers:
        _turn_until(loop, run, "Queued", NO_ENGINE)
    plain = [submit_script("print('plain')", name=f"plain{each}.py") for each in range(3)]
    for run in plain:
        _check_one_start(folder, _turn_until(loop, run, "Completed"), "plain")
    assert [_status(folder, run) for run in in_containers] == ["Queued", "Queued"]
    engine.start()
    for run in in_containers:
        _check_one_start(folder, _turn_until(loop, run, "Completed"), "once")


def test_a_machine_that_goes_away_before_the_start_sends_the_run_back_into_the_queue(
    folder: WorkspaceFolder,
    project: Path,
    ssh_server: Callable[..., SshServer],
    tmp_path: Path,
    loop: Reconciler,
) -> None:
    server = ssh_server()
    attach_server(folder, server, "box", tmp_path / "far")
    (project / "train.py").write_text("print('once')")
    config = ScriptRunConfig(source_directory=str(project), command="echo once")
    config.run_config.target = "box"
    run = submit(folder, SubmitRequest(config, "tests", kind="command")).run
    _claim(loop, run)
    server.stop()
    _turn_until(loop, run, "Queued", "waits for box: ")
    server.start()
    _check_one_start(folder, _turn_until(loop, run, "Completed"), "once")

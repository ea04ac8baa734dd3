"""An engine that is killed, stopped, restarted or hangs costs no run its log, its exit code or its turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE
from containers import containers_of, submit_in_docker
from engine_process import Engine
from support import Submit, log_of, until

from aml_jupyter.service import create_target, wait_for_run
from aml_jupyter.targets import engine_watch
from aml_jupyter.targets.engine_watch import EngineWatch
from aml_jupyter.workspace import WorkspaceFolder, attempts, get_run

pytestmark = [pytest.mark.timeout(600), pytest.mark.faults]

GATED = """
import os, sys, time
print("begin", flush=True)
while not os.path.exists("/gate/open"):
    time.sleep(0.05)
print("end")
sys.exit(int(os.environ.get("CODE", "0")))
"""


def _gate(project: Path) -> tuple[Path, tuple[str, ...]]:
    gate = project.parent / "gate"
    gate.mkdir()
    return gate / "open", ("-v", f"{gate}:/gate")


def test_a_container_that_ends_while_its_engine_is_down_keeps_log_and_exit_code(
    own_engine: Callable[..., Engine], folder: WorkspaceFolder, project: Path
) -> None:
    engine = own_engine(PYTHON_IMAGE, live_restore=True)
    gate, mount = _gate(project)
    create_target(folder, "one-slot", "docker", {"max_parallel": 1})
    run = submit_in_docker(folder, project, GATED, target="one-slot", docker=mount, variables={"CODE": "9"})
    until(lambda: "begin" in log_of(folder, run.id), 90, "the script's first line")
    second = submit_in_docker(folder, project, "print('second')", name="second.py", target="one-slot")
    engine.kill()
    gate.touch()
    done = wait_for_run(folder, run.id, timeout=60)
    assert (done.status, done.exit_code) == ("Failed", 9), done.reason
    assert log_of(folder, run.id).splitlines() == ["begin", "end"]
    until(
        lambda: "No Docker engine is running" in get_run(folder.store.read(), second.id).reason,
        60,
        "the second run's reason to wait",
    )
    engine.start()
    assert wait_for_run(folder, second.id, timeout=90).status == "Completed"
    assert len(attempts(folder.store.read(), second.id)) == 1
    until(lambda: not containers_of(engine.host, run), 60, "the first container's removal")


def test_a_run_goes_on_while_its_engine_is_restarted(
    own_engine: Callable[..., Engine], folder: WorkspaceFolder, project: Path
) -> None:
    engine = own_engine(PYTHON_IMAGE, live_restore=True)
    gate, mount = _gate(project)
    run = submit_in_docker(folder, project, GATED, docker=mount)
    until(lambda: "begin" in log_of(folder, run.id), 90, "the script's first line")
    for end in (engine.stop, engine.kill):
        end()
        engine.start()
    assert get_run(folder.store.read(), run.id).status == "Running"
    gate.touch()
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    assert log_of(folder, run.id).splitlines() == ["begin", "end"]
    assert len(attempts(folder.store.read(), run.id)) == 1
    until(lambda: not containers_of(engine.host, run), 60, "the container's removal")


def test_an_engine_that_ends_its_containers_loses_the_attempt_and_the_run_is_tried_again(
    own_engine: Callable[..., Engine], folder: WorkspaceFolder, project: Path
) -> None:
    engine = own_engine(PYTHON_IMAGE)
    text = """
import os, time
print("attempt", os.environ["AML_ATTEMPT"], flush=True)
if os.environ["AML_ATTEMPT"] == "1":
    time.sleep(600)
"""
    run = submit_in_docker(folder, project, text, max_retries=1, grace_seconds=1)
    until(lambda: "attempt 1" in log_of(folder, run.id), 90, "the script's first line")
    engine.stop()

    def waits() -> bool:
        now = get_run(folder.store.read(), run.id)
        return now.status == "Queued" and "No Docker engine is running" in now.reason

    until(waits, 60, lambda: f"the wait for the engine: {get_run(folder.store.read(), run.id)}")
    engine.start()
    done = wait_for_run(folder, run.id, timeout=90)
    assert (done.status, done.attempt) == ("Completed", 2), done.reason
    assert log_of(folder, run.id, 2).splitlines() == ["attempt 2"]


def test_an_engine_that_hangs_holds_up_nobody_else(
    own_engine: Callable[..., Engine], folder: WorkspaceFolder, project: Path, submit_script: Submit
) -> None:
    engine = own_engine(PYTHON_IMAGE)
    gate, mount = _gate(project)
    first = submit_in_docker(folder, project, "print('there')")
    assert wait_for_run(folder, first.id, timeout=90).status == "Completed"
    waiting = submit_in_docker(folder, project, GATED, name="waits.py", docker=mount)
    until(lambda: get_run(folder.store.read(), waiting.id).status == "Running", 60, "the run's start")
    engine.freeze()
    try:
        gate.touch()
        plain = submit_script("print('plain')", name="plain.py")
        assert wait_for_run(folder, plain.id, timeout=30).status == "Completed"
        assert wait_for_run(folder, waiting.id, timeout=30).status == "Completed"
    finally:
        engine.thaw()
    until(lambda: not containers_of(engine.host, waiting), 60, "the container's removal")


def test_an_engine_that_is_away_for_long_is_complained_of_once(
    own_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine_watch, "FRESH", 0.0)
    engine = own_engine()
    watch = EngineWatch(engine.host)

    def complaints() -> int:
        return sum("did not do what it was asked" in record.getMessage() for record in caplog.records)

    def heard(times: int, is_away: bool) -> None:
        """Return when the engine was asked so many times and is as expected."""
        seen = set[float]()
        until(
            lambda: (watch.obstacle() is not None) == is_away and (seen.add(watch._answered_at) or len(seen) > times),
            60,
            "the answers",
        )

    engine.stop()
    heard(4, is_away=True)
    assert complaints() == 1
    engine.start()
    heard(1, is_away=False)
    engine.stop()
    heard(2, is_away=True)
    assert complaints() == 2


def test_a_container_that_somebody_has_removed_explains_the_loss(own_engine: Callable[..., Engine]) -> None:
    said = EngineWatch(own_engine().host).explain_end({"name": "aml-removed-by-hand"}, "supervisor lost", "It ended.")
    assert said == ("supervisor lost", "It ended. The Docker engine has no container of it any more.")

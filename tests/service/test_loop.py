"""The loop decides on the present state, and a start that cannot be had now is had later."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support import Submit, log_of, sized_disk, until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import (
    SubmitRequest,
    cancel_run,
    create_target,
    start_target,
    stop_target,
    submit,
    wait_for_run,
)
from aml_jupyter.service.reconciler import Reconciler
from aml_jupyter.service.watching import watch
from aml_jupyter.targets import Handle, Needs, create_backend
from aml_jupyter.workspace import WorkspaceFolder, get_run, get_target


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 24 MB of room; needs root."""
    with sized_disk(tmp_path / "small", "24m") as place:
        yield place


def _elsewhere(act: object, *arguments: object) -> None:
    """Do `act` as another process would: with connections of its own."""
    thread = threading.Thread(target=act, args=arguments)  # type: ignore[arg-type]
    thread.start()
    thread.join()


def test_a_cancel_between_look_and_commit_is_seen(
    folder: WorkspaceFolder, loop: Reconciler, submit_script: Submit
) -> None:
    run = submit_script("import time; time.sleep(600)", grace_seconds=1)

    def is_started() -> bool:
        loop.adopt()
        watch(loop)
        seen = loop.active[run.id].seen if run.id in loop.active else None
        if seen is None:
            loop.tick()
        return seen is not None and seen.state == "running"

    until(is_started, message="the supervisor's word")
    assert get_run(folder.store.read(), run.id).status == "Starting"
    _elsewhere(cancel_run, folder, run.id)
    loop.settle()
    assert get_run(folder.store.read(), run.id).status == "CancelRequested"

    def is_over() -> bool:
        loop.tick()
        return get_run(folder.store.read(), run.id).status == "Canceled"

    until(is_over, message="the end")


def test_a_stop_between_look_and_commit_holds_the_queue(
    folder: WorkspaceFolder, loop: Reconciler, submit_script: Submit
) -> None:
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    run = submit_script("print(1)", target="ci-one")
    loop.adopt()
    _elsewhere(stop_target, folder, "ci-one")
    loop.settle()
    assert get_run(folder.store.read(), run.id).status == "Queued"


def test_a_run_whose_retry_is_claimed_with_its_end_starts_at_once(
    folder: WorkspaceFolder, submit_script: Submit
) -> None:
    run = submit_script("import sys; sys.exit(1)", max_retries=3)
    done = wait_for_run(folder, run.id, timeout=30)
    assert (done.status, done.attempt) == ("Failed", 4)
    assert done.ended is not None and done.ended - done.created < 3


def test_a_start_waits_while_no_process_can_be_had(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path
) -> None:
    assert wait_for_run(folder, submit_script("print(1)").id, timeout=30).status == "Completed"
    runtime = os.environ["AML_RUNTIME"]
    found = {
        each.pid: each for each in psutil.process_iter(["cmdline", "ppid"]) if _is_nurse(each.info["cmdline"], runtime)
    }
    (nurse,) = (
        each for each in found.values() if each.info["ppid"] not in found
    )  # an idle supervisor is a child of it
    ledger = tmp_path / "ledger"
    os.kill(nurse.pid, signal.SIGSTOP)
    try:
        run = submit_script(f"open({str(ledger)!r}, 'a').write('x')")
        until(lambda: "no answer" in get_run(folder.store.read(), run.id).reason, message="the reason")
        assert get_run(folder.store.read(), run.id).status == "Starting"
    finally:
        os.kill(nurse.pid, signal.SIGCONT)
    assert wait_for_run(folder, run.id, timeout=30).status == "Completed"
    assert ledger.read_text() == "x"


def _is_nurse(command: list[str] | None, runtime: str) -> bool:
    return "nurse" in (command or ()) and any(runtime in word for word in command or ())


def test_a_full_disk_delays_a_start(small_disk: Path, project: Path) -> None:
    folder = WorkspaceFolder.open(small_disk / "w", create=True)
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    stop_target(folder, "ci-one")
    (project / "train.py").write_text("import os; print(os.path.getsize('data'))")
    (project / "data").write_bytes(os.urandom(5_000_000))
    config = ScriptRunConfig(source_directory=str(project), script="train.py")
    config.run_config.target = "ci-one"
    run = submit(folder, SubmitRequest(config, "tests")).run
    free = os.statvfs(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (free.f_bavail * free.f_frsize - 3_000_000))
    start_target(folder, "ci-one")
    until(lambda: "The disk is full" in get_run(folder.store.read(), run.id).reason, message="the reason")
    assert get_run(folder.store.read(), run.id).status == "Starting"
    filler.unlink()
    begin = time.monotonic()
    done = wait_for_run(folder, run.id, timeout=60)
    assert done.status == "Completed", (done.reason, done.error)
    assert time.monotonic() - begin < 30
    assert log_of(folder, run.id).strip() == "5000000"
    folder.close()


def test_an_ending_that_cannot_be_had_says_why_and_is_tried_in_peace(
    folder: WorkspaceFolder, submit_script: Submit
) -> None:
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    run = submit_script(
        "import os, signal\n"
        "os.mkdir(os.path.join(os.environ['AML_CONTROL'], 'result.json'))\n"
        "os.kill(os.getppid(), signal.SIGKILL)\n",
        target="ci-one",
    )
    until(lambda: "is a folder" in get_run(folder.store.read(), run.id).reason, message="the reason")
    place = folder.layout.run(run.id).attempt(1).control / "result.json"
    log = folder.layout.logs / "service.log"
    begin, before = time.monotonic(), log.read_text().count("could not be written down")
    until(lambda: log.read_text().count("could not be written down") >= before + 2, message="two more tries")
    assert time.monotonic() - begin > 1
    place.rmdir()
    assert wait_for_run(folder, run.id, timeout=30).status == "Failed"


def test_a_full_target_is_looked_at_again_however_often_the_loop_turns(
    folder: WorkspaceFolder, loop: Reconciler, submit_script: Submit
) -> None:
    create_target(folder, "narrow", "computeinstance", {"max_parallel": 1})
    other, theirs = create_backend(folder, get_target(folder.store.read(), "narrow")), Handle("narrow", "other_1", 1)
    assert other.reserve(theirs, Needs()) is None
    run = submit_script("print('had its turn')", target="narrow")

    def turn_until(status: str, reason: str) -> None:
        def is_there() -> bool:
            loop.tick()
            now = get_run(folder.store.read(), run.id)
            return now.status == status and reason in now.reason

        until(is_there, 60, lambda: f"{status}: {get_run(folder.store.read(), run.id)}")

    turn_until("Queued", "waits for a free slot")
    other.release(theirs)
    turn_until("Completed", "")

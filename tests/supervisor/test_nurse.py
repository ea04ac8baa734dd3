"""The warm parent is started when needed, belongs to nobody, and may die at any time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from supervisor.attempts import Attempt, wait_for

from aml_jupyter.supervisor import bundle, identity, nurse
from aml_jupyter.supervisor.slots import SlotFolder


@pytest.fixture
def runtime() -> Path:
    return Path(os.environ["AML_RUNTIME"])


def pids(runtime: Path) -> list[int]:
    """Return the warm parents of this test: those that have its socket on their command line and no parent of ours."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                group = os.getpgid(int(entry.name))
            except (OSError, ProcessLookupError):
                continue
            if b"nurse" in words and str(runtime).encode() in words[-2] and group == int(entry.name):
                found.append(int(entry.name))
    return found


def parents(runtime: Path, control: Path) -> list[int]:
    """Return the warm parents without the supervisors that they forked."""
    attempt = json.loads((control / "attempt.json").read_text()) if (control / "attempt.json").exists() else {}
    return [pid for pid in pids(runtime) if pid != attempt.get("supervisor", {}).get("pid")]


def test_an_attempt_is_started_and_ends(runtime: Path, placed: bundle.Bundle, attempt: Attempt) -> None:
    attempt.python("raise SystemExit(4)")
    nurse.spawn(runtime, placed, attempt.control)
    assert attempt.result()["exit_code"] == 4


def test_one_parent_serves_all_and_is_detached(
    runtime: Path, placed: bundle.Bundle, make_attempt: Callable[[], Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AML_RUN_ID", "the run that this service was started from")
    monkeypatch.setenv("AML_ATTEMPT_TOKEN", "w/r/1")
    attempts = [make_attempt() for _ in range(5)]
    for attempt in attempts:
        attempt.python("")
        nurse.spawn(runtime, placed, attempt.control)
    for attempt in attempts:
        assert attempt.result()["exit_code"] == 0
    wait_for(lambda: len(pids(runtime)) == 1, "one parent")
    (parent,) = pids(runtime)
    assert os.getsid(parent) != os.getsid(0)
    assert psutil.Process(parent).ppid() != os.getpid()
    variables = Path(f"/proc/{parent}/environ").read_bytes()
    assert b"AML_RUN_ID" not in variables
    assert b"AML_ATTEMPT_TOKEN" not in variables
    assert {os.readlink(f"/proc/{parent}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"}
    imported = Path(f"/proc/{parent}/maps").read_text()
    assert "sqlite" not in imported and "numpy" not in imported


def test_many_starters_at_once_get_one_parent(
    runtime: Path, placed: bundle.Bundle, make_attempt: Callable[[], Attempt]
) -> None:
    attempts = [make_attempt() for _ in range(6)]
    for attempt in attempts:
        attempt.python("")
    threads = [threading.Thread(target=nurse.spawn, args=(runtime, placed, a.control)) for a in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for attempt in attempts:
        assert attempt.result()["exit_code"] == 0
        assert attempt.ran() == 1
    wait_for(lambda: len(pids(runtime)) == 1, "one parent")


def test_runs_outlive_a_killed_parent_and_the_next_start_replaces_it(
    runtime: Path, placed: bundle.Bundle, make_attempt: Callable[[], Attempt]
) -> None:
    first, second = make_attempt(), make_attempt()
    first.python("import time\nwhile not os.path.exists('end'):\n    time.sleep(0.01)")
    nurse.spawn(runtime, placed, first.control)
    first.started()
    (parent,) = parents(runtime, first.control)
    os.kill(parent, signal.SIGKILL)
    wait_for(lambda: identity.start_time(parent) is None, "the parent's end")
    second.python("")
    nurse.spawn(runtime, placed, second.control)
    assert second.result()["exit_code"] == 0
    assert first.read("result.json") is None
    (first.work / "end").touch()
    assert first.result()["exit_code"] == 0
    assert (first.ran(), second.ran()) == (1, 1)


def test_a_parent_leaves_when_its_socket_is_gone(runtime: Path, placed: bundle.Bundle, attempt: Attempt) -> None:
    attempt.python("")
    nurse.spawn(runtime, placed, attempt.control)
    attempt.result()
    (parent,) = wait_for(lambda: found if len(found := pids(runtime)) == 1 else None, "the parent alone")
    os.unlink(nurse.socket_path(runtime, placed))
    wait_for(lambda: identity.start_time(parent) is None, "the parent's end")


def test_slots_go_over_to_the_supervisor(
    runtime: Path, placed: bundle.Bundle, attempt: Attempt, tmp_path: Path
) -> None:
    slots = SlotFolder(tmp_path / "slots")
    held = slots.acquire(cores=2, core_limit=2, holder={"token": attempt.token})
    assert held is not None
    attempt.python("import time\nwhile not os.path.exists('end'):\n    time.sleep(0.01)")
    nurse.spawn(runtime, placed, attempt.control, held.fds)
    held.close()
    attempt.started()
    assert list(slots.usage(2)) == ["core-0", "core-1"]
    # The parent keeps none of them.
    (parent,) = parents(runtime, attempt.control)
    os.kill(parent, signal.SIGKILL)
    assert list(slots.usage(2)) == ["core-0", "core-1"]
    (attempt.work / "end").touch()
    attempt.result()
    assert slots.usage(2) == {}


def test_whoever_asked_may_be_killed(runtime: Path, placed: bundle.Bundle, attempt: Attempt) -> None:
    attempt.python("import time\nwhile not os.path.exists('end'):\n    time.sleep(0.01)")
    script = (
        "import sys, time; from pathlib import Path; from aml_jupyter.supervisor import bundle, nurse\n"
        "runtime, parent, control = map(Path, sys.argv[1:])\n"
        "nurse.spawn(runtime, bundle.place(parent), control)\nprint('asked', flush=True)\ntime.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(runtime), str(placed.root.parent), str(attempt.control)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as asker:
        assert asker.stdout is not None
        assert asker.stdout.readline() == b"asked\n"
        attempt.started()
        os.killpg(asker.pid, signal.SIGKILL)
    assert attempt.read("result.json") is None
    (attempt.work / "end").touch()
    assert attempt.result()["exit_code"] == 0


def test_a_stopped_parent_is_said(
    runtime: Path, placed: bundle.Bundle, make_attempt: Callable[[], Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_attempt(), make_attempt()
    first.python("")
    nurse.spawn(runtime, placed, first.control)
    first.result()
    (parent,) = wait_for(lambda: parents(runtime, first.control), "the parent")
    os.kill(parent, signal.SIGSTOP)
    monkeypatch.setattr(nurse, "ANSWER_BOUND", 0.3)
    second.python("")
    with pytest.raises(nurse.NurseError, match="stopped"):
        nurse.spawn(runtime, placed, second.control)
    # What it was asked before, it does when it goes on; asking again does no harm.
    monkeypatch.setattr(nurse, "ANSWER_BOUND", 10)
    os.kill(parent, signal.SIGCONT)
    nurse.spawn(runtime, placed, second.control)
    assert second.result()["exit_code"] == 0
    assert second.ran() == 1


def test_a_broken_interpreter_is_named(
    runtime: Path, placed: bundle.Bundle, attempt: Attempt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no memory card' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(nurse.NurseError, match=r"exit code 3.*no memory card"):
        nurse.spawn(runtime, placed, attempt.control)


def test_a_path_that_is_too_long_is_refused(placed: bundle.Bundle, attempt: Attempt, tmp_path: Path) -> None:
    with pytest.raises(nurse.NurseError, match="AML_RUNTIME"):
        nurse.spawn(tmp_path / ("x" * 100), placed, attempt.control)


@pytest.mark.parametrize(
    "request_line", [b'{"op":"spawn","control":"relative"}\n', b'{"op":"dance"}\n', b"nonsense\n", b"[1]\n", b""]
)
def test_nonsense_harms_nobody(
    runtime: Path, placed: bundle.Bundle, make_attempt: Callable[[], Attempt], request_line: bytes
) -> None:
    first, second = make_attempt(), make_attempt()
    first.python("")
    nurse.spawn(runtime, placed, first.control)
    first.result()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(nurse.socket_path(runtime, placed))
        connection.sendall(request_line)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile().read()
    assert answer == "" or not json.loads(answer)["ok"]
    second.python("")
    nurse.spawn(runtime, placed, second.control)
    assert second.result()["exit_code"] == 0


def test_a_start_takes_a_fork_not_an_interpreter(
    runtime: Path, placed: bundle.Bundle, make_attempt: Callable[[], Attempt]
) -> None:
    attempts = [make_attempt() for _ in range(6)]
    times = []
    for attempt in attempts:
        attempt.python("")
        before = time.perf_counter()
        nurse.spawn(runtime, placed, attempt.control)
        times.append(time.perf_counter() - before)
        attempt.result()
    assert min(times[1:]) < 0.01

"""A supervisor starts a process once, watches it to its end, and writes down what happened."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from supervisor.attempts import Attempt, wait_for

from aml_jupyter.supervisor import identity


def test_a_script_that_ends_well(attempt: Attempt) -> None:
    attempt.python("import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint(os.getcwd())")
    assert attempt.start().wait(30) == 0
    result = attempt.result()
    assert (result["exit_code"], result["signal"], result["reason"]) == (0, None, "exit")
    assert result["token"] == attempt.token
    assert result["leftovers"] == 0
    assert result["peak_memory"] > 1_000_000
    assert 0 < result["cpu_time"] < 30
    assert result["started"] <= result["ended"]
    assert attempt.log.splitlines() == ["out", "err", str(attempt.work)]
    assert attempt.ran() == 1


def test_the_heart_beats_while_the_script_runs(attempt: Attempt) -> None:
    attempt.python("import time\nwhile not os.path.exists('end'):\n    time.sleep(0.01)")
    attempt.start()
    heartbeat = attempt.control / "heartbeat"
    wait_for(heartbeat.exists, "the first beat")
    first = heartbeat.stat().st_mtime
    wait_for(lambda: heartbeat.stat().st_mtime > first, "the next beat", 10)
    (attempt.work / "end").touch()
    assert attempt.result()["exit_code"] == 0


def test_identity_is_on_disk_before_the_script_runs(attempt: Attempt) -> None:
    attempt.python(f"print(open({str(attempt.control / 'attempt.json')!r}).read())")
    attempt.start().wait(30)
    started = attempt.read("attempt.json")
    assert started is not None
    assert started["host"] == socket.gethostname()
    assert started["boot_id"] == identity.boot_id()
    assert started["pid_namespace"] == identity.pid_namespace()
    assert started["process_group"] == started["process"]["pid"] == int(attempt.ledger.read_text())
    assert started["command"] == [sys.executable, "script.py"]
    assert f'"token":"{attempt.token}"' in attempt.log


def test_the_process_gets_the_declared_variables_and_no_others(attempt: Attempt) -> None:
    attempt.python(
        "print(sorted(os.environ)); print(os.environ['AML_ATTEMPT_TOKEN']); print(sorted(os.listdir('/proc/self/fd')))\n"
        "import signal\nprint(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, os.getpgrp() == os.getpid(), os.read(0, 1))",
        environment={"LEDGER": str(attempt.ledger), "LC_ALL": "C.UTF-8"},
        wake="/nowhere",
    )
    attempt.start(SECRET="never").wait(30)
    lines = attempt.log.splitlines()
    assert lines[0] == str(sorted(["AML_ATTEMPT_TOKEN", "AML_CONTROL", "AML_WAKE", "LC_ALL", "LEDGER"]))
    assert lines[1] == attempt.token
    # 0, 1, 2, and the one that lists.
    assert lines[2] == "['0', '1', '2', '3']"
    assert lines[3] == "True True b''"


def test_an_exit_code_is_kept(attempt: Attempt) -> None:
    attempt.python("raise SystemExit(7)")
    attempt.start().wait(30)
    assert (attempt.result()["exit_code"], attempt.result()["reason"]) == (7, "exit")


def test_a_signal_is_told_from_an_exit(attempt: Attempt) -> None:
    attempt.python("import signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    attempt.start().wait(30)
    result = attempt.result()
    assert (result["exit_code"], result["signal"], result["reason"]) == (None, signal.SIGSEGV, "signal")
    assert "SIGSEGV" in result["message"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/nowhere/bin/python", "x.py"], "/nowhere/bin/python does not exist"),
        (["no-such-program"], "no-such-program does not exist on PATH"),
        (["./locked.sh"], "not executable"),
        (["./orphan.sh"], "the interpreter that its first line names does not exist"),
        (["./data.bin"], "it is no program"),
    ],
)
def test_a_start_that_fails_says_why(attempt: Attempt, command: list[str], words: str) -> None:
    for name, content, mode in (
        ("locked.sh", "#!/bin/sh\n", 0o600),
        ("orphan.sh", "#!/nowhere/python\n", 0o755),
        ("data.bin", "\x01\x02", 0o755),
    ):
        (attempt.work / name).write_text(content)
        (attempt.work / name).chmod(mode)
    attempt.launch(command)
    assert attempt.start().wait(30) == 0
    result = attempt.result()
    assert (result["exit_code"], result["reason"]) == (None, "start failed")
    assert words in result["message"]
    assert words in attempt.log


def test_a_missing_working_directory_is_named(attempt: Attempt) -> None:
    attempt.launch([sys.executable, "-c", ""], cwd="/nowhere/work")
    attempt.start().wait(30)
    assert "working directory /nowhere/work" in attempt.result()["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("command", []), ("command", "python x.py"), ("format", 99), ("epoch", "x"), ("environment", None)],
)
def test_a_launch_file_that_cannot_be_used_is_a_start_that_failed(attempt: Attempt, field: str, value: object) -> None:
    attempt.python("")
    launch = {**(attempt.read("launch.json") or {}), field: value}
    attempt.file("launch.json", launch)
    assert attempt.start().wait(30) == 0
    result = attempt.result()
    assert result["reason"] == "start failed"
    assert field in result["message"]
    assert attempt.ran() == 0


def test_a_missing_launch_file_leaves_the_attempt_as_it_was(attempt: Attempt) -> None:
    assert attempt.start().wait(30) == 1
    assert "launch.json is missing" in attempt.words
    assert attempt.read("attempt.json") is None
    attempt.python("")
    assert attempt.start().wait(30) == 0
    assert attempt.result()["exit_code"] == 0


def test_the_time_limit_is_kept_to_the_second(attempt: Attempt) -> None:
    attempt.python("import time\ntime.sleep(60)", max_seconds=1.5)
    attempt.start().wait(30)
    result = attempt.result()
    assert result["reason"] == "timeout"
    assert 1.5 <= result["ended"] - result["started"] < 2.5
    assert "1.5 s" in result["message"]


STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = '''
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.setsid()
if os.fork():
    os._exit(0)
open("grandchild", "w").write(str(os.getpid()))
time.sleep(600)
'''
subprocess.Popen([sys.executable, "-c", child]).wait()
while not os.path.exists("grandchild") or not open("grandchild").read():
    time.sleep(0.01)
open("ready", "w").close()
time.sleep(600)
"""


def test_cancel_ends_a_script_and_children_in_sessions_of_their_own_that_ignore_term(attempt: Attempt) -> None:
    attempt.python(STUBBORN)
    attempt.start()
    wait_for((attempt.work / "ready").exists, "the script's children")
    grandchild = int((attempt.work / "grandchild").read_text())
    asked = time.time()
    attempt.file("cancel.json", {"time": asked, "grace_seconds": 0.5, "reason": "not needed any more"})
    result = attempt.result()
    assert result["ended"] - asked < 0.5 + 2
    assert (result["exit_code"], result["signal"], result["reason"]) == (None, signal.SIGKILL, "canceled")
    assert result["message"] == "not needed any more"
    assert result["leftovers"] == 1
    assert identity.start_time(grandchild) is None
    assert identity.survivors(attempt.token) == []


def test_cancel_gives_a_script_the_time_to_end_well(attempt: Attempt) -> None:
    attempt.python(
        "import signal, sys, time\n"
        "def end(*a):\n    open('saved', 'w').write(str(time.time()))\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nopen('ready', 'w').close()\ntime.sleep(600)"
    )
    attempt.start()
    wait_for((attempt.work / "ready").exists, "the script's handler")
    asked = time.time()
    attempt.file("cancel.json", {"time": asked, "grace_seconds": 20, "reason": ""})
    result = attempt.result()
    assert (result["exit_code"], result["reason"]) == (0, "canceled")
    assert float((attempt.work / "saved").read_text()) - asked < 2
    assert result["ended"] - asked < 3


def test_a_stopped_script_can_be_canceled(attempt: Attempt) -> None:
    attempt.python("import signal\nos.kill(os.getpid(), signal.SIGSTOP)")
    attempt.start()
    attempt.started()
    attempt.file("cancel.json", {"grace_seconds": 20})
    assert attempt.result(10)["signal"] == signal.SIGTERM


def test_cancel_after_the_end_changes_nothing(attempt: Attempt) -> None:
    attempt.python("raise SystemExit(3)")
    attempt.start().wait(30)
    before = attempt.result()
    attempt.file("cancel.json", {"grace_seconds": 1})
    assert attempt.start().wait(30) == 0
    assert attempt.read("result.json") == before
    assert attempt.ran() == 1


def test_cancel_before_the_start_runs_nothing(attempt: Attempt) -> None:
    attempt.python("")
    attempt.file("cancel.json", {"grace_seconds": 1})
    attempt.start().wait(30)
    assert attempt.result()["reason"] == "canceled"
    assert attempt.ran() == 0


def test_children_left_behind_are_ended_and_counted(attempt: Attempt) -> None:
    attempt.python(
        "import subprocess, sys\n"
        "for _ in range(2):\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
    )
    attempt.start().wait(30)
    result = attempt.result()
    assert (result["exit_code"], result["reason"], result["leftovers"]) == (0, "exit", 2)
    assert identity.survivors(attempt.token) == []


def test_a_killed_supervisor_takes_its_process_with_it(attempt: Attempt) -> None:
    attempt.python(
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "open('ready', 'w').close()\ntime.sleep(600)"
    )
    supervisor = attempt.start()
    wait_for((attempt.work / "ready").exists, "the script's child")
    started = attempt.started()
    assert identity.is_alive(started)
    supervisor.kill()
    supervisor.wait(30)
    wait_for(lambda: identity.start_time(started["process"]["pid"]) is None, "the end of the script")
    assert not identity.is_alive(started)
    assert attempt.read("result.json") is None
    left = identity.survivors(attempt.token)
    assert len(left) == 1, "the child with a session of its own"
    assert identity.end_survivors(attempt.token, 5) == []
    assert identity.start_time(left[0]) is None


def test_a_supervisor_that_is_told_to_end_ends_its_run(attempt: Attempt) -> None:
    attempt.python("import time\ntime.sleep(600)")
    supervisor = attempt.start()
    attempt.started()
    supervisor.terminate()
    supervisor.wait(30)
    assert attempt.result()["reason"] == "supervisor lost"
    assert identity.survivors(attempt.token) == []


def test_of_many_supervisors_one_starts_the_script(make_attempt: Callable[[], Attempt]) -> None:
    for _ in range(3):
        attempt = make_attempt()
        attempt.python("import time\ntime.sleep(0.3)")
        supervisors = [attempt.start() for _ in range(4)]
        for supervisor in supervisors:
            assert supervisor.wait(30) == 0
        assert attempt.result()["exit_code"] == 0
        assert attempt.ran() == 1


def test_a_service_of_a_lower_epoch_is_refused(attempt: Attempt) -> None:
    (attempt.control / "epoch").write_text("5\n")
    attempt.python("", epoch=4)
    assert attempt.start().wait(30) == 1
    assert "epoch 5" in attempt.words
    assert attempt.read("attempt.json") is None
    assert attempt.ran() == 0
    attempt.python("", epoch=6)
    assert attempt.start().wait(30) == 0
    assert attempt.result()["exit_code"] == 0
    assert (attempt.control / "epoch").read_text() == "6\n"


def test_a_forbidden_attempt_never_starts(attempt: Attempt) -> None:
    attempt.python("")
    attempt.file("attempt.json", {"format": 1, "refused": "canceled"})
    assert attempt.start().wait(30) == 0
    assert attempt.ran() == 0


def test_the_service_is_woken_at_start_and_end(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(os.environ["AML_RUNTIME"], "wake.sock")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        door.settimeout(30)
        # Longer than what a run has to last before its start is told of by itself.
        attempt.python("import time\ntime.sleep(1)", wake=str(path))
        attempt.start()
        for _ in range(2):
            connection, _ = door.accept()
            with connection:
                assert connection.makefile().readline() == '{"op":"wake"}\n'


def test_a_full_listen_queue_delays_no_run(attempt: Attempt) -> None:
    path = Path(os.environ["AML_RUNTIME"], "wake.sock")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen(0)
        fillers = []
        for _ in range(5):
            filler = socket.socket(socket.AF_UNIX)
            filler.setblocking(False)
            fillers.append(filler)
            try:
                filler.connect(str(path))
            except BlockingIOError:
                break
        attempt.python("", wake=str(path))
        attempt.start().wait(30)
        result = attempt.result()
        for filler in fillers:
            filler.close()
    assert result["exit_code"] == 0

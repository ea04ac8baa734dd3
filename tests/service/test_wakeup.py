"""The loop is woken by messages, by whoever connects, and by signal handlers; questions are answered while it sleeps."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.service.wakeup import WakeSocket
from aml_jupyter.supervisor.peers import receive, send
from aml_jupyter.supervisor.wake import wake_service


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    return {"ok": True, "asked": request["op"]}


@pytest.fixture
def wakeup(tmp_path: Path) -> Iterator[WakeSocket]:
    opened = WakeSocket(tmp_path / "s.sock", _answer)
    yield opened
    if opened.path.exists():
        opened.close()


def _connect(wakeup: WakeSocket) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(5)
    connection.connect(str(wakeup.path))
    return connection


def test_who_asks_wakes_the_loop_and_is_answered(wakeup: WakeSocket) -> None:
    with _connect(wakeup) as connection:
        send(connection, {"op": "status"})
        assert wakeup.wait(5)
        assert receive(connection)[0] == {"ok": True, "asked": "status"}
    assert not wakeup.is_woken


def test_many_calls_are_one_awakening(wakeup: WakeSocket) -> None:
    for _ in range(1000):
        wakeup.wake()
    assert wakeup.wait(0)
    assert not wakeup.wait(0)


def test_calls_that_nobody_takes_block_nobody(wakeup: WakeSocket) -> None:
    for _ in range(100_000):
        wakeup.wake()
    assert wakeup.is_woken


def test_a_supervisor_that_waits_for_no_answer_wakes_the_loop(wakeup: WakeSocket) -> None:
    wake_service(str(wakeup.path))
    assert wakeup.wait(5)


def test_what_is_no_message_harms_nobody(wakeup: WakeSocket) -> None:
    for rubbish in (b"", b"\n", b"[]\n", b"not JSON\n", b"\xff\xfe\n"):
        with _connect(wakeup) as connection:
            connection.sendall(rubbish)
    with _connect(wakeup) as connection:
        send(connection, {"op": "wake"})
        assert wakeup.wait(5)
        assert receive(connection)[0]["ok"]


def test_nobody_listens_after_the_end(wakeup: WakeSocket) -> None:
    wakeup.close()
    assert not wakeup.path.exists()
    wakeup.wake()  # from a thread that was late


def test_a_signal_at_any_moment_wakes_the_loop(tmp_path: Path) -> None:
    code = """
import signal, sys, time
from pathlib import Path
from aml_jupyter.service.wakeup import WakeSocket
wakeup = WakeSocket(Path(sys.argv[1]), dict)
rung = 0
def ring(number, frame):
    global rung
    wakeup.wake()
    rung += 1
    signal.setitimer(signal.ITIMER_REAL, 0.00002)  # only now, so that a slow machine is not buried in signals
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.00002)
deadline = time.monotonic() + 1
while time.monotonic() < deadline:
    wakeup.wait(0.00001)
signal.setitimer(signal.ITIMER_REAL, 0)
print("through" if rung > 100 else rung)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s.sock")], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stdout == "through\n", done.stderr

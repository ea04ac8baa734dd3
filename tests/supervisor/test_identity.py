"""A process is recognised by more than its number, and what an attempt left behind is found and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from supervisor.attempts import wait_for

from aml_jupyter.supervisor import identity
from aml_jupyter.supervisor.protocol import MARKER

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP) as process:
        yield process
        process.kill()


def as_attempt(pid: int) -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "boot_id": identity.boot_id(),
        "pid_namespace": identity.pid_namespace(),
        "supervisor": identity.describe(pid),
    }


def test_a_living_process_is_alive_until_it_ends(sleeper: subprocess.Popen[bytes]) -> None:
    attempt = as_attempt(sleeper.pid)
    assert identity.is_alive(attempt)
    sleeper.kill()
    # Nobody has reaped it yet: a zombie is not alive.
    wait_for(lambda: b") Z " in Path(f"/proc/{sleeper.pid}/stat").read_bytes(), "the zombie")
    assert identity.start_time(sleeper.pid) is None
    assert not identity.is_alive(attempt)


def test_a_reused_number_is_not_taken_for_the_process(sleeper: subprocess.Popen[bytes]) -> None:
    attempt = as_attempt(sleeper.pid)
    attempt["supervisor"]["start_time"] = str(int(attempt["supervisor"]["start_time"]) - 1)
    assert not identity.is_alive(attempt)


def test_a_machine_may_be_renamed(sleeper: subprocess.Popen[bytes]) -> None:
    before = {**as_attempt(sleeper.pid), "host": "the-name-it-had"}
    assert identity.is_alive(before) and not identity.is_elsewhere(before)
    assert identity.is_elsewhere({**before, "boot_id": "another"})
    assert identity.is_elsewhere({**before, "pid_namespace": "another"})
    assert not identity.is_elsewhere({**as_attempt(sleeper.pid), "boot_id": "another"}), "it was rebooted"


@pytest.mark.parametrize("field", ["boot_id", "pid_namespace"])
def test_a_process_of_another_place_is_not_judged_alive(sleeper: subprocess.Popen[bytes], field: str) -> None:
    assert not identity.is_alive({**as_attempt(sleeper.pid), field: "another"})


@pytest.mark.parametrize("attempt", [{}, {"refused": "canceled"}, {"supervisor": None}])
def test_what_names_no_process_is_not_alive(attempt: dict[str, Any]) -> None:
    assert not identity.is_alive(attempt)


def test_a_process_with_brackets_and_spaces_in_its_name_has_a_start_time(tmp_path: Path) -> None:
    tool = tmp_path / "a ) R (b"
    tool.symlink_to("/bin/sleep")
    with subprocess.Popen([str(tool), "600"]) as process:
        wait_for(lambda: b"a ) R (b" in Path(f"/proc/{process.pid}/stat").read_bytes(), "the program")
        assert int(identity.start_time(process.pid) or 0) > int(identity.start_time(1) or 0)
        process.kill()


def test_another_boot_is_seen(tmp_path: Path) -> None:
    other = tmp_path / "boot_id"
    other.write_text("11111111-2222-3333-4444-555555555555\n")
    script = "from aml_jupyter.supervisor.identity import boot_id; print(boot_id())"
    mount = f"mount --bind {other} /proc/sys/kernel/random/boot_id && exec {sys.executable} -c '{script}'"
    mounted = subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file can be mounted here: {mounted.stderr.strip()}")
    assert mounted.stdout.strip() == other.read_text().strip() != identity.boot_id()


def test_survivors_are_found_by_the_whole_marker_only() -> None:
    with subprocess.Popen(SLEEP, env={**os.environ, MARKER: "w/run_1/1"}) as ours:
        with subprocess.Popen(SLEEP, env={**os.environ, MARKER: "w/run_1/12"}) as other:
            wait_for(lambda: identity.survivors("w/run_1/1") == [ours.pid], "the survivor")
            assert identity.end_survivors("w/run_1/1", 5) == []
            assert ours.wait(10) == -signal.SIGTERM
            assert other.poll() is None
            other.kill()


def test_a_survivor_that_ignores_term_is_killed_after_the_grace_time() -> None:
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, MARKER: "w/run_2/1"}, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = time.monotonic()
        assert identity.end_survivors("w/run_2/1", 0.3) == []
        assert 0.3 <= time.monotonic() - before < 5
        assert process.wait(10) == -signal.SIGKILL


def test_without_survivors_nothing_is_waited_for() -> None:
    before = time.monotonic()
    assert identity.end_survivors("w/nobody/1", 30) == []
    assert time.monotonic() - before < 5

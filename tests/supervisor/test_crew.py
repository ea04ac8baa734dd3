"""A supervisor whose attempt has ended in the usual way serves the next one; any other leaves."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from supervisor.attempts import Attempt, wait_for

from aml_jupyter.supervisor import bundle, identity, nurse
from aml_jupyter.supervisor.crew import MOST
from aml_jupyter.supervisor.slots import SlotFolder

Spawn = Callable[..., dict[str, Any]]


@pytest.fixture
def spawn(placed: bundle.Bundle, make_attempt: Callable[[], Attempt]) -> Spawn:
    """Return a function that has an attempt of a script supervised, and returns its supervisor when it has ended."""
    runtime = Path(os.environ["AML_RUNTIME"])

    def run(source: str = "", code: int | None = 0, **launch: Any) -> dict[str, Any]:
        attempt = make_attempt()
        attempt.python(source, **launch)
        nurse.spawn(runtime, placed, attempt.control)
        result = attempt.result()
        assert result["exit_code"] == code, attempt.words
        started = attempt.read("attempt.json")
        assert started is not None and attempt.ran() == 1
        return {**started["supervisor"], "words": attempt.words, "result": result, "attempt": attempt}

    return run


def _open_files(supervisor: dict[str, Any]) -> list[str]:
    place = Path(f"/proc/{supervisor['pid']}/fd")
    return sorted(os.readlink(entry).split(":")[0] for entry in place.iterdir())


def test_one_supervisor_serves_one_attempt_after_the_other_and_keeps_nothing(spawn: Spawn) -> None:
    seen = [spawn(), spawn("raise SystemExit(3)", 3), spawn()]
    for _ in range(8):
        seen.append(spawn("print(os.environ['PATH'] != '')"))
    by_pid = {each["pid"] for each in seen}
    assert len(by_pid) < len(seen), "no supervisor was used twice"
    last = seen[-1]
    assert identity.start_time(last["pid"]) == last["start_time"]
    wait_for(lambda: len(_open_files(last)) == 4, f"the files of an idle supervisor, {_open_files(last)}")
    assert _open_files(last) == ["/dev/null", "/dev/null", "/dev/null", "socket"]
    assert all(each["words"] == "" for each in seen)


def test_the_last_attempt_of_a_supervisor_is_followed_by_none_that_is_lost(spawn: Spawn) -> None:
    """More attempts than one process serves, each started as soon as the one before has ended."""
    pids = [spawn()["pid"] for _ in range(MOST + 6)]
    assert 1 < len(set(pids)) < len(pids)
    assert max(pids.count(pid) for pid in pids) <= MOST


def test_an_idle_supervisor_leaves_by_itself(spawn: Spawn) -> None:
    first = spawn()
    wait_for(lambda: identity.start_time(first["pid"]) is None, "the end of an idle supervisor")
    assert spawn()["pid"] != first["pid"]


def test_a_supervisor_that_was_asked_to_end_takes_nothing_more(spawn: Spawn) -> None:
    first = spawn()
    os.kill(first["pid"], signal.SIGTERM)
    second = spawn()
    third = spawn("import time\ntime.sleep(1)")
    assert (second["result"]["reason"], third["result"]["reason"]) == ("exit", "exit")
    wait_for(lambda: identity.start_time(first["pid"]) is None, "the end of the first supervisor")


def test_an_idle_supervisor_that_is_killed_costs_no_attempt(spawn: Spawn) -> None:
    first = spawn()
    os.kill(first["pid"], signal.SIGKILL)
    wait_for(lambda: identity.start_time(first["pid"]) is None, "the end of the first supervisor")
    assert spawn()["pid"] != first["pid"]


def test_whoever_met_a_result_that_is_not_its_own_leaves(spawn: Spawn) -> None:
    odd = spawn("open(os.path.join(os.environ['AML_CONTROL'], 'result.json'), 'w').write('{\"exit_code\": 0}')")
    wait_for(lambda: "written by somebody else" in odd["attempt"].words, "the supervisor's remark")
    assert spawn()["pid"] != odd["pid"]
    wait_for(lambda: identity.start_time(odd["pid"]) is None, "the end of its supervisor")


def test_memory_limits_and_slots_are_those_of_the_attempt(
    spawn: Spawn, placed: bundle.Bundle, make_attempt: Callable[[], Attempt], tmp_path: Path
) -> None:
    limited = spawn("x = b'x' * (400 * 2**20)", None, memory=200 * 2**20)
    assert limited["result"]["reason"] == "out of memory"
    free = spawn("x = b'x' * (400 * 2**20)")
    assert free["result"]["memory_limit"] is None
    slots = SlotFolder(tmp_path / "slots")
    for number in range(3):
        attempt = make_attempt()
        attempt.python("print(os.environ.get('CUDA_VISIBLE_DEVICES'))")
        held = slots.acquire(core_limit=2, gpus=1, devices=[str(number)], holder={"token": attempt.token})
        assert held is not None
        nurse.spawn(Path(os.environ["AML_RUNTIME"]), placed, attempt.control, held.fds)
        held.close()
        assert attempt.result()["exit_code"] == 0
        assert attempt.log == f"{number}\n"
        assert slots.usage(2, [str(number)]) == {}

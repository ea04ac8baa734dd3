"""A run that goes over its memory limit is ended with all its processes, by the kernel's group or by being watched."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from supervisor.attempts import Attempt, wait_for
from support import can_make_groups

from aml_jupyter.supervisor import identity

LIMIT = 150 * 2**20
GROWS = "x = []\nfor _ in range(100):\n    x.append(b'x' * (10 * 2**20))\n"


def _way(name: str) -> list[str]:
    """Return the beginning of a command line that leaves the supervisor only this way to keep a limit."""
    if name == "cgroup":
        if not can_make_groups():
            pytest.skip("no memory cgroup can be made here: it takes root, or a group that is handed down to this user")
        return []
    if not can_make_groups():
        return []
    hide = "umount -l -R /sys/fs/cgroup"
    if subprocess.run(["unshare", "-m", "sh", "-c", hide], capture_output=True, check=False).returncode:
        pytest.skip("the memory cgroups cannot be hidden here")
    return ["unshare", "-m", "sh", "-c", f'{hide} && exec "$@"', "sh"]


@pytest.fixture(params=["cgroup", "watching"])
def way(request: pytest.FixtureRequest) -> tuple[str, list[str]]:
    return request.param, _way(request.param)


Ended = Callable[[Attempt, Sequence[str]], dict[str, Any]]


def _end(attempt: Attempt, prefix: Sequence[str]) -> dict[str, Any]:
    attempt.start(prefix=prefix).wait(60)
    assert identity.survivors(attempt.token) == []
    return attempt.result()


def _is_over(result: dict[str, Any], attempt: Attempt, kept_by: str) -> None:
    assert result["reason"] == "out of memory"
    assert result["memory_limit"] == LIMIT
    assert LIMIT <= result["peak_memory"] < 3 * LIMIT
    peak = f"{result['peak_memory'] / 1e6:.3g} MB"
    assert result["message"] == f"its processes went over the run's memory limit of 157 MB (their peak was {peak})"
    started = attempt.read("attempt.json")
    assert started is not None and started["memory"] == {"limit": LIMIT, "kept_by": kept_by}


def test_a_script_that_goes_over_its_limit_is_ended(way: tuple[str, list[str]], attempt: Attempt) -> None:
    attempt.python("print('starts', flush=True)\n" + GROWS + "print('never')", memory=LIMIT)
    result = _end(attempt, way[1])
    _is_over(result, attempt, way[0])
    assert (result["exit_code"], result["signal"]) == (None, 9)
    assert attempt.log == "starts\n"


def test_a_script_within_its_limit_is_left_alone(way: tuple[str, list[str]], attempt: Attempt) -> None:
    attempt.python("x = b'x' * (60 * 2**20)\nprint(len(x))", memory=LIMIT)
    result = _end(attempt, way[1])
    assert (result["exit_code"], result["reason"], result["memory_limit"]) == (0, "exit", LIMIT)


def test_the_sum_of_children_with_sessions_of_their_own_counts(way: tuple[str, list[str]], attempt: Attempt) -> None:
    attempt.python(
        "import time\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork():\n"
        "            os._exit(0)\n"  # nobody's child any more but the supervisor's
        "        x = b'x' * (60 * 2**20)\n"
        "        time.sleep(600)\n"
        "time.sleep(600)\n",
        memory=LIMIT,
    )
    _is_over(_end(attempt, way[1]), attempt, way[0])


def test_a_child_that_is_over_ends_the_run_and_is_told(way: tuple[str, list[str]], attempt: Attempt) -> None:
    attempt.python(
        "import subprocess, sys, time\n"
        f"subprocess.call([sys.executable, '-c', {GROWS!r}], start_new_session=True)\n"
        "time.sleep(600)\n",
        memory=LIMIT,
    )
    _is_over(_end(attempt, way[1]), attempt, way[0])


def test_a_script_that_hides_the_death_of_its_child_has_run_out_of_memory(attempt: Attempt) -> None:
    prefix = _way("cgroup")
    attempt.python(
        f"import subprocess, sys\nsubprocess.call([sys.executable, '-c', {GROWS!r}])\nos._exit(0)", memory=LIMIT
    )
    _is_over(_end(attempt, prefix), attempt, "cgroup")


def test_pages_that_processes_share_count_once(way: tuple[str, list[str]], attempt: Attempt) -> None:
    attempt.python(
        "import time\n"
        "x = bytearray(80 * 2**20)\n"
        "for place in range(0, len(x), 4096):\n    x[place] = 1\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(1)\n"
        "        os._exit(0)\n"
        "for _ in range(4):\n    os.wait()\n",
        memory=LIMIT,
    )
    assert _end(attempt, way[1])["reason"] == "exit"


def test_files_that_are_read_or_mapped_do_not_count(way: tuple[str, list[str]], attempt: Attempt) -> None:
    with open(attempt.work / "data", "wb") as stream:
        for _ in range(25):
            stream.write(os.urandom(2**20) * 10)
    attempt.python(
        "import mmap\n"
        "with open('data', 'rb') as stream:\n"
        "    data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "    print(sum(data[place] for place in range(0, len(data), 4096)) > 0)\n",
        memory=LIMIT,
    )
    assert _end(attempt, way[1])["reason"] == "exit"
    assert attempt.log == "True\n"


def test_other_runs_go_on(way: tuple[str, list[str]], make_attempt: Callable[[], Attempt]) -> None:
    other, greedy = make_attempt(), make_attempt()
    other.python("import time\nwhile not os.path.exists('end'):\n    time.sleep(0.01)", memory=LIMIT)
    supervisor = other.start(prefix=way[1])
    other.started()
    greedy.python(GROWS, memory=LIMIT)
    assert _end(greedy, way[1])["reason"] == "out of memory"
    (other.work / "end").touch()
    supervisor.wait(30)
    assert (other.result()["reason"], other.result()["exit_code"]) == ("exit", 0)


def test_no_group_is_left_even_of_a_supervisor_that_was_killed(make_attempt: Callable[[], Attempt]) -> None:
    prefix = _way("cgroup")
    killed, next_one = make_attempt(), make_attempt()
    killed.python("import time\ntime.sleep(600)", memory=LIMIT)
    supervisor = killed.start(prefix=prefix)
    killed.started()
    groups = _groups_of(supervisor.pid)
    assert len(groups) == 1
    supervisor.kill()
    supervisor.wait(30)
    wait_for(lambda: not identity.survivors(killed.token), "the end of the script")
    next_one.python("", memory=LIMIT)
    last = next_one.start(prefix=prefix)
    last.wait(60)
    assert _groups_of(supervisor.pid) == _groups_of(last.pid) == []


def _groups_of(pid: int) -> list[Path]:
    return list(Path("/sys/fs/cgroup").rglob(f"aml-{pid}-*"))

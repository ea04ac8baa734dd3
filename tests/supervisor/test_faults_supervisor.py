"""Kill a process at each fault point of the room, then start again: the script ran at most once, and nothing is stuck."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from supervisor.attempts import Attempt, wait_for

import aml_jupyter.supervisor
from aml_jupyter.supervisor import bundle, identity, nurse
from aml_jupyter.supervisor.slots import SlotFolder

pytestmark = pytest.mark.faults

PACKAGE = Path(aml_jupyter.supervisor.__file__).parent

STARTING = [
    "bundle.place",
    "bundle.rename",
    "nurse.start",
    "nurse.listen",
    "nurse.detach",
    "nurse.fork",
    "slots.write",
    "supervisor.fork",
    "supervisor.epoch",
    "supervisor.attempt",
    "supervisor.second_name",
    "durable.discard",
    "durable.sync_new",
    "durable.sync_file",
    "supervisor.release",
    "supervisor.exec",
    "supervisor.result",
    "supervisor.kill",
]
ELSEWHERE_TOO = ["supervisor.group", "supervisor.drop_group", "container.pipe", "keeper.touch", "keeper.remove"]
ELSEWHERE = [
    "durable.sync_folder",
    "supervisor.discard",
    "supervisor.go",
    "nurse.leave",
    "identity.end_survivor",
    *ELSEWHERE_TOO,
]
RUNNERS = ["cell.sync", "cell.outputs", "cell.summary", "cell.discard", "notebook.publish"]
OTHER_SYSTEMS = ["supervisor.probe", "identity.ps", "kernel.ps"]
DEFAULTS = ["durable.write", "durable.link"]

SERVICE = """
import sys
from pathlib import Path
from aml_jupyter.supervisor import bundle, nurse
from aml_jupyter.supervisor.slots import SlotFolder
runtime, control = map(Path, sys.argv[1:])
placed = bundle.place(runtime / "supervisor")
held = SlotFolder(runtime / "slots").acquire(core_limit=1, holder={"token": "t"})
if held is None:
    sys.exit("no slot")
nurse.spawn(runtime, placed, control, held.fds)
"""

LEAVES_A_CHILD = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
"""


def test_every_point_of_the_room_is_killed() -> None:
    """Those of the far side, and of what both sides write as a last word, are killed in whole runs (`faults.scenarios`)."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        elsewhere = path.name in ("activation.py", "faults.py", "last_word.py") or path.name.startswith("far")
        if "client" not in path.relative_to(PACKAGE).parts and not elsewhere:
            found |= set(re.findall(r'(?:fault_point\(|point(?:: str)? ?= ?)"(\w+\.\w+)"', path.read_text()))
    assert found == {*STARTING, *ELSEWHERE, *RUNNERS, *OTHER_SYSTEMS, *DEFAULTS}


@pytest.fixture
def arm(tmp_path: Path) -> Callable[[str, str], dict[str, str]]:
    def make(point: str, side: str) -> dict[str, str]:
        token = tmp_path / "may-kill"
        token.touch()
        return {"AML_FAULT_POINT": point, "AML_FAULT_SIDE": side, "AML_FAULT_TOKEN": str(token)}

    return make


def serve(attempt: Attempt, **variables: str) -> int:
    runtime = os.environ["AML_RUNTIME"]
    command = [sys.executable, "-c", SERVICE, runtime, str(attempt.control)]
    return subprocess.run(command, env={**os.environ, **variables}, timeout=60, check=False).returncode


def is_settled(attempt: Attempt) -> bool:
    """Tell whether there is a result, or nothing of the attempt lives any more."""
    started = attempt.read("attempt.json")
    slots = SlotFolder(Path(os.environ["AML_RUNTIME"], "slots"))
    if slots.usage(1):
        return False
    return attempt.read("result.json") is not None or started is None or not identity.is_alive(started)


# After its execution a process is another program, which has no points.
@pytest.mark.parametrize(
    ("point", "side"),
    [
        (point, side)
        for point in STARTING
        for side in ("before", "after")
        if (point, side) != ("supervisor.exec", "after")
    ],
)
def test_a_start_is_repeated_after_a_kill(
    make_attempt: Callable[[], Attempt],
    arm: Callable[[str, str], dict[str, str]],
    point: str,
    side: str,
    tmp_path: Path,
) -> None:
    attempt = make_attempt()
    attempt.python(LEAVES_A_CHILD, grace_seconds=5)
    serve(attempt, **arm(point, side))
    wait_for(lambda: not (tmp_path / "may-kill").exists(), f"the kill at {point}")
    wait_for(lambda: is_settled(attempt), "the end of what was killed")
    for _ in range(3):
        if attempt.read("attempt.json") is None:
            assert serve(attempt) == 0
            wait_for(lambda: is_settled(attempt) and attempt.read("attempt.json"), "the second start")
    assert attempt.ran() <= 1
    assert identity.end_survivors(attempt.token, 5) == []
    if attempt.read("result.json") is None:
        # The service calls this lost, and starts a new attempt where the run allows it.
        attempt = make_attempt()
        attempt.python("")
        assert serve(attempt) == 0
    reason = attempt.result()["reason"]
    assert reason == ("signal" if point == "supervisor.exec" else "exit")
    assert attempt.ran() == (point != "supervisor.exec")


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_kill_while_a_held_process_is_discarded(
    attempt: Attempt, arm: Callable[[str, str], dict[str, str]], side: str
) -> None:
    (attempt.control / "epoch").write_text("9\n")
    attempt.python("")
    supervisor = attempt.start(**arm("supervisor.discard", side))
    assert supervisor.wait(30) == -signal.SIGKILL
    attempt.python("", epoch=9)
    assert attempt.start().wait(30) == 0
    assert attempt.result()["exit_code"] == 0
    assert attempt.ran() == 1


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_kill_while_a_run_gets_its_slot_back(
    attempt: Attempt, arm: Callable[[str, str], dict[str, str]], side: str
) -> None:
    attempt.python(
        "import time\n"
        "folder = os.path.join(os.environ['AML_CONTROL'], 'waiting')\nos.makedirs(folder)\n"
        "mine = os.path.join(folder, str(os.getpid()))\nopen(mine, 'w').close()\ntime.sleep(1.2)\nos.unlink(mine)\n"
        "time.sleep(600)"
    )
    supervisor = attempt.start(**arm("supervisor.go", side))
    assert supervisor.wait(30) == -signal.SIGKILL
    started = attempt.started()
    wait_for(lambda: identity.start_time(started["process"]["pid"]) is None, "the script's end")
    assert not identity.is_alive(started)


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_kill_while_the_warm_parent_leaves(
    placed: bundle.Bundle,
    make_attempt: Callable[[], Attempt],
    arm: Callable[[str, str], dict[str, str]],
    side: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = Path(os.environ["AML_RUNTIME"])
    first, second = make_attempt(), make_attempt()
    for name, value in arm("nurse.leave", side).items():
        monkeypatch.setenv(name, value)
    first.python("")
    nurse.spawn(runtime, placed, first.control)
    first.result()
    started = first.read("attempt.json")
    assert started is not None
    parent = next(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
        and int(entry.name) != started["supervisor"]["pid"]
        and nurse.socket_path(runtime, placed).encode() in _command_line(entry)
    )
    os.kill(parent, signal.SIGTERM)
    wait_for(lambda: identity.start_time(parent) is None, "the parent's end")
    assert not Path(os.environ["AML_FAULT_TOKEN"]).exists()
    second.python("")
    nurse.spawn(runtime, placed, second.control)
    assert second.result()["exit_code"] == 0


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_kill_while_survivors_are_ended(
    attempt: Attempt, arm: Callable[[str, str], dict[str, str]], side: str
) -> None:
    environment = {**os.environ, "AML_ATTEMPT_TOKEN": attempt.token}
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environment) as survivor:
        wait_for(lambda: identity.survivors(attempt.token) == [survivor.pid], "the survivor")
        script = f"from aml_jupyter.supervisor.identity import end_survivors; end_survivors({attempt.token!r}, 5)"
        armed = {**os.environ, **arm("identity.end_survivor", side)}
        assert subprocess.run([sys.executable, "-c", script], env=armed, check=False).returncode == -signal.SIGKILL
        assert identity.end_survivors(attempt.token, 5) == []


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("point", ["cell.sync", "cell.outputs", "cell.summary", "cell.discard"])
def test_a_kill_while_values_are_brought_back(
    attempt: Attempt, arm: Callable[[str, str], dict[str, str]], point: str, side: str
) -> None:
    broken = point == "cell.discard"
    (attempt.work / "cell.py").write_text(f"a = {'(x for x in ())' if broken else '1'}\n")
    attempt.file(
        "cell.json", {"script": "cell.py", "inputs": None, "outputs": ["a"], "python": None, "cloudpickle": None}
    )
    attempt.launch(
        [sys.executable, str(attempt.bundle.archive), "cell", str(attempt.control)],
        environment={"PATH": os.environ["PATH"], **arm(point, side)},
    )
    attempt.start().wait(60)
    assert attempt.result()["signal"] == signal.SIGKILL
    values = attempt.control / "values"
    if (values / "outputs.json").exists():
        assert (point, side) == ("cell.summary", "after")
        assert json.loads((values / "outputs.json").read_text())["size"] == (values / "outputs.pkl").stat().st_size

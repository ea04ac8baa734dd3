"""What a far machine is asked is done once, whoever asks again; what it is asked to remove is gone when it says so."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.supervisor import identity, protocol
from aml_jupyter.supervisor.far_acts import FarActs
from aml_jupyter.supervisor.far_place import Places


def test_an_attempt_whose_supervisor_still_writes_is_removed_with_the_inputs_of_its_run(tmp_path: Path) -> None:
    base = tmp_path / "base"
    places = Places(str(base), "ws")
    control = Path(places.control(("run_1", 1)))
    control.mkdir(parents=True)
    inputs = base / "runs" / "ws" / "run_1" / "inputs"
    inputs.mkdir()
    (inputs / "values.pkl").write_bytes(b"secret")
    (control / protocol.RESULT).write_text(json.dumps({"reason": "exit", "exit_code": 0}))
    writes = threading.Event()

    def write() -> None:
        """Leave names in the folder for a while, as a supervisor does in its last moments."""
        deadline = time.monotonic() + 0.05
        for number in itertools.count():
            if number == 50:
                writes.set()
            if time.monotonic() > deadline:
                writes.set()
                return
            try:
                (control / f".heartbeat-{number}").touch()
            except FileNotFoundError:
                return

    writer = threading.Thread(target=write)
    writer.start()
    writes.wait(30)
    answer = FarActs(places, str(tmp_path), "").do({"op": "remove", "key": ["run_1", 1]}, b"")
    writer.join()
    assert answer == ({"removed": True}, b"")
    assert not (base / "runs" / "ws" / "run_1").exists()


class Machine:
    """A far machine with one slot, and what is asked of it."""

    def __init__(self, base: Path) -> None:
        self.places = Places(str(base), "ws")
        self.acts = FarActs(self.places, str(base / "runtime"), "")

    def control(self, run: str) -> Path:
        path = Path(self.places.control((run, 1)))
        path.mkdir(parents=True, exist_ok=True)
        return path

    def begin(self, run: str) -> None:
        """Have the attempt of a run been started by this process."""
        content = {"supervisor": identity.describe(os.getpid()), "started": 1.0, **identity.here()}
        (self.control(run) / protocol.ATTEMPT).write_text(json.dumps(content))

    def do(self, operation: str, run: str, body: bytes = b"", **fields: Any) -> dict[str, Any]:
        holder = {"token": f"{run}/1", "workspace": "mine"}
        needs = {"cores": 1, "limit": 1, "gpus": 0, "devices": [], "runs_per_gpu": 1, "memory": 0, "holder": holder}
        answer = self.acts.do({"op": operation, "key": [run, 1], "needs": needs, **fields}, body)
        assert isinstance(answer, tuple)
        return answer[0]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_who_is_forbidden_to_start_leaves_its_slot_to_the_next(machine: Machine) -> None:
    assert machine.do("ask_room", "run_1") == {"why": None}
    assert machine.do("ask_room", "run_2") == {"why": "waits for a free slot"}
    assert machine.do("forbid", "run_1", reason="canceled") == {"forbidden": True}
    assert machine.acts.room.settle() == [(("run_2", 1), None)]


def test_what_has_started_needs_no_slot_and_is_not_started_again(machine: Machine) -> None:
    machine.do("ask_room", "run_1")
    machine.begin("run_2")
    assert machine.do("ask_room", "run_2") == {"why": None}
    assert not machine.acts.room.has(("run_2", 1))
    assert machine.do("start", "run_2")["why"] is None
    assert "not in place" in machine.do("start", "run_1")["error"]  # it was never staged


def test_what_is_put_once_stays_as_it_was(machine: Machine) -> None:
    path = machine.control("run_1") / "cancel.json"
    for body in (b"first", b"second"):
        assert machine.do("put", "run_1", body, name="control/cancel.json", once=True) == {}
    assert path.read_bytes() == b"first"
    machine.do("put", "run_1", b"third", name="control/cancel.json")
    assert path.read_bytes() == b"third"
    assert machine.do("put", "run_9", b"late", name="control/cancel.json") == {}
    assert not Path(machine.places.attempt(("run_9", 1))).exists()


def test_what_lives_is_not_buried(machine: Machine) -> None:
    machine.begin("run_1")
    asked = {"token": "ws/run_1/1", "reason": "supervisor lost", "message": "it was lost"}
    assert machine.do("bury", "run_1", **asked) == {"error": "its supervisor lives", "kind": "still"}
    assert not (machine.control("run_1") / protocol.RESULT).exists()

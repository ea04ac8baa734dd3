"""What a far machine is asked to remove is gone when it says so."""

from __future__ import annotations

import itertools
import json
import threading
import time
from pathlib import Path

from aml_jupyter.supervisor import protocol
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

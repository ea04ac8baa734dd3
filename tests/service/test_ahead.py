"""Where runs are short, the next one is claimed before there is room; it starts once, at its turn, or is back in the queue."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support import Submit, until

from aml_jupyter.service import cancel_run, create_target, start_target, stop_target
from aml_jupyter.service.reconciler import Reconciler
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run, transitions

SCRIPT = """
import os, sys, time
with open({ledger!r}, "a") as ledger:
    ledger.write(os.environ["AML_RUN_ID"] + "\\n")
while len(sys.argv) > 1 and not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
"""


def elsewhere(act: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Do `act` as another process would: with connections of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act, *arguments, **options).result()


class Line:
    """Hold a target with one slot, a run that has it, and one that is claimed ahead."""

    def __init__(self, folder: WorkspaceFolder, loop: Reconciler, submit_script: Submit, place: Path) -> None:
        self.folder, self.loop, self.ledger, self.gate = folder, loop, place / "ledger", place / "gate"
        create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
        text = SCRIPT.format(ledger=str(self.ledger))
        before = submit_script(text, target="ci-one")
        self.turn_until(before, "Completed")
        # As after some short runs, however slow this machine is at the moment.
        loop.quick.add("ci-one")
        loop.start_seconds[before.snapshot] = 0.0
        self.first = elsewhere(submit_script, text, arguments=[str(self.gate)], target="ci-one")
        self.next = elsewhere(submit_script, text, target="ci-one")
        self.turn_until(self.next, "Starting")
        assert self.status(self.first) in ("Starting", "Running")

    def status(self, run: RunRecord) -> str:
        return get_run(self.folder.store.read(), run.id).status

    def turn_until(self, run: RunRecord, status: str) -> None:
        def is_there() -> bool:
            self.loop.tick()
            return self.status(run) == status

        until(is_there, 40, lambda: f"{status}, not {self.status(run)}")

    def ran(self, run: RunRecord) -> int:
        """Return how often the script of a run was started."""
        return self.ledger.read_text().splitlines().count(run.id)

    def changes(self, run: RunRecord) -> list[tuple[str, str]]:
        return [(each.before or "", each.after) for each in transitions(self.folder.store.read(), run.id)]


@pytest.fixture
def line(folder: WorkspaceFolder, loop: Reconciler, submit_script: Submit, tmp_path: Path) -> Line:
    return Line(folder, loop, submit_script, tmp_path)


def test_who_waits_in_vain_is_back_at_its_place_and_runs_once(line: Line) -> None:
    line.turn_until(line.next, "Queued")
    assert get_run(line.folder.store.read(), line.next.id).reason == "waits for a free slot on ci-one"
    assert line.ran(line.next) == 0
    line.gate.touch()
    line.turn_until(line.next, "Completed")
    assert (line.ran(line.first), line.ran(line.next)) == (1, 1)
    assert get_run(line.folder.store.read(), line.next.id).attempt == 1
    assert ("Starting", "Queued") in line.changes(line.next)


def test_a_freed_slot_goes_to_who_is_ahead(line: Line) -> None:
    line.gate.touch()
    line.turn_until(line.next, "Completed")
    assert line.status(line.first) == "Completed"
    assert line.ledger.read_text().splitlines()[-2:] == [line.first.id, line.next.id]


def test_a_stopped_instance_starts_nobody_who_is_ahead(line: Line) -> None:
    elsewhere(stop_target, line.folder, "ci-one")
    line.turn_until(line.next, "Queued")
    line.gate.touch()
    line.turn_until(line.first, "Completed")
    for _ in range(5):
        line.loop.tick()
    assert line.status(line.next) == "Queued" and line.ran(line.next) == 0
    elsewhere(start_target, line.folder, "ci-one")
    line.turn_until(line.next, "Completed")
    assert line.ran(line.next) == 1


def test_who_is_ahead_can_be_canceled(line: Line) -> None:
    elsewhere(cancel_run, line.folder, line.next.id)
    line.turn_until(line.next, "Canceled")
    line.gate.touch()
    line.turn_until(line.first, "Completed")
    assert line.ran(line.next) == 0

"""Own ``numbers.jsonl``: which run was given which number, in the order in which runs came into the database.

Runs come in as the service learns of them, which need not be the order of the times in their files. So the file is what a
rebuild takes order and numbers from; where it lacks a line, times have to do.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .experiments import take_number
from .journal import read_lines
from .layout import Layout

__all__ = ["Given", "give_number", "given_numbers"]


@dataclass(frozen=True)
class Given:
    """Say which place and number a run was given."""

    place: int
    number: int | None
    """None where a later run has the same one: the commit that should have given it never came."""


def give_number(tx: sqlite3.Connection, run_id: str, experiment: str, created: float, number: int | None = None) -> int:
    """Return the number of a new run in its experiment, the next one unless it has had a `number` before; note it down."""
    given = take_number(tx, experiment, created, number)
    _note(tx, run_id, experiment, given)
    return given


def _note(tx: sqlite3.Connection, run_id: str, experiment: str, number: int) -> None:
    """Append a run's number to the file beside the database that the open transaction writes.

    It is not synced: a number is worth no wait. A database that is being built anew is not the workspace's yet.
    """
    database = Path(str(tx.execute("PRAGMA database_list").fetchone()[2]))
    layout = Layout(database.parent)
    if database != layout.database:
        return
    line = "\n" + json.dumps({"id": run_id, "experiment": experiment, "number": number}) + "\n"
    with contextlib.suppress(OSError):  # a full disk says so at the commit
        descriptor = os.open(layout.numbers, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def given_numbers(layout: Layout) -> Mapping[str, Given]:
    """Return what each run was given; of two lines that say otherwise the later one counts."""
    said: dict[str, tuple[int, str, int]] = {}
    for place, line in enumerate(read_lines(layout.numbers)):
        run, experiment, number = line.get("id"), line.get("experiment"), line.get("number")
        if isinstance(run, str) and isinstance(experiment, str) and isinstance(number, int) and number > 0:
            said[run] = (place, experiment, number)
    last = {(experiment, number): run for run, (_, experiment, number) in sorted(said.items(), key=lambda e: e[1])}
    return {
        run: Given(place, number if last[experiment, number] == run else None)
        for run, (place, experiment, number) in said.items()
    }

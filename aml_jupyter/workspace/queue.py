"""Read the queue: who is next on a target, what is under way, and whether anything is open at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from .records import RunRecord
from .rows import OPEN, load_runs
from .states import ACTIVE

__all__ = [
    "active_runs",
    "children_of",
    "count_open_runs",
    "next_in_line",
    "open_in_process_runs",
    "queued_targets",
    "runs_called",
    "runs_of_ended_sweeps",
    "spare_child",
]

_BATCH: Final = 500
_ACTIVE = ", ".join(f"'{state}'" for state in sorted(ACTIVE))


def active_runs(db: sqlite3.Connection) -> list[RunRecord]:
    """Return the runs that take up room on a target, oldest first, without their tags and properties."""
    return load_runs(db, f"WHERE r.status IN ({_ACTIVE}) AND r.in_process = 0 ORDER BY r.seq", labels=False)


def open_in_process_runs(db: sqlite3.Connection) -> list[RunRecord]:
    """Return the runs inside processes that have not ended, oldest first, without their tags and properties."""
    return load_runs(db, f"WHERE {OPEN} AND r.in_process = 1 ORDER BY r.seq", labels=False)


def runs_of_ended_sweeps(db: sqlite3.Connection) -> list[RunRecord]:
    """Return the children of sweeps that have ended, where they have not ended and nobody asked them to."""
    return load_runs(
        db,
        f"WHERE {OPEN} AND r.in_process = 0 AND r.cancel_requested IS NULL AND EXISTS (SELECT 1 FROM runs AS p "
        "WHERE p.id = r.parent AND p.kind = 'hyperdrive' AND p.status IN ('Completed', 'Failed', 'Canceled')) ORDER BY r.seq",
        labels=False,
    )


def children_of(db: sqlite3.Connection, parent: str) -> list[RunRecord]:
    """Return the children of a run, oldest first."""
    return load_runs(db, "WHERE r.parent = ? ORDER BY r.seq", (parent,))


def runs_called(db: sqlite3.Connection, ids: Sequence[str], labels: bool = True) -> list[RunRecord]:
    """Return the runs that have one of these ids, oldest first; without their tags and properties unless with `labels`."""
    found: list[RunRecord] = []
    for first in range(0, len(ids), _BATCH):
        batch = ids[first : first + _BATCH]
        found += load_runs(db, f"WHERE r.id IN ({', '.join('?' * len(batch))})", batch, labels)
    return sorted(found, key=attrgetter("seq"))


def spare_child(db: sqlite3.Connection, parent: str, limit: int) -> str | None:
    """Return the oldest child that waits for another one's end, where fewer than `limit` children are under way; else None."""
    # Only what is open is read, however many children have ended.
    rows = db.execute(
        f"SELECT r.id, r.status FROM runs AS r INDEXED BY runs_open WHERE {OPEN} AND r.parent = ? ORDER BY r.seq",
        (parent,),
    ).fetchall()
    spares = [run_id for run_id, status in rows if status == "NotStarted"]
    return str(spares[0]) if spares and len(rows) - len(spares) < limit else None


def queued_targets(db: sqlite3.Connection) -> list[str]:
    """Return the names of the targets that runs wait for."""
    # From one name to the next in the index of those that wait: a queue of thousands costs no more than a short one.
    first = "SELECT min(target) FROM runs INDEXED BY runs_in_line WHERE status = 'Queued'"
    rows = db.execute(
        f"WITH RECURSIVE waiting (target) AS ({first} UNION ALL SELECT ({first} AND target > w.target) FROM waiting AS w "
        "WHERE w.target IS NOT NULL) SELECT target FROM waiting WHERE target IS NOT NULL"
    )
    return [str(row[0]) for row in rows]


def next_in_line(db: sqlite3.Connection, target: str, limit: int) -> list[RunRecord]:
    """Return the first `limit` waiting runs of a target: higher priority first, then what was submitted first.

    Their tags and properties are left out.
    """
    # The inner query reads the index only, so a queue of thousands costs no more than a short one.
    return load_runs(
        db,
        "WHERE r.seq IN (SELECT seq FROM runs WHERE status = 'Queued' AND in_process = 0 AND target = ? "
        "ORDER BY priority DESC, seq LIMIT ?) ORDER BY r.priority DESC, r.seq",
        (target, limit),
        labels=False,
    )


def count_open_runs(db: sqlite3.Connection) -> int:
    """Return how many runs the service still has to bring to their end; of those inside processes only the sweeps."""
    row = db.execute(
        f"SELECT count(*) FROM runs AS r WHERE {OPEN} AND (r.in_process = 0 OR r.kind = 'hyperdrive')"
    ).fetchone()
    return int(row[0])

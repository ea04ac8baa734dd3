"""Own the durable stream of events that views resume from: (generation, id) names a place in it."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any, Final

from .records import EventRecord

__all__ = ["KEPT", "events_since", "latest_event", "record_event", "subjects_since"]

KEPT: Final = 100_000
"""How many of the newest events are kept, roughly."""

_EVERY: Final = 1_000


def record_event(tx: sqlite3.Connection, kind: str, subject: str, data: dict[str, Any]) -> int:
    """Append an event inside a transaction.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    kind : str
        ``run.state``, ``run.metric``, ``run.progress``, ``run.tags``, ``run.artifact``, ``run.child``, ``run.name``,
        ``run.note`` or ``target.state``.
    subject : str
        The run's id, the target's name, or empty.
    data : dict
        What changed; JSON.

    Returns
    -------
    int
        The event's id.
    """
    cursor = tx.execute(
        "INSERT INTO events (time, kind, subject, data) VALUES (?, ?, ?, ?)",
        (time.time(), kind, subject, json.dumps(data)),
    )
    number = int(cursor.lastrowid or 0)
    if number % _EVERY == 0:
        tx.execute("DELETE FROM events WHERE id <= ?", (number - KEPT,))
    return number


def events_since(db: sqlite3.Connection, after: int, limit: int = 1000) -> list[EventRecord]:
    """Return up to `limit` events that came after the one with id `after`, oldest first."""
    rows = db.execute(
        "SELECT id, time, kind, subject, data FROM events WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
    )
    return [EventRecord(number, at, kind, subject, json.loads(data)) for number, at, kind, subject, data in rows]


def subjects_since(db: sqlite3.Connection, after: int) -> tuple[int, frozenset[str] | None]:
    """Return the id of the newest event, and what the events after the one with id `after` were about.

    The second is None when some of them are not kept any more.
    """
    rows = db.execute("SELECT id, subject FROM events WHERE id > ? ORDER BY id", (after,)).fetchall()
    if not rows:
        return after, frozenset()
    return int(rows[-1][0]), frozenset(row[1] for row in rows) if rows[0][0] == after + 1 else None


def latest_event(db: sqlite3.Connection) -> int:
    """Return the id of the newest event; 0 when there has been none."""
    row = db.execute("SELECT max(id) FROM events").fetchone()
    return int(row[0] or 0)

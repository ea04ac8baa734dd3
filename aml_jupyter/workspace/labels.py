"""Own the tags and the properties of runs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping

from .events import record_event

__all__ = ["add_properties", "set_tags"]


def set_tags(
    tx: sqlite3.Connection, run_id: str, tags: Mapping[str, str | None], at: float | None = None, announce: bool = True
) -> None:
    """Set tags of a run; the value None removes one.

    Of two changes of one tag the later one stands, whichever arrives first.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    run_id : str
        The run.
    tags : mapping
        Key to value.
    at : float, optional
        When the change was made, in Unix seconds; now when it is not given.
    announce : bool
        Whether to record an event.
    """
    moment = time.time() if at is None else at
    changed = {}
    for key, value in tags.items():
        cursor = tx.execute(
            "INSERT INTO tags (run, key, value, time) VALUES (?, ?, ?, ?) ON CONFLICT (run, key) DO UPDATE "
            "SET value = excluded.value, time = excluded.time WHERE excluded.time >= time",
            (run_id, str(key), None if value is None else str(value), moment),
        )
        if cursor.rowcount:
            changed[str(key)] = value
    if changed and announce:
        record_event(tx, "run.tags", run_id, {"tags": changed})


def add_properties(tx: sqlite3.Connection, run_id: str, properties: Mapping[str, str], announce: bool = True) -> None:
    """Add properties to a run; one that is there already keeps its value.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    run_id : str
        The run.
    properties : mapping
        Key to value.
    announce : bool
        Whether to record an event.
    """
    added = {}
    for key, value in properties.items():
        cursor = tx.execute(
            "INSERT OR IGNORE INTO properties (run, key, value) VALUES (?, ?, ?)", (run_id, str(key), str(value))
        )
        if cursor.rowcount:
            added[str(key)] = str(value)
    if added and announce:
        record_event(tx, "run.tags", run_id, {"properties": added})

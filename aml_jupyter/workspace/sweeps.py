"""Own what was changed about sweeps while they ran: appended, never changed; the database's copy of ``changes.jsonl``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from .events import record_event

__all__ = ["add_sweep_change", "sweep_changes"]


def add_sweep_change(tx: sqlite3.Connection, run_id: str, change: Mapping[str, Any]) -> None:
    """Append a change to a sweep.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    run_id : str
        The sweep.
    change : mapping
        What `hyperdrive.with_changes` reads.
    """
    tx.execute("INSERT INTO sweep_changes (run, change) VALUES (?, ?)", (run_id, json.dumps(dict(change))))
    record_event(tx, "run.sweep", run_id, {"change": dict(change)})


def sweep_changes(db: sqlite3.Connection, run_id: str) -> list[dict[str, Any]]:
    """Return the changes to a sweep, the oldest first."""
    rows = db.execute("SELECT change FROM sweep_changes WHERE run = ? ORDER BY seq", (run_id,))
    return [json.loads(row[0]) for row in rows]

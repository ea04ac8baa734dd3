"""Own the epoch row: a number that grows with each service, and who holds the current one."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

__all__ = ["current_lease", "leave_lease", "take_epoch"]


def take_epoch(tx: sqlite3.Connection, holder: dict[str, Any]) -> int:
    """Take the next epoch for `holder`; every transaction with an older one fails from now on.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    holder : dict
        Who takes it: pid, start_time, host, boot_id, version, socket.
    """
    row = tx.execute("SELECT epoch FROM lease").fetchone()
    epoch = (int(row[0]) if row else 0) + 1
    tx.execute(
        "INSERT OR REPLACE INTO lease (one, epoch, holder, time) VALUES (1, ?, ?, ?)",
        (epoch, json.dumps(holder), time.time()),
    )
    return epoch


def current_lease(db: sqlite3.Connection) -> dict[str, Any] | None:
    """Return the last holder with its ``epoch`` and the ``time`` it took it; None when no service has run yet."""
    row = db.execute("SELECT epoch, holder, time FROM lease").fetchone()
    if row is None:
        return None
    return {**json.loads(row[1]), "epoch": row[0], "time": row[2]}


def leave_lease(tx: sqlite3.Connection) -> None:
    """Write down that the present holder leaves: who submits a run after this commit has to start another service."""
    tx.execute("UPDATE lease SET holder = json_set(holder, '$.left', json('true'))")

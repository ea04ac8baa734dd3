"""Own which machine writes a workspace on a network file system: one at a time, since SQLite's locks end at its edge.

The machine that writes first is the one; another one is refused, by name, until ``aml workspace takeover`` moves the
workspace to it. Reading is free. On a local disk nothing of this happens.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from aml_jupyter.errors import WorkspaceException

__all__ = ["check_host", "claim_host", "host_of", "is_seen", "machine", "take_host"]

SEEN_EVERY: Final = 30.0
"""Seconds after which the machine that writes says again that it is there."""

ALIVE_FOR: Final = 120.0
"""Seconds without such a word after which it may be gone."""

_MACHINE_ID: Final = Path("/etc/machine-id")


def machine() -> dict[str, str]:
    """Return what tells this machine from others: its name, and the id that its system was given when it was installed.

    A machine that was renamed is another one: of clones with one id the name is all that differs.
    """
    try:
        installed = _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        installed = ""
    return {"host": socket.gethostname(), "machine_id": installed}


def host_of(db: sqlite3.Connection) -> dict[str, Any] | None:
    """Return the machine that writes this workspace: ``host``, ``machine_id``, ``seen`` (Unix seconds); None before one did."""
    row = db.execute("SELECT value FROM meta WHERE key = 'host'").fetchone()
    return json.loads(row[0]) if row else None


def check_host(db: sqlite3.Connection, root: Path) -> dict[str, Any] | None:
    """Return the machine that writes this workspace when that is this one or none yet.

    Raises
    ------
    WorkspaceException
        When it is another one: names it, when it was seen last, and the command that moves the workspace.
    """
    found = host_of(db)
    if found is not None and {key: found.get(key) for key in ("host", "machine_id")} != machine():
        age = max(0.0, time.time() - float(found.get("seen") or 0))
        raise WorkspaceException(
            f"The workspace {root} lies on a network file system, where one machine at a time may write, and that is "
            f"{found.get('host')} (seen {_ago(age)}). Submit there, or move the workspace to this machine: "
            f"aml workspace takeover --workspace {root}"
        )
    return found


def claim_host(tx: sqlite3.Connection, root: Path) -> None:
    """Say that this machine writes, inside a transaction, unless it has just said so.

    Raises
    ------
    WorkspaceException
        As `check_host`.
    """
    found = check_host(tx, root)
    if found is None or time.time() - float(found.get("seen") or 0) > SEEN_EVERY:
        take_host(tx)


def take_host(tx: sqlite3.Connection) -> None:
    """Make this machine the one that writes, whoever it was before."""
    value = json.dumps({**machine(), "seen": time.time()})
    tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('host', ?)", (value,))


def is_seen(found: dict[str, Any]) -> bool:
    """Say whether a machine gave a sign of life a short while ago."""
    return time.time() - float(found.get("seen") or 0) < ALIVE_FOR


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"{seconds / 3600:.0f} h ago"

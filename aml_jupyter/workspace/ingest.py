"""Take events files into run history, each byte exactly once: what they say, and how far, is one transaction."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from aml_jupyter.supervisor import protocol

from .apply import apply_events
from .events import record_event
from .store import Store

__all__ = ["cursor", "ingest_events", "report_shrunken"]


def cursor(db: sqlite3.Connection, run_id: str, attempt: int, file: str) -> int:
    """Return how many bytes of an events file are in run history."""
    row = db.execute(
        "SELECT position FROM cursors WHERE run = ? AND attempt = ? AND file = ?", (run_id, attempt, file)
    ).fetchone()
    return int(row[0]) if row else 0


def ingest_events(
    store: Store, run_id: str, attempt: int, file: str, offset: int, data: bytes, epoch: int | None = None
) -> int:
    """Take the next bytes of an events file into run history.

    Parameters
    ----------
    store : Store
        The workspace's store.
    run_id : str
        The run.
    attempt : int
        Which of its attempts wrote the file.
    file : str
        The file's name in ``control/events``.
    offset : int
        Where `data` begins in the file.
    data : bytes
        What was read there. Only newline-ended lines count; the rest is to be given again, with what follows.
    epoch : int, optional
        The service's epoch.

    Returns
    -------
    int
        Where to read on. When the stored place is not `offset`, that place, and nothing was changed.

    Raises
    ------
    LeaseLost
        When `epoch` is not the current one.
    UserErrorException
        When there is no such run.
    WorkspaceException
        When the workspace cannot be written.
    """
    lines, taken = protocol.whole_lines(data)
    if not taken:
        return cursor(store.read(), run_id, attempt, file)
    events, wrong = _parse(lines)
    with store.transaction(durable=False, epoch=epoch) as tx:
        row = tx.execute(
            "SELECT position, closed FROM cursors WHERE run = ? AND attempt = ? AND file = ?", (run_id, attempt, file)
        ).fetchone()
        stored = int(row[0]) if row else 0
        if stored != offset or (row and row[1]):
            return stored
        wrong += apply_events(tx, run_id, attempt, events)
        if wrong:
            shown = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
            record_event(tx, "run.note", run_id, {"message": f"{len(wrong)} lines of {file} were left out: {shown}"})
        tx.execute(
            "INSERT INTO cursors (run, attempt, file, position) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (run, attempt, file) DO UPDATE SET position = excluded.position",
            (run_id, attempt, file, offset + taken),
        )
    return offset + taken


def report_shrunken(store: Store, run_id: str, attempt: int, file: str, size: int, epoch: int | None = None) -> None:
    """Note, once, that an events file is shorter than what was read of it; it is never read again.

    Parameters
    ----------
    store, run_id, attempt, file, epoch
        As for `ingest_events`.
    size : int
        How long the file is now, in bytes.
    """
    with store.transaction(durable=False, epoch=epoch) as tx:
        changed = tx.execute(
            "UPDATE cursors SET closed = 'shrunken' "
            "WHERE run = ? AND attempt = ? AND file = ? AND closed IS NULL AND position > ?",
            (run_id, attempt, file, size),
        )
        if changed.rowcount:
            message = f"{file} has shrunk to {size} bytes, less than was read of it; it is not read any more"
            record_event(tx, "run.note", run_id, {"message": message})


def _parse(lines: list[bytes]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the events of the lines, and a phrase for each line that is none."""
    try:
        together = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        together = []
    if len(together) == len(lines) and set(map(type, together)) <= {dict}:
        return together, []
    events: list[dict[str, Any]] = []
    wrong: list[str] = []
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            wrong.append(f"a torn line ({line[:40].decode('utf-8', 'replace')})")
            continue
        if isinstance(event, dict):
            events.append(event)
        else:
            wrong.append(f"not an event ({line[:40].decode('utf-8', 'replace')})")
    return events, wrong

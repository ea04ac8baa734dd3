"""Own what a run went through: its transitions and its attempts."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any, Final

from aml_jupyter.errors import UserErrorException

from .records import AttemptRecord, TransitionRecord

__all__ = [
    "attempts",
    "new_attempt",
    "repeat_attempt",
    "take_back_attempt",
    "taken_back",
    "transitions",
    "update_attempt",
]

_TAKEN_BACK: Final = "taken back"
"""The reason of an attempt that was claimed and could not start: it is the run's next one again."""

_COLUMNS: Final = (
    "run, number, epoch, handle, created, started, ended, exit_code, signal, reason, peak_memory, cpu_time, node"
)
_SETTABLE: Final = frozenset(_COLUMNS.split(", ")) - {"run", "number", "created"}


def transitions(db: sqlite3.Connection, run_id: str) -> list[TransitionRecord]:
    """Return every change of a run's state, oldest first."""
    rows = db.execute(
        "SELECT id, run, time, attempt, before, after, reason FROM transitions WHERE run = ? ORDER BY id", (run_id,)
    )
    return [TransitionRecord(*row) for row in rows]


def attempts(db: sqlite3.Connection, run_id: str) -> list[AttemptRecord]:
    """Return every attempt of a run, first to last."""
    return [
        _record(row) for row in db.execute(f"SELECT {_COLUMNS} FROM attempts WHERE run = ? ORDER BY number", (run_id,))
    ]


def new_attempt(tx: sqlite3.Connection, run_id: str, epoch: int, handle: dict[str, Any]) -> AttemptRecord:
    """Add the next attempt of a run, and make it the run's current one.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    run_id : str
        The run.
    epoch : int
        The epoch of the service that will start it.
    handle : dict
        How the target finds it again; JSON.

    Raises
    ------
    UserErrorException
        When there is no such run.
    """
    row = tx.execute("SELECT attempt FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise UserErrorException(f"There is no run {run_id!r} in this workspace.", "run")
    number = int(row[0]) + 1
    tx.execute(
        "INSERT INTO attempts (run, number, epoch, handle, created) VALUES (?, ?, ?, ?, ?)",
        (run_id, number, epoch, json.dumps(handle), time.time()),
    )
    tx.execute("UPDATE runs SET attempt = ? WHERE id = ?", (number, run_id))
    return _one(tx, run_id, number)


def update_attempt(tx: sqlite3.Connection, run_id: str, number: int, **fields: Any) -> None:
    """Set columns of an attempt.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    run_id : str
        The run.
    number : int
        Which attempt, counted from 1.
    **fields
        Any of epoch, handle, started, ended, exit_code, signal, reason, peak_memory, cpu_time, node.

    Raises
    ------
    TypeError
        For another name.
    """
    unknown = set(fields) - _SETTABLE
    if unknown:
        raise TypeError(f"an attempt has no column {', '.join(sorted(unknown))}; known: {', '.join(sorted(_SETTABLE))}")
    if not fields:
        return
    values = [json.dumps(value) if name == "handle" else value for name, value in fields.items()]
    columns = ", ".join(f"{name} = ?" for name in fields)
    tx.execute(f"UPDATE attempts SET {columns} WHERE run = ? AND number = ?", (*values, run_id, number))


def take_back_attempt(tx: sqlite3.Connection, run_id: str, number: int) -> None:
    """Note that an attempt was claimed in vain: it has not started, and is the one that the run begins with next."""
    update_attempt(tx, run_id, number, reason=_TAKEN_BACK)


def repeat_attempt(tx: sqlite3.Connection, run_id: str, number: int, epoch: int) -> None:
    """Claim an attempt anew that was taken back, for the service of `epoch`."""
    tx.execute(
        "UPDATE attempts SET epoch = ?, created = ?, reason = NULL WHERE run = ? AND number = ?",
        (epoch, time.time(), run_id, number),
    )


def taken_back(db: sqlite3.Connection, run_id: str | None = None) -> list[tuple[str, int]]:
    """Return the run and number of each attempt that was taken back and whose run waits; of `run_id` alone where it is given."""
    clause, parameters = ("", ()) if run_id is None else (" AND r.id = ?", (run_id,))
    rows = db.execute(
        "SELECT a.run, a.number FROM runs AS r JOIN attempts AS a ON a.run = r.id AND a.number = r.attempt "
        f"WHERE r.status = 'Queued' AND r.attempt > 0 AND a.reason = ?{clause}",
        (_TAKEN_BACK, *parameters),
    )
    return [(str(row[0]), int(row[1])) for row in rows]


def _one(db: sqlite3.Connection, run_id: str, number: int) -> AttemptRecord:
    return _record(
        db.execute(f"SELECT {_COLUMNS} FROM attempts WHERE run = ? AND number = ?", (run_id, number)).fetchone()
    )


def _record(row: tuple[Any, ...]) -> AttemptRecord:
    values = list(row)
    values[3] = json.loads(row[3])
    return AttemptRecord(*values)

"""Own the experiments of a workspace: named series of runs, each with its counter."""

from __future__ import annotations

import re
import sqlite3
import time

from aml_jupyter.errors import UserErrorException, nearest

from .records import ExperimentRecord

__all__ = [
    "check_experiment_name",
    "create_experiment",
    "find_experiment",
    "get_experiment",
    "list_experiments",
    "take_number",
]

_NAME = re.compile(r"[^\W_][\w-]{0,254}")


def check_experiment_name(name: str) -> None:
    """Refuse a name that SDK v1 refuses.

    Raises
    ------
    UserErrorException
        Unless it has 1 to 255 letters, digits, ``_`` or ``-``, the first a letter or a digit.
    """
    if not _NAME.fullmatch(name):
        raise UserErrorException(
            f"The experiment name {name!r} cannot be used: expected 1 to 255 letters, digits, '_' or '-', beginning "
            "with a letter or a digit.",
            "experiment",
        )


def list_experiments(db: sqlite3.Connection) -> list[ExperimentRecord]:
    """Return every experiment, by name."""
    rows = db.execute("SELECT id, name, created, run_count FROM experiments ORDER BY name")
    return [ExperimentRecord(*row) for row in rows]


def find_experiment(db: sqlite3.Connection, name: str) -> ExperimentRecord | None:
    """Return the experiment called `name`, or None."""
    row = db.execute("SELECT id, name, created, run_count FROM experiments WHERE name = ?", (name,)).fetchone()
    return ExperimentRecord(*row) if row else None


def get_experiment(db: sqlite3.Connection, name: str) -> ExperimentRecord:
    """Return the experiment called `name`.

    Raises
    ------
    UserErrorException
        When there is none; names the nearest.
    """
    found = find_experiment(db, name)
    if found is None:
        known = nearest(name, [each.name for each in list_experiments(db)])
        raise UserErrorException(f"There is no experiment {name!r} in this workspace. {known}".rstrip(), "experiment")
    return found


def create_experiment(tx: sqlite3.Connection, name: str, created: float | None = None) -> ExperimentRecord:
    """Return the experiment called `name`, made when it is not there.

    Raises
    ------
    UserErrorException
        When the name cannot be used.
    """
    found = find_experiment(tx, name)
    if found is not None:
        return found
    check_experiment_name(name)
    tx.execute(
        "INSERT INTO experiments (name, created) VALUES (?, ?)", (name, time.time() if created is None else created)
    )
    return get_experiment(tx, name)


def take_number(tx: sqlite3.Connection, name: str, created: float, number: int | None = None) -> int:
    """Count one more run of the experiment, which is made when it is not there, and return the run's number.

    The next one, unless the run has had a `number` before.
    """
    create_experiment(tx, name, created)
    tx.execute(
        "UPDATE experiments SET run_count = run_count + 1, last_number = max(last_number, ifnull(?, last_number + 1)) "
        "WHERE name = ?",
        (number, name),
    )
    if number is not None:
        return number
    return int(tx.execute("SELECT last_number FROM experiments WHERE name = ?", (name,)).fetchone()[0])

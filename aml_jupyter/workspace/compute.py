"""Own the rows of compute targets, and which one is the workspace's default."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any, Final

from aml_jupyter.errors import ComputeTargetException, nearest

from .events import record_event
from .records import TargetRecord
from .schema import set_meta

__all__ = [
    "default_target",
    "delete_target",
    "find_target",
    "get_target",
    "insert_target",
    "list_targets",
    "set_default_target",
    "update_target",
]

_COLUMNS: Final = (
    "name, type, settings, provisioning_state, provisioning_errors, created, modified, attached, tags, description"
)
_JSON: Final = frozenset({"settings", "provisioning_errors", "tags"})
_SETTABLE: Final = frozenset(_COLUMNS.split(", ")) - {"name", "created", "modified"}


def insert_target(tx: sqlite3.Connection, target: TargetRecord) -> None:
    """Add a compute target.

    Raises
    ------
    ComputeTargetException
        When the workspace has one of that name, whatever the case.
    """
    found = find_target(tx, target.name)
    if found is not None:
        raise ComputeTargetException(
            f"The workspace has a compute target {found.name!r} (type {found.type}) already; names differ in more than "
            "case. Choose another name, or delete that one first.",
            "name",
        )
    values = [
        json.dumps(getattr(target, name)) if name in _JSON else getattr(target, name) for name in _COLUMNS.split(", ")
    ]
    tx.execute(f"INSERT INTO targets ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})", values)
    record_event(tx, "target.state", target.name, {"state": target.provisioning_state})


def find_target(db: sqlite3.Connection, name: str) -> TargetRecord | None:
    """Return the compute target called `name`, whatever the case, or None."""
    row = db.execute(f"SELECT {_COLUMNS} FROM targets WHERE name = ?", (name,)).fetchone()
    return _record(row) if row else None


def get_target(db: sqlite3.Connection, name: str) -> TargetRecord:
    """Return the compute target called `name`, whatever the case.

    Raises
    ------
    ComputeTargetException
        When there is none; names the nearest.
    """
    found = find_target(db, name)
    if found is None:
        known = nearest(name, [each.name for each in list_targets(db)])
        raise ComputeTargetException(
            f"ComputeTargetNotFound: Compute Target with name {name} not found in provided workspace. {known}".rstrip(),
            "target",
        )
    return found


def list_targets(db: sqlite3.Connection) -> list[TargetRecord]:
    """Return every compute target, by name."""
    return [_record(row) for row in db.execute(f"SELECT {_COLUMNS} FROM targets ORDER BY name")]


def update_target(tx: sqlite3.Connection, name: str, **fields: Any) -> None:
    """Set columns of a compute target.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    name : str
        The target.
    **fields
        Any of type, settings, provisioning_state, provisioning_errors, attached, tags, description.

    Raises
    ------
    ComputeTargetException
        When there is no such target.
    TypeError
        For another column.
    """
    unknown = set(fields) - _SETTABLE
    if unknown:
        raise TypeError(f"a target has no column {', '.join(sorted(unknown))}; known: {', '.join(sorted(_SETTABLE))}")
    target = get_target(tx, name)
    values = [json.dumps(value) if column in _JSON else value for column, value in fields.items()]
    columns = "".join(f"{column} = ?, " for column in fields)
    tx.execute(f"UPDATE targets SET {columns}modified = ? WHERE name = ?", (*values, time.time(), target.name))
    state = fields.get("provisioning_state", target.provisioning_state)
    record_event(tx, "target.state", target.name, {"state": state})


def delete_target(tx: sqlite3.Connection, name: str) -> None:
    """Remove a compute target; when it was the default, ``local`` is again.

    Raises
    ------
    ComputeTargetException
        When there is no such target.
    """
    target = get_target(tx, name)
    tx.execute("DELETE FROM targets WHERE name = ?", (target.name,))
    if default_target(tx) == target.name:
        set_meta(tx, "default_target", "local")
    record_event(tx, "target.state", target.name, {"state": None})


def default_target(db: sqlite3.Connection) -> str:
    """Return the name of the target that a submit without one goes to."""
    return str(db.execute("SELECT value FROM meta WHERE key = 'default_target'").fetchone()[0])


def set_default_target(tx: sqlite3.Connection, name: str) -> None:
    """Let submits without a target go to `name`.

    Raises
    ------
    ComputeTargetException
        When there is no such target.
    """
    set_meta(tx, "default_target", get_target(tx, name).name)


def _record(row: tuple[Any, ...]) -> TargetRecord:
    fields = dict(zip(_COLUMNS.split(", "), row, strict=True))
    for name in _JSON:
        fields[name] = json.loads(fields[name])
    return TargetRecord(**{**fields, "attached": bool(fields["attached"])})

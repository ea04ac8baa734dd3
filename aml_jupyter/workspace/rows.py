"""Turn rows of the run tables into records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from .records import RunRecord

__all__ = ["OPEN", "RUN_COLUMNS", "load_runs", "to_json"]

OPEN: Final = "r.status NOT IN ('Completed', 'Failed', 'Canceled')"
"""The runs that have not ended; SQLite uses the index `runs_open` for these very words only."""

RUN_COLUMNS: Final = (
    "r.id, r.seq, r.number, r.experiment, r.parent, r.display_name, r.kind, r.status, r.reason, r.target, r.attempt, "
    "r.priority, r.cores, d.value, r.snapshot, r.max_retries, r.created, r.queued, r.started, r.ended, r.exit_code, "
    "r.error, r.progress, r.cancel_requested, r.hidden, r.in_process"
)
_FIELDS: Final = tuple(
    "definition" if column == "d.value" else column.removeprefix("r.") for column in RUN_COLUMNS.split(", ")
)
_BATCH: Final = 500


def to_json(value: Any) -> str | None:
    """Return `value` as JSON text, and None as None."""
    return None if value is None else json.dumps(value)


@lru_cache(maxsize=2048)
def _definition(text: str) -> dict[str, Any]:
    """Parse a definition; it never changes, so the open runs' are parsed once and shared."""
    value: dict[str, Any] = json.loads(text)
    return value


def load_runs(
    db: sqlite3.Connection, clause: str, parameters: Sequence[Any] = (), labels: bool = True
) -> list[RunRecord]:
    """Return the runs that ``SELECT ... FROM runs AS r LEFT JOIN definitions AS d`` with `clause` finds.

    Parameters
    ----------
    db : sqlite3.Connection
        A read connection or an open transaction.
    clause : str
        What follows the FROM clause: WHERE, ORDER BY, LIMIT.
    parameters : sequence
        The values of its question marks.
    labels : bool
        Whether tags and properties are read, too; without, they are empty.
    """
    sql = f"SELECT {RUN_COLUMNS} FROM runs AS r LEFT JOIN definitions AS d ON d.run = r.id {clause}"
    rows = db.execute(sql, parameters).fetchall()
    if not labels:
        return [_record(row, {}, {}) for row in rows]
    ids = [row[0] for row in rows]
    tags = _pairs(db, "tags", ids)
    properties = _pairs(db, "properties", ids)
    return [_record(row, tags.get(row[0], {}), properties.get(row[0], {})) for row in rows]


def _record(row: Sequence[Any], tags: dict[str, str], properties: dict[str, str]) -> RunRecord:
    fields = dict(zip(_FIELDS, row, strict=True))
    fields["definition"] = _definition(fields["definition"]) if fields["definition"] else {}
    for name in ("error", "progress"):
        fields[name] = json.loads(fields[name]) if fields[name] else None
    for name in ("hidden", "in_process"):
        fields[name] = bool(fields[name])
    return RunRecord(**fields, tags=tags, properties=properties)


def _pairs(db: sqlite3.Connection, table: str, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return {run: {key: value}} of the tags or the properties of the runs `ids`."""
    found: dict[str, dict[str, str]] = {}
    for first in range(0, len(ids), _BATCH):
        batch = ids[first : first + _BATCH]
        marks = ",".join("?" * len(batch))
        rows: Iterable[tuple[str, str, str]] = db.execute(
            f"SELECT run, key, value FROM {table} WHERE run IN ({marks}) AND value IS NOT NULL ORDER BY run, key", batch
        )
        for run, key, value in rows:
            found.setdefault(run, {})[key] = value
    return found

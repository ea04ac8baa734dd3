"""Own the rows of metrics while they are written: points of series, rows of tables, names of images and charts."""

from __future__ import annotations

import json
import sqlite3
from array import array
from dataclasses import dataclass, field
from typing import Any, Final

from .chunks import Points, append_points, extent

__all__ = ["NewPoints", "add_points", "add_row", "is_number"]

_EXACT: Final = 2**53
_NAN: Final = float("nan")
_SERIES: Final = frozenset({"scalar", "list"})
_TABLES: Final = frozenset({"row", "table"})


@dataclass
class NewPoints:
    """Hold values of one metric as they were logged: numbers, strings, booleans or None."""

    kind: str = "scalar"
    values: list[Any] = field(default_factory=list)
    times: list[Any] = field(default_factory=list)
    steps: list[Any] = field(default_factory=list)


@dataclass
class _Row:
    """Describe the summary row of a metric."""

    id: int
    kind: str
    count: int
    minimum: float | None
    maximum: float | None
    has_steps: bool
    integral: bool
    others: int


def add_points(tx: sqlite3.Connection, run_id: str, attempt: int, name: str, new: NewPoints) -> None:
    """Append the values of a scalar or a list to the metric `name`.

    Raises
    ------
    ValueError
        When the metric is there already with another kind of value.
    """
    row = _row(tx, run_id, attempt, name, new.kind)
    if row.kind not in _SERIES:
        raise ValueError(f"metric {name!r} is a {row.kind} and cannot take a {new.kind}")
    others: list[tuple[int, int, str]] = []
    kinds = set(map(type, new.values))
    numbers: list[float] = new.values
    if kinds != {float}:
        numbers = [_number(value) for value in new.values]
        others = [
            (row.id, row.count + place, json.dumps(value))
            for place, value in enumerate(new.values)
            if not is_number(value)
        ]
    integral = row.integral and float not in kinds
    steps = _steps(new.steps)
    append_points(tx, row.id, row.count, Points(array("d", numbers), array("d", new.times), steps))
    if others:
        tx.executemany("INSERT INTO metric_others (metric, position, value) VALUES (?, ?, ?)", others)
    low, high = extent(numbers)
    tx.execute(
        "UPDATE metrics SET kind = ?, count = ?, last = ?, minimum = ?, maximum = ?, has_steps = ?, integral = ?, "
        "others = ? "
        "WHERE id = ?",
        (
            "list" if "list" in (row.kind, new.kind) else "scalar",
            row.count + len(numbers),
            json.dumps(new.values[-1]),
            _least(row.minimum, low),
            _greatest(row.maximum, high),
            row.has_steps or steps is not None,
            integral,
            row.others + len(others),
            row.id,
        ),
    )


def add_row(tx: sqlite3.Connection, run_id: str, attempt: int, name: str, kind: str, value: Any, time: float) -> None:
    """Append a row, a table, an image or a chart to the metric `name`; raises as `add_points` does."""
    row = _row(tx, run_id, attempt, name, kind)
    if row.kind != kind and not {row.kind, kind} <= _TABLES:
        raise ValueError(f"metric {name!r} is a {row.kind} and cannot take a {kind}")
    tx.execute(
        "INSERT INTO metric_rows (metric, position, value, time) VALUES (?, ?, ?, ?)",
        (row.id, row.count, json.dumps(value), time),
    )
    tx.execute("UPDATE metrics SET count = count + 1 WHERE id = ?", (row.id,))


def _row(tx: sqlite3.Connection, run_id: str, attempt: int, name: str, kind: str) -> _Row:
    tx.execute(
        "INSERT OR IGNORE INTO metrics (run, attempt, name, kind) VALUES (?, ?, ?, ?)", (run_id, attempt, name, kind)
    )
    found = tx.execute(
        "SELECT id, kind, count, minimum, maximum, has_steps, integral, others FROM metrics "
        "WHERE run = ? AND attempt = ? AND name = ?",
        (run_id, attempt, name),
    ).fetchone()
    return _Row(*found)


def is_number(value: Any) -> bool:
    """Tell whether a float64 holds `value` exactly, so that it can stand in a chunk."""
    return type(value) is float or (type(value) is int and -_EXACT <= value <= _EXACT)


def _number(value: Any) -> float:
    return float(value) if is_number(value) else _NAN


def _steps(steps: list[Any]) -> array[float] | None:
    if not any(step is not None for step in steps):
        return None
    return array("d", [_NAN if step is None else step for step in steps])


def _least(old: float | None, new: float) -> float | None:
    if new != new:
        return old
    return new if old is None else min(old, new)


def _greatest(old: float | None, new: float) -> float | None:
    if new != new:
        return old
    return new if old is None else max(old, new)

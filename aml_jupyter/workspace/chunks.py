"""Own how a series of points is packed: chunks of little-endian float64 with min/max levels.

A chunk holds up to `CHUNK` points. Its level blob has four numbers for each `BUCKET` points: x and y of the last one,
the least and the greatest value, not-a-number left out. New points become a small chunk of their own; smaller chunks
before it are merged into it as the digits of a counter are, so that a point is written again about log2(`CHUNK`)
times at the most, and a series ends in a dozen small chunks at the most.
"""

from __future__ import annotations

import sqlite3
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "BUCKET",
    "CHUNK",
    "LEVEL_WIDTH",
    "Points",
    "append_points",
    "extent",
    "read_level_times",
    "read_levels",
    "read_points",
]

CHUNK: Final = 4096
BUCKET: Final = 64
LEVEL_WIDTH: Final = 4
_NAN: Final = float("nan")


@dataclass
class Points:
    """Consecutive points of a series. A step that is not-a-number was not given; `steps` is None when none was."""

    values: array[float]
    times: array[float]
    steps: array[float] | None

    def __len__(self) -> int:
        return len(self.values)


def append_points(tx: sqlite3.Connection, metric: int, first: int, new: Points) -> None:
    """Append points to a series.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    metric : int
        The series.
    first : int
        How many points it has already.
    new : Points
        The points; they are changed.
    """
    points = new
    tail = tx.execute(
        "SELECT rowid, first, count FROM metric_chunks WHERE metric = ? ORDER BY first DESC LIMIT 16", (metric,)
    ).fetchall()
    for rowid, start, count in tail:
        if count == CHUNK or count > len(points):
            break
        held = tx.execute("SELECT points, times, steps FROM metric_chunks WHERE rowid = ?", (rowid,)).fetchone()
        tx.execute("DELETE FROM metric_chunks WHERE rowid = ?", (rowid,))
        points = _joined(_unpacked(*held), points)
        first = start
    for offset in range(0, len(points), CHUNK):
        part = _part(points, offset, offset + CHUNK)
        steps = None if part.steps is None else _packed(part.steps)
        tx.execute(
            "INSERT INTO metric_chunks (metric, first, count, levels, points, times, steps) VALUES (?, ?, ?, ?, ?, ?, "
            "?)",
            (
                metric,
                first + offset,
                len(part),
                _packed(_levels(part, first + offset)),
                _packed(part.values),
                _packed(part.times),
                steps,
            ),
        )


def read_points(db: sqlite3.Connection, metric: int, first: int, last: int) -> Points:
    """Return the points `first` (counted from 0) to `last` (not included) of a series."""
    found: Points | None = None
    begin = first
    for start, values, times, steps in db.execute(
        "SELECT first, points, times, steps FROM metric_chunks WHERE metric = ? AND first < ? AND first >= "
        "coalesce((SELECT max(first) FROM metric_chunks WHERE metric = ? AND first <= ?), 0) ORDER BY first",
        (metric, last, metric, first),
    ):
        chunk = _unpacked(values, times, steps)
        if found is None:
            begin, found = start, chunk
        else:
            found = _joined(found, chunk)
    if found is None:
        return Points(array("d"), array("d"), None)
    return _part(found, first - begin, last - begin)


def read_levels(db: sqlite3.Connection, metric: int) -> array[float]:
    """Return the levels of a whole series: x and y of the last point, least, greatest, for each bucket."""
    levels = array("d")
    for (blob,) in db.execute("SELECT levels FROM metric_chunks WHERE metric = ? ORDER BY first", (metric,)):
        levels.extend(_unpack(blob))
    return levels


def read_level_times(db: sqlite3.Connection, metric: int) -> array[float]:
    """Return the time of the last point of each bucket of a whole series, in the order of `read_levels`."""
    times = array("d")
    for (blob,) in db.execute("SELECT times FROM metric_chunks WHERE metric = ? ORDER BY first", (metric,)):
        chunk = _unpack(blob)
        times.extend(chunk[min(start + BUCKET, len(chunk)) - 1] for start in range(0, len(chunk), BUCKET))
    return times


def extent(values: Sequence[float]) -> tuple[float, float]:
    """Return the least and the greatest of `values`, not-a-number left out, or that twice when it is all there is."""
    total = sum(values)
    if total != total:  # there is a not-a-number, or both infinities
        values = [value for value in values if value == value]
    if not values:
        return _NAN, _NAN
    return min(values), max(values)


def _levels(points: Points, first: int) -> array[float]:
    levels = array("d")
    values = points.values.tolist()
    for start in range(0, len(values), BUCKET):
        bucket = values[start : start + BUCKET]
        end = start + len(bucket) - 1
        x = float(first + end)
        if points.steps is not None and points.steps[end] == points.steps[end]:
            x = points.steps[end]
        levels.extend((x, bucket[-1], *extent(bucket)))
    return levels


def _joined(left: Points, right: Points) -> Points:
    steps: array[float] | None = None
    if left.steps is not None or right.steps is not None:
        steps = (left.steps or array("d", [_NAN]) * len(left)) + (right.steps or array("d", [_NAN]) * len(right))
    return Points(left.values + right.values, left.times + right.times, steps)


def _part(points: Points, start: int, end: int) -> Points:
    steps = None if points.steps is None else points.steps[start:end]
    return Points(points.values[start:end], points.times[start:end], steps)


def _packed(numbers: array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _unpack(blob: bytes) -> array[float]:
    numbers = array("d")
    numbers.frombytes(blob)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _unpacked(values: bytes, times: bytes, steps: bytes | None) -> Points:
    return Points(_unpack(values), _unpack(times), None if steps is None else _unpack(steps))

"""Read the metrics of a run: summaries, values, chart data, and SDK v1's `get_metrics`."""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from aml_jupyter.supervisor.shapes import columns_of, single

from .chunks import BUCKET, LEVEL_WIDTH, Points, extent, read_level_times, read_levels, read_points
from .records import MetricRecord
from .rows import load_runs

__all__ = ["Chart", "get_metrics", "list_metrics", "metric_chart", "metric_ranges", "metric_values"]

_SHOWN: Final = 1000
"""How many values or rows of a metric that is no numeric series a summary holds: the newest."""

_COLUMNS: Final = "id, name, kind, count, last, minimum, maximum, has_steps, integral, others"


@dataclass(frozen=True)
class Chart:
    """Describe a series drawn small: `y` at `x`, between `low` and `high`; `count` is how many points the series has.

    `x` is the step where one was logged, else the place in the series, counted from 0. When a point of the chart
    stands for several of the series, it has the last one's `x` and `y`, and the least and the greatest value of all
    of them. `time` has the points' times (Unix seconds) where they were asked for.
    """

    x: list[float]
    y: list[float]
    low: list[float]
    high: list[float]
    count: int
    time: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Metric:
    id: int
    name: str
    kind: str
    count: int
    last: str | None
    minimum: float | None
    maximum: float | None
    has_steps: int
    integral: int
    others: int

    @property
    def is_series(self) -> bool:
        """Tell whether it is made of points (a scalar or a list), not of rows."""
        return self.kind in ("scalar", "list")


def _find(db: sqlite3.Connection, run_id: str, name: str | None = None) -> list[_Metric]:
    """Return the metrics of the current attempt of a run, in the order they were first logged."""
    clause, values = ("AND m.name = ?", [run_id, name]) if name is not None else ("", [run_id])
    rows = db.execute(
        f"SELECT {', '.join('m.' + column for column in _COLUMNS.split(', '))} FROM runs AS r JOIN metrics AS m "
        f"ON m.run = r.id AND m.attempt = r.attempt WHERE r.id = ? {clause} ORDER BY m.id",
        values,
    )
    return [_Metric(*row) for row in rows]


def list_metrics(db: sqlite3.Connection, run_id: str) -> list[MetricRecord]:
    """Return a summary of each metric of the run's current attempt, in the order they were first logged."""
    return [
        MetricRecord(
            run=run_id,
            name=metric.name,
            kind=metric.kind,
            count=metric.count,
            last=None if metric.last is None else json.loads(metric.last),
            minimum=metric.minimum,
            maximum=metric.maximum,
            has_steps=bool(metric.has_steps),
            value=_shape(db, run_id, metric, _SHOWN) if metric.others or not metric.is_series else None,
        )
        for metric in _find(db, run_id)
    ]


def metric_values(
    db: sqlite3.Connection, run_id: str, name: str, first: int = 0, last: int | None = None
) -> tuple[list[Any], list[float | None] | None, list[float]]:
    """Return points of a scalar or list metric of the run's current attempt.

    Parameters
    ----------
    db : sqlite3.Connection
        A read connection or an open transaction.
    run_id, name : str
        The run and the metric.
    first : int
        The first point, counted from 0.
    last : int, optional
        The one after the last; all of them when it is not given.

    Returns
    -------
    tuple
        The values, the steps (None when the metric has none; None in the list for a point without), and the times in
        Unix seconds. All empty when there is no such metric.
    """
    found = _find(db, run_id, name)
    if not found or not found[0].is_series:
        return [], None, []
    metric = found[0]
    end = metric.count if last is None else min(last, metric.count)
    points = read_points(db, metric.id, max(first, 0), end)
    steps = None
    if metric.has_steps:
        given = points.steps if points.steps is not None else [math.nan] * len(points)
        steps = [None if step != step else int(step) if step.is_integer() else step for step in given]
    return _values(db, metric, points, max(first, 0), end), steps, points.times.tolist()


def _values(db: sqlite3.Connection, metric: _Metric, points: Points, first: int, end: int) -> list[Any]:
    values: list[Any] = points.values.tolist()
    if metric.integral:
        values = [int(value) if value == value and not math.isinf(value) else value for value in values]
    if metric.others:
        for position, value in db.execute(
            "SELECT position, value FROM metric_others WHERE metric = ? AND position >= ? AND position < ?",
            (metric.id, first, end),
        ):
            values[position - first] = json.loads(value)
    return values


def metric_chart(db: sqlite3.Connection, run_id: str, name: str, points: int = 2000, with_times: bool = False) -> Chart:
    """Return a scalar or list metric of the run's current attempt for a chart of about `points` points.

    Every extreme of the series is in `low` or `high`, however many points it has.

    Parameters
    ----------
    db : sqlite3.Connection
        A read connection or an open transaction.
    run_id, name : str
        The run and the metric.
    points : int
        How many points the chart may have, at least 1.
    with_times : bool
        Read the points' times, too.
    """
    found = _find(db, run_id, name)
    if not found or not found[0].is_series:
        return Chart([], [], [], [], 0)
    metric = found[0]
    if metric.count > points * BUCKET:
        levels = read_levels(db, metric.id)
        x, y = levels[0::LEVEL_WIDTH].tolist(), levels[1::LEVEL_WIDTH].tolist()
        low, high = levels[2::LEVEL_WIDTH].tolist(), levels[3::LEVEL_WIDTH].tolist()
        time = read_level_times(db, metric.id).tolist() if with_times else []
    else:
        series = read_points(db, metric.id, 0, metric.count)
        y = low = high = series.values.tolist()
        time = series.times.tolist() if with_times else []
        x = [float(place) for place in range(len(y))]
        if series.steps is not None:
            x = [place if step != step else step for place, step in zip(x, series.steps, strict=True)]
    return _thinned(Chart(x, y, list(low), list(high), metric.count, time), points)


def _thinned(chart: Chart, points: int) -> Chart:
    size = len(chart.x)
    if size <= points:
        return chart
    edges = [size * place // points for place in range(points + 1)]
    ends = [edge - 1 for edge in edges[1:]]
    parts = list(pairwise(edges))
    return Chart(
        [chart.x[end] for end in ends],
        [chart.y[end] for end in ends],
        [extent(chart.low[start:end])[0] for start, end in parts],
        [extent(chart.high[start:end])[1] for start, end in parts],
        chart.count,
        [chart.time[end] for end in ends] if chart.time else [],
    )


def get_metrics(
    db: sqlite3.Connection, run_id: str, name: str | None = None, recursive: bool = False
) -> dict[str, Any]:
    """Return the metrics of the run's current attempt as SDK v1 shapes them.

    Parameters
    ----------
    db : sqlite3.Connection
        A read connection or an open transaction.
    run_id : str
        The run.
    name : str, optional
        Only this metric.
    recursive : bool
        Return ``{run id: metrics}`` for the run and everything below it.

    Returns
    -------
    dict
        Name to a scalar when one value was logged, to a list when several were; tables as {column: scalar or list};
        images and charts as ``aml://artifactId/...``. Empty when there is no such metric.
    """
    if recursive:
        return {each: get_metrics(db, each, name) for each in _subtree(db, run_id)}
    return {metric.name: _shape(db, run_id, metric, None) for metric in _find(db, run_id, name)}


def _subtree(db: sqlite3.Connection, run_id: str) -> list[str]:
    found = [run_id]
    for child in load_runs(db, "WHERE r.parent = ? ORDER BY r.seq", (run_id,)):
        found.extend(_subtree(db, child.id))
    return found


def _shape(db: sqlite3.Connection, run_id: str, metric: _Metric, newest: int | None) -> Any:
    first = 0 if newest is None else max(0, metric.count - newest)
    if metric.is_series:
        points = read_points(db, metric.id, first, metric.count)
        return single(_values(db, metric, points, first, metric.count))
    rows = [
        json.loads(value)
        for (value,) in db.execute(
            "SELECT value FROM metric_rows WHERE metric = ? AND position >= ? ORDER BY position", (metric.id, first)
        )
    ]
    if metric.kind in ("image", "chart"):
        return single([f"aml://artifactId/ExperimentRun/dcid.{run_id}/{row['artifact']}" for row in rows])
    return columns_of(rows)


def metric_ranges(
    db: sqlite3.Connection, parent: str, name: str
) -> dict[str, tuple[int, Any, float | None, float | None]]:
    """Return child -> number of values, last, least and greatest one, of each child of `parent` that has logged `name`.

    What is not a number is left out of least and greatest; None where there is none.
    """
    rows = db.execute(
        "SELECT r.id, m.count, m.last, m.minimum, m.maximum FROM runs AS r "
        "JOIN metrics AS m ON m.run = r.id AND m.attempt = r.attempt "
        "WHERE r.parent = ? AND m.name = ? AND m.kind IN ('scalar', 'list')",
        (parent, name),
    )
    return {row[0]: (int(row[1]), None if row[2] is None else json.loads(row[2]), row[3], row[4]) for row in rows}

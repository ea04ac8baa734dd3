"""Own how metrics are shown: summaries, small charts, tables; and SDK v1's shape in JSON."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.errors import UserErrorException, nearest
from aml_jupyter.views.charts import line_chart, spark_text
from aml_jupyter.views.formats import iso_time, json_value, number_text
from aml_jupyter.views.html import FAINT, Html, element, table_html
from aml_jupyter.views.text import Column, printable, table_text
from aml_jupyter.workspace import get_metrics, list_metrics, metric_chart, metric_values

if TYPE_CHECKING:
    from aml_jupyter.workspace import Chart, MetricRecord, WorkspaceFolder

__all__ = [
    "MetricSeriesView",
    "MetricView",
    "MetricsView",
    "artifact_names",
    "brief_metrics",
    "metric_series_view",
    "metric_views",
    "metrics_html",
    "metrics_text",
    "metrics_view",
]

CHART_POINTS: Final = 150
BRIEF_VALUES: Final = 1_000
"""A longer series is a summary in a run's JSON; `aml run metrics --json` has all values."""
TABLE_ROWS: Final = 10


@dataclass(frozen=True)
class MetricView:
    """Describe one metric of a run with what its chart needs (None where there is nothing to draw)."""

    record: MetricRecord
    chart: Chart | None = None

    def said(self) -> str:
        """Return the metric in one line: its last value, and how many there are between which bounds."""
        record = self.record
        if record.kind in ("row", "table"):
            columns = record.value if isinstance(record.value, dict) else {}
            return f"table of {len(_rows(columns))} x {len(columns)}"
        if record.kind in ("image", "chart"):
            return f"{record.kind} {', '.join(artifact_names(record))}"
        last = record.last if record.count else record.value
        if record.count > 1 and record.minimum is not None and record.maximum is not None:
            bounds = f"{number_text(record.minimum, 4)} to {number_text(record.maximum, 4)}"
            return f"{number_text(last)}  ({record.count:,} values, {bounds})"
        if record.count > 1:
            return f"{number_text(last)}  ({record.count:,} values)"
        return number_text(last)


def artifact_names(record: MetricRecord) -> list[str]:
    """Return the names of the files that an image or a chart metric stands for."""
    values = record.value if isinstance(record.value, list) else [record.value]
    return [str(value).partition(f"/dcid.{record.run}/")[2] or str(value) for value in values if value is not None]


def metric_views(db: sqlite3.Connection, run: str) -> tuple[MetricView, ...]:
    """Return the metrics of a run, each series with its chart."""
    return tuple(
        MetricView(record, metric_chart(db, run, record.name, CHART_POINTS) if _is_series(record) else None)
        for record in list_metrics(db, run)
    )


def brief_metrics(db: sqlite3.Connection, run: str) -> dict[str, Any]:
    """Return SDK v1's shape: one value as it is, several as a list, a table as {column: values}.

    A series of more than 1,000 values is ``{"count", "last", "minimum", "maximum"}``.
    """
    found: dict[str, Any] = {}
    for record in list_metrics(db, run):
        if record.kind not in ("scalar", "list"):
            found[record.name] = record.value
        elif record.count > BRIEF_VALUES:
            found[record.name] = {
                "count": record.count,
                "last": record.last,
                "minimum": record.minimum,
                "maximum": record.maximum,
            }
        elif record.count > 1 and _is_series(record):
            found[record.name] = list(metric_values(db, run, record.name)[0])
        elif record.value is not None:
            found[record.name] = record.value
        else:
            found[record.name] = record.last
    return {name: json_value(value) for name, value in found.items()}


@dataclass(frozen=True)
class MetricsView:
    """Show all metrics of one run with all their values."""

    run: str
    metrics: tuple[MetricView, ...]
    values: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return {name: value or values} in SDK v1's shape."""
        return {name: json_value(value) for name, value in self.values.items()}

    def as_text(self, width: int = 80) -> str:
        """Return one line for each metric, with a small curve."""
        return metrics_text(self.metrics, width) or f"run {self.run} has logged no metrics"

    def as_html(self) -> str:
        """Return charts and tables."""
        return metrics_html(self.metrics) or element("p", f"run {self.run} has logged no metrics")


@dataclass(frozen=True)
class MetricSeriesView:
    """Show every value of one metric, with step and time."""

    run: str
    name: str
    values: tuple[Any, ...]
    steps: tuple[float | None, ...]
    times: tuple[float | None, ...]

    def as_json(self) -> dict[str, Any]:
        """Return columns: values, steps, times."""
        return {
            "id": self.run,
            "name": self.name,
            "values": json_value(list(self.values)),
            "steps": list(self.steps),
            "times": [iso_time(moment) for moment in self.times],
        }

    def _table(self) -> tuple[list[Column], list[list[str]]]:
        columns = [Column("step", right=True), Column(self.name, right=True), Column("time")]
        rows = [
            ["" if step is None else number_text(step), number_text(value), iso_time(moment) or ""]
            for step, value, moment in zip(self.steps, self.values, self.times, strict=True)
        ]
        return columns, rows

    def as_text(self, width: int = 80) -> str:
        """Return one line for each value."""
        return table_text(*self._table(), width)

    def as_html(self) -> str:
        """Return a table with one line for each value."""
        columns, rows = self._table()
        return table_html([column.heading for column in columns], rows, right=(0, 1))


def metrics_view(folder: WorkspaceFolder, run: str) -> MetricsView:
    """Return every metric of a run."""
    db = folder.store.read()
    return MetricsView(run, metric_views(db, run), get_metrics(db, run))


def metric_series_view(folder: WorkspaceFolder, run: str, name: str) -> MetricSeriesView:
    """Return every value of one metric; a metric that is no series has one value.

    Raises
    ------
    UserErrorException
        When the run has no such metric; names the nearest.
    """
    db = folder.store.read()
    records = {record.name: record for record in list_metrics(db, run)}
    record = records.get(name)
    if record is None:
        known = nearest(name, list(records)) or "It has logged none."
        raise UserErrorException(f"Run {run} has no metric {name!r}. {known}", "name")
    if not _is_series(record):
        value = record.last if record.value is None else record.value
        return MetricSeriesView(run, name, (value,), (None,), (None,))
    values, steps, times = metric_values(db, run, name)
    count = len(values)
    return MetricSeriesView(
        run, name, tuple(values), tuple(steps) if steps else (None,) * count, tuple(times) if times else (None,) * count
    )


def metrics_text(metrics: Sequence[MetricView], width: int) -> str:
    """Return one line for each metric."""
    rows = [
        [metric.record.name, metric.said(), spark_text(metric.chart.y) if metric.chart else ""] for metric in metrics
    ]
    if not rows:
        return ""
    columns = [Column("metric", least=12), Column("last", least=16), Column("")]
    return "\n".join(table_text(columns, rows, width).splitlines()[1:])


def metrics_html(metrics: Sequence[MetricView]) -> Html | None:
    """Return the charts side by side, then single values, then tables; None when there is nothing."""
    if not metrics:
        return None
    charts: list[Html] = []
    single: list[Sequence[str]] = []
    tables: list[Html] = []
    for metric in metrics:
        record = metric.record
        chart = metric.chart
        drawn = line_chart(chart.x, chart.y, chart.low, chart.high, record.name) if chart else None
        if drawn is not None:
            caption = element("div", element("b", record.name), " ", metric.said(), style="font-size:12px")
            charts.append(element("div", caption, drawn, style="display:inline-block;margin:4px 16px 4px 0"))
        elif record.kind in ("row", "table") and isinstance(record.value, dict):
            tables.append(_table_html(record.name, record.value))
        elif record.kind != "image":
            single.append((record.name, metric.said()))
    return element(
        "div",
        element("div", *charts) if charts else None,
        table_html(("metric", "value"), single) if single else None,
        *tables,
    )


def _is_series(record: MetricRecord) -> bool:
    return record.kind in ("scalar", "list") and record.count > 1 and record.minimum is not None


def _rows(columns: dict[str, Any]) -> list[list[Any]]:
    """Return the rows of a table given by columns; a scalar column counts as one of length one."""
    lists = [value if isinstance(value, list) else [value] for value in columns.values()]
    length = max((len(entries) for entries in lists), default=0)
    return [[entries[index] if index < len(entries) else "" for entries in lists] for index in range(length)]


def _table_html(name: str, columns: dict[str, Any]) -> Html:
    rows = _rows(columns)
    shown = [[printable(number_text(value)) for value in row] for row in rows[:TABLE_ROWS]]
    more = len(rows) - len(shown)
    return element(
        "div",
        element("div", element("b", name), style="font-size:12px;margin-top:6px"),
        table_html(list(columns), shown),
        element("div", f"and {more:,} more rows", style=FAINT) if more > 0 else None,
    )

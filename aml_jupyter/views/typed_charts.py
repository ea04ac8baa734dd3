"""Own how SDK v1's typed charts are shown: confusion matrix, accuracy table, residuals, predictions; as SVG and as text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.errors import UserErrorException
from aml_jupyter.supervisor.client.charts import chart_body
from aml_jupyter.supervisor.client.errors import AmlError
from aml_jupyter.views.charts import BARS, BLUE, HEIGHT, WIDTH, line_chart
from aml_jupyter.views.formats import number_text
from aml_jupyter.views.html import FAINT, LINE, Html, element, join, void
from aml_jupyter.views.metrics import MetricView, artifact_names
from aml_jupyter.views.text import Column, printable, table_text
from aml_jupyter.workspace import artifact_path

if TYPE_CHECKING:
    from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["TypedChart", "charts_html", "charts_text", "typed_charts"]

CHARTS: Final = 8
"""How many typed charts a view draws; the others are named among the metrics."""
CHART_BYTES: Final = 4_000_000
CLASSES: Final = 20
"""A confusion matrix of more classes is said in one line; its file has it whole."""


@dataclass(frozen=True)
class TypedChart:
    """Describe one typed chart: its metric's name, its kind (SDK v1's schema_type) and its data, which was checked."""

    name: str
    kind: str
    data: dict[str, Any]

    def as_text(self, width: int) -> str:
        """Return the chart for a terminal: a table, or bars."""
        return f"{printable(self.name)} ({self.kind})\n" + _TEXTS[self.kind](self.data, width)

    def as_html(self) -> Html:
        """Return the chart as an HTML table or inline SVG under its name."""
        caption = element("div", element("b", self.name), " ", self.kind.replace("_", " "), style="font-size:12px")
        drawn = _PAGES[self.kind](self.name, self.data)
        return element("div", caption, drawn, style="display:inline-block;vertical-align:top;margin:4px 16px 4px 0")


def typed_charts(folder: WorkspaceFolder, metrics: Sequence[MetricView]) -> tuple[TypedChart, ...]:
    """Return the newest chart of each typed chart metric whose file is there and whole."""
    wanted = [metric for metric in metrics if metric.record.kind == "chart"]
    return tuple(chart for metric in wanted[:CHARTS] for chart in _read(folder, metric))


def _read(folder: WorkspaceFolder, metric: MetricView) -> Iterator[TypedChart]:
    record = metric.record
    for name in artifact_names(record)[-1:]:
        try:
            path = artifact_path(folder, record.run, name)
            if path.stat().st_size > CHART_BYTES:
                continue
            body = json.loads(path.read_bytes())
            kind = str(body["schema_type"])
            yield TypedChart(record.name, kind, chart_body(kind, name, body)["data"])
        except (UserErrorException, AmlError, OSError, ValueError, KeyError, TypeError):
            continue  # logged, but its file is not there (any more), or was changed by hand: the metric's line names it


def charts_text(charts: Sequence[TypedChart], width: int) -> str:
    """Return the charts one below the other."""
    return "\n".join(chart.as_text(width) for chart in charts)


def charts_html(charts: Sequence[TypedChart]) -> Html | None:
    """Return the charts side by side; None when there are none."""
    return element("div", *(chart.as_html() for chart in charts)) if charts else None


# ---- confusion matrix


def _matrix_said(data: dict[str, Any]) -> str:
    matrix = data["matrix"]
    total = sum(map(sum, matrix))
    right = sum(row[place] for place, row in enumerate(matrix))
    said = f"{number_text(right)} of {number_text(total)} right"
    return said + (f" ({right / total:.1%})" if total else "")


def _matrix_text(data: dict[str, Any], width: int) -> str:
    labels = [printable(str(label)) for label in data["class_labels"]]
    if len(labels) > CLASSES:
        return f"{len(labels)} classes, {_matrix_said(data)}"
    columns = [Column("true \\ predicted"), *(Column(label, right=True) for label in labels)]
    rows = [[label, *map(number_text, row)] for label, row in zip(labels, data["matrix"], strict=True)]
    return table_text(columns, rows, width) + f"\n{_matrix_said(data)}"


def _matrix_html(name: str, data: dict[str, Any]) -> Html:
    labels, matrix = [str(label) for label in data["class_labels"]], data["matrix"]
    if len(labels) > CLASSES:
        return element("div", f"{len(labels)} classes, {_matrix_said(data)}")
    style = f"padding:3px 8px;text-align:right;border:{LINE}"
    head = [element("th", "true \\ predicted", style=style), *(element("th", label, style=style) for label in labels)]
    lines = [element("tr", *head)]
    for label, row in zip(labels, matrix, strict=True):
        most = sum(value for value in row if value > 0) or 1
        cells = [element("th", label, style=style)]
        for value in row:
            share = min(max(value / most, 0.0), 1.0) if math.isfinite(value / most) else 0.0
            cells.append(
                element("td", number_text(value), style=f"{style};background:rgba(47,127,214,{share * 0.6:.2f})")
            )
        lines.append(element("tr", *cells))
    table = element("table", *lines, style="border-collapse:collapse;font-size:inherit;color:inherit")
    return element("div", table, element("div", _matrix_said(data), style=FAINT))


# ---- residuals


def _bars_text(data: dict[str, Any], width: int) -> str:
    counts, edges = data["bin_counts"], data["bin_edges"]
    most = max((count for count in counts if math.isfinite(count)), default=0) or 1
    room = max(8, min(40, width - 40))
    rows = []
    for count, (low, high) in zip(counts, pairwise(edges), strict=True):
        share = min(max(count / most, 0.0), 1.0) if math.isfinite(count) else 0.0
        rows.append(
            [f"{number_text(low, 4)} to {number_text(high, 4)}", number_text(count, 4), BARS[-1] * round(share * room)]
        )
    return table_text((Column("bin", least=10), Column("count", right=True), Column("")), rows, width)


def _bars_html(name: str, data: dict[str, Any]) -> Html:
    counts, edges = data["bin_counts"], data["bin_edges"]
    finite = [count if math.isfinite(count) else 0.0 for count in counts]
    most = max(finite, default=0.0) or 1.0
    left, right = (min(edges), max(edges)) if all(map(math.isfinite, edges)) else (0.0, 0.0)
    span = right - left
    bars = []
    for place, (count, (low, high)) in enumerate(zip(finite, pairwise(edges), strict=True)):
        if span > 0 and math.isfinite(span):
            x, wide = (low - left) / span * WIDTH, (high - low) / span * WIDTH
        else:
            x, wide = place / len(finite) * WIDTH, WIDTH / len(finite)
        tall = max(count, 0.0) / most * (HEIGHT - 2)
        said = f"{number_text(low, 4)} to {number_text(high, 4)}: {number_text(counts[place], 4)}"
        bars.append(
            element(
                "rect",
                element("title", said),
                x=f"{x:.1f}",
                y=f"{HEIGHT - 1 - tall:.1f}",
                width=f"{max(wide - 1, 0.5):.1f}",
                height=f"{tall:.1f}",
                fill=BLUE,
                fill_opacity="0.7",
            )
        )
    drawn = element(
        "svg",
        element("title", f"{name}: {number_text(left, 4)} to {number_text(right, 4)}"),
        join(bars),
        void("line", x1=0, y1=HEIGHT - 0.5, x2=WIDTH, y2=HEIGHT - 0.5, stroke="currentColor", stroke_opacity="0.3"),
        xmlns="http://www.w3.org/2000/svg",
        width=WIDTH,
        height=HEIGHT,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        style="color:inherit;vertical-align:middle",
    )
    ends = f"{number_text(edges[0], 4)} to {number_text(edges[-1], 4)}, {number_text(sum(finite), 4)} in all"
    return element("div", drawn, element("div", ends, style=FAINT))


# ---- predictions


def _bins(data: dict[str, Any]) -> Iterator[tuple[float, float, float, float]]:
    """Yield the middle, the average, the error and the count of each bin."""
    columns = (data["bin_averages"], data["bin_errors"], data["bin_counts"])
    for (low, high), average, error, count in zip(pairwise(data["bin_edges"]), *columns, strict=True):
        yield (low + high) / 2, average, error, count


def _predictions_text(data: dict[str, Any], width: int) -> str:
    rows = [
        [number_text(middle, 4), f"{number_text(average, 4)} ± {number_text(error, 4)}", number_text(count, 4)]
        for middle, average, error, count in _bins(data)
    ]
    return table_text((Column("true", right=True), Column("predicted"), Column("count", right=True)), rows, width)


def _predictions_html(name: str, data: dict[str, Any]) -> Html:
    x, y, errors, _ = ([*column] for column in zip(*_bins(data), strict=True)) if data["bin_averages"] else ([],) * 4
    low = [value - abs(error) for value, error in zip(y, errors, strict=True)]
    high = [value + abs(error) for value, error in zip(y, errors, strict=True)]
    drawn = line_chart(x, y, low, high, name)
    said = "average prediction over the true value, with its error"
    return element("div", drawn or element("div", f"{len(y)} bins"), element("div", said, style=FAINT))


# ---- accuracy table


def _roc(table: Sequence[Sequence[float]]) -> tuple[list[float], list[float], float]:
    """Return the false and the true positive rates of one class, by rate, and the area below that curve.

    Rows are TP, FP, TN, FN; the area is by the trapezoidal rule, not a number where the class or its rest is empty.
    """
    points = {(0.0, 0.0), (1.0, 1.0)}
    for right, wrong, rejected, missed in table:
        positives, negatives = right + missed, wrong + rejected
        if positives <= 0 or negatives <= 0:
            return [], [], math.nan
        points.add((wrong / negatives, right / positives))
    ordered = sorted(points)
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(ordered))
    return [point[0] for point in ordered], [point[1] for point in ordered], area


def _accuracy_text(data: dict[str, Any], width: int) -> str:
    rows = []
    for label, table in zip(data["class_labels"][:CLASSES], data["probability_tables"], strict=False):
        rows.append([printable(str(label)), number_text(_roc(table)[2], 4), f"{len(table)}"])
    return table_text(
        (Column("class", least=8), Column("ROC area", right=True), Column("thresholds", right=True)), rows, width
    )


def _accuracy_html(name: str, data: dict[str, Any]) -> Html:
    drawn = []
    for label, table in zip(data["class_labels"][:CLASSES], data["probability_tables"], strict=False):
        x, y, area = _roc(table)
        said = f"class {label}, ROC area {number_text(area, 4)}"
        curve = line_chart(x, y, y, y, f"{name}, class {label}")
        drawn.append(element("div", curve, element("div", said, style=FAINT)))
    return element("div", *drawn)


_TEXTS: Final = {
    "accuracy_table": _accuracy_text,
    "confusion_matrix": _matrix_text,
    "predictions": _predictions_text,
    "residuals": _bars_text,
}
_PAGES: Final = {
    "accuracy_table": _accuracy_html,
    "confusion_matrix": _matrix_html,
    "predictions": _predictions_html,
    "residuals": _bars_html,
}

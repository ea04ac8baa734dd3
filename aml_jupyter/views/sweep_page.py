"""Write the view of a sweep as text and as script-free HTML; both stand inside the view of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aml_jupyter.views.formats import duration_text, number_text
from aml_jupyter.views.html import COLOURS, FAINT, Html, colour_of, element, table_html
from aml_jupyter.views.sweep_charts import sweep_charts
from aml_jupyter.views.text import Column, printable, table_text

if TYPE_CHECKING:
    from aml_jupyter.views.sweep import SweepChild, SweepView

__all__ = ["sweep_html", "sweep_text"]

LISTED: Final = 20
"""How many children text names."""
ROWS: Final = 100
"""The same of HTML."""
PARAMETERS: Final = 6
"""How many parameters have a column in text; HTML has all of them."""


def _state(child: SweepChild) -> str:
    return "Stopped" if child.final and child.was_stopped else child.run.status


def _cells(view: SweepView, child: SweepChild, names: list[str]) -> list[str]:
    took = child.duration(view.as_of)
    return [
        str(child.number),
        _state(child),
        "" if child.best is None else number_text(child.best),
        *(view.parameter_text(child, name) for name in names),
        "" if took is None else duration_text(took),
        child.remark,
    ]


def sweep_text(view: SweepView, width: int) -> str:
    """Return what the sweep has reached and its children, the best first, for a terminal of `width` columns."""
    lines = [" · ".join(printable(fact) for fact in view.facts())]
    best = view.best
    if best is not None:
        given = ", ".join(f"{name} {view.parameter_text(best, name)}" for name in best.parameters)
        lines.append(printable(f"best: no. {best.number}, {view.metric} {number_text(best.best)} ({given})"))
    if view.importances:
        lines.append("importance: " + ", ".join(f"{name} {share:.0%}" for name, share in view.importances.items()))
    if view.children:
        names = list(view.space)[:PARAMETERS]
        columns = [
            Column("no.", right=True),
            Column("status"),
            Column(view.metric, right=True, least=8),
            *(Column(name, right=True, least=6) for name in names),
            Column("took", right=True),
            Column("remark", least=10),
        ]
        rows = [_cells(view, child, names) for child in view.ranked[:LISTED]]
        lines.append(table_text(columns, rows, width))
        if len(view.children) > LISTED:
            lines.append(f"and {len(view.children) - LISTED} more: aml sweep show {view.run.id} --json")
    return "\n".join(lines)


def sweep_html(view: SweepView, is_live: bool = False) -> Html:
    """Return facts, charts and the table of children as script-free HTML.

    A live view (`is_live`) has the table, and the chart in which one chooses among the children, by itself.
    """
    best = view.best
    said = None
    if best is not None:
        given = ", ".join(f"{name} {view.parameter_text(best, name)}" for name in best.parameters)
        said = element(
            "div",
            "best: ",
            element("b", f"{view.metric} {number_text(best.best)}"),
            f" by no. {best.number} ({given}) ",
            element("code", best.run.id, style=FAINT),
        )
    names = list(view.space)
    rows = []
    for child in view.ranked[:ROWS]:
        cells: list[str] = _cells(view, child, names)
        cells[1] = element(
            "span", cells[1], style=f"color:{COLOURS['none'] if cells[1] == 'Stopped' else colour_of(child.run.status)}"
        )
        rows.append(cells)
    hidden = len(view.children) - len(rows)
    table = table_html(
        ("no.", "status", view.metric, *names, "took", "remark"), rows, right=(0, *range(2, len(names) + 4))
    )
    return element(
        "div",
        element("div", " · ".join(view.facts()), style=FAINT),
        said,
        sweep_charts(view, is_live),
        element(
            "details",
            element("summary", f"{len(view.children)} children"),
            table,
            element("div", f"and {hidden:,} more", style=FAINT) if hidden > 0 else None,
            open="open" if len(rows) <= LISTED else None,
        )
        if rows and not is_live
        else None,
    )

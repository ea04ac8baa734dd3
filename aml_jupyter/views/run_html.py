"""Write the view of one run as script-free HTML that reads in JupyterLab, on GitHub and in an exported notebook."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aml_jupyter.views.formats import clock_text, size_text, stayed_text
from aml_jupyter.views.html import COLOURS, FAINT, LINE, MONOSPACE, Html, colour_of, element, join, table_html, void
from aml_jupyter.views.logs import coloured_html
from aml_jupyter.views.metrics import metrics_html
from aml_jupyter.views.run_text import LISTED, description_of, facts_of
from aml_jupyter.views.runs import state_text
from aml_jupyter.views.typed_charts import charts_html

if TYPE_CHECKING:
    from aml_jupyter.views.run import RunView

__all__ = ["run_html"]

IMAGE_BYTES: Final = 200_000
"""A bigger image is named among the outputs, not shown."""
IMAGE_COUNT: Final = 4
IMAGE_TYPES: Final = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}


def run_html(view: RunView, files_url: str | None) -> Html:
    """Return one element for the whole run; `files_url` makes links of its outputs."""
    run = view.run
    colour = colour_of(run.status)
    return element(
        "div",
        _header(view, colour),
        _error(view) if run.error else None,
        _sweep(view),
        metrics_html(view.metrics),
        charts_html(view.charts),
        _images(view),
        _log(view),
        _outputs(view, files_url),
        _children(view) if view.sweep is None else None,
        _timeline(view),
        _footer(view),
        style=f"border-left:4px solid {colour};padding:4px 0 4px 12px;font-size:13px;line-height:1.45",
    )


def _header(view: RunView, colour: str) -> Html:
    run = view.run
    named = run.display_name and run.display_name != f"run_{run.id}"
    progress = run.progress or {}
    bar = None
    if not view.final and progress.get("total"):
        bar = element("div", element("progress", value=progress.get("done", 0), max=progress["total"]))
    return element(
        "div",
        element("b", run.display_name if named else run.id),
        " ",
        element("span", state_text(run, view.place), style=f"color:{colour};font-weight:600"),
        element("div", element("code", run.id), style=FAINT) if named else None,
        element("div", " · ".join(facts_of(view)), style=FAINT),
        element("div", f"python {view.python}", style=FAINT) if view.python else None,
        element("div", description_of(view)) if description_of(view) else None,
        bar,
    )


def _error(view: RunView) -> Html:
    error = view.run.error or {}
    tail = error.get("log_tail")
    lines = tail.splitlines() if isinstance(tail, str) else [str(line) for line in tail or []]
    shown = view.log is not None and view.log.lines
    path = error.get("log_path")
    return element(
        "div",
        element("div", str(error.get("message") or error.get("type") or ""), style="white-space:pre-wrap"),
        _preformatted([coloured_html(line) for line in lines]) if lines and not shown else None,
        element("div", "log: ", element("code", str(path))) if path and not shown else None,
        style=f"color:{COLOURS['bad']};margin:4px 0",
    )


def _sweep(view: RunView) -> Html | None:
    if view.sweep is None:
        return None
    from aml_jupyter.views.sweep_page import sweep_html  # here: it needs NumPy, which other runs do not

    return sweep_html(view.sweep)


def _images(view: RunView) -> Html | None:
    """Return the images that the run logged, small ones only, inside the page itself."""
    found: list[Html] = []
    for name, path in view.images:
        source = _data_uri(path) if len(found) < IMAGE_COUNT else None
        if source:
            found.append(
                element(
                    "div",
                    element("div", name, style="font-size:12px"),
                    void("img", src=source, alt=name, style="max-width:320px"),
                    style="display:inline-block;margin:4px 16px 4px 0",
                )
            )
    return element("div", *found) if found else None


def _data_uri(path: Path) -> str | None:
    kind = IMAGE_TYPES.get(path.suffix.lower())
    try:
        if kind is None or path.stat().st_size > IMAGE_BYTES:
            return None
        return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return None


def _log(view: RunView) -> Html | None:
    if view.log is None or not view.log.lines:
        return None
    said = "log" if view.log.whole else f"log, last {len(view.log.lines)} lines of {size_text(view.log.size)}"
    return element(
        "details",
        element("summary", said, " ", element("code", str(view.log.path), style=FAINT)),
        _preformatted([coloured_html(line) for line in view.log.lines]),
        open="open",
    )


def _outputs(view: RunView, files_url: str | None) -> Html | None:
    if not view.outputs:
        return None
    rows = []
    for artifact in view.outputs[:LISTED]:
        name: str = artifact.name
        if files_url is not None and not artifact.target:
            name = element("a", artifact.name, href=files_url + quote(artifact.name), target="_blank", rel="noopener")
        rows.append((name, " ".join(filter(None, (size_text(artifact.size), stayed_text(artifact))))))
    hidden = len(view.outputs) - len(rows)
    return element(
        "details",
        element("summary", "1 output" if len(view.outputs) == 1 else f"{len(view.outputs)} outputs"),
        table_html(("file", "size"), rows, right=(1,)),
        element("div", f"and {hidden:,} more", style=FAINT) if hidden > 0 else None,
        element("div", "fetch them: ", element("code", f"aml run download {view.run.id}"), style=FAINT),
    )


def _children(view: RunView) -> Html | None:
    if not view.children:
        return None
    rows = [
        (
            child.run.display_name,
            element("span", child.run.status, style=f"color:{colour_of(child.run.status)}"),
            element("code", child.run.id),
        )
        for child in view.children[:LISTED]
    ]
    hidden = len(view.children) - len(rows)
    return element(
        "details",
        element("summary", "1 child run" if len(view.children) == 1 else f"{len(view.children)} child runs"),
        table_html(("name", "status", "run"), rows),
        element("div", f"and {hidden:,} more", style=FAINT) if hidden > 0 else None,
    )


def _timeline(view: RunView) -> Html | None:
    if not view.timeline:
        return None
    rows = [
        (clock_text(change.time, view.as_of, seconds=True), change.after, change.reason)
        for change in view.timeline[-LISTED:]
    ]
    return element("details", element("summary", "timeline"), table_html(("time", "state", "reason"), rows))


def _footer(view: RunView) -> Html:
    said = f"{view.run.status}, as of {clock_text(view.as_of, view.as_of)}. The current state: "
    return element("div", said, element("code", view.command), style=FAINT + ";font-size:12px")


def _preformatted(lines: list[Html]) -> Html:
    return element(
        "pre",
        join(lines, "\n"),
        style=f"{MONOSPACE};font-size:12px;max-height:320px;overflow:auto;margin:4px 0;padding:4px 8px;"
        f"border:{LINE};white-space:pre-wrap;background:transparent;color:inherit",
    )

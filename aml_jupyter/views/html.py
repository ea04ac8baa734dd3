"""Own script-free HTML: a builder that escapes everything, and the colours.

Sites that show notebooks strip scripts and style blocks, so there are only plain attributes and inline styles; colours are
the front end's own variables with a fallback that reads on light and dark.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

__all__ = ["COLOURS", "FAINT", "Html", "colour_of", "element", "join", "table_html", "void"]

COLOURS: Final = {
    "good": "var(--jp-success-color1, #388e3c)",
    "bad": "var(--jp-error-color1, #d9484f)",
    "busy": "var(--jp-brand-color1, #2f7fd6)",
    "wait": "var(--jp-warn-color1, #c07f00)",
    "none": "var(--jp-ui-font-color2, #7d7d7d)",
}
FAINT: Final = "color:var(--jp-ui-font-color2, #7d7d7d)"
LINE: Final = "1px solid var(--jp-border-color2, #9e9e9e55)"
MONOSPACE: Final = "font-family:var(--jp-code-font-family, monospace)"

_STATE_COLOURS: Final = {
    "Completed": "good",
    "Succeeded": "good",
    "Failed": "bad",
    "Canceled": "none",
    "Stopped": "none",
    "NotResponding": "bad",
    "NotStarted": "wait",
    "Queued": "wait",
    "Paused": "wait",
    "CancelRequested": "wait",
}


class Html(str):
    """Text that is HTML already; any other text is escaped when it becomes a child or an attribute."""

    __slots__ = ()


def colour_of(state: str) -> str:
    """Return the CSS colour for a run's or a target's state."""
    return COLOURS[_STATE_COLOURS.get(state, "busy")]


def join(children: Sequence[str | None], between: str = "") -> Html:
    """Return the children one after the other, escaping those that are plain text; None is left out."""
    separator = between if isinstance(between, Html) else _escape(between)
    return Html(separator.join(_escape(child) for child in children if child is not None))


def element(name: str, *children: str | None, **attributes: str | int | float | None) -> Html:
    """Return one element with its children; an attribute's trailing or inner underscores become hyphens, None is left out."""
    return Html(f"<{name}{_attributes(attributes)}>{join(children)}</{name}>")


def void(name: str, **attributes: str | int | float | None) -> Html:
    """Return one element without content, closed in itself so that SVG stays well-formed XML."""
    return Html(f"<{name}{_attributes(attributes)}/>")


def table_html(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Html:
    """Return a table; `right` names the columns, counted from 0, that are flush right."""
    cell_style = f"padding:2px 10px 2px 0;border-bottom:{LINE};vertical-align:top;text-align:"

    def line(name: str, cells: Sequence[str]) -> Html:
        return element(
            "tr",
            *(
                element(name, cell, style=cell_style + ("right" if index in right else "left"))
                for index, cell in enumerate(cells)
            ),
        )

    return element(
        "table",
        element("thead", line("th", headings)),
        element("tbody", *(line("td", row) for row in rows)),
        style="border-collapse:collapse;font-size:inherit;margin:2px 0;color:inherit",
    )


def _escape(text: str) -> str:
    if isinstance(text, Html):
        return text
    safe = "".join(letter if letter >= " " or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return html.escape(safe.encode("utf-8", "replace").decode("utf-8"))


def _attributes(attributes: dict[str, str | int | float | None]) -> str:
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )

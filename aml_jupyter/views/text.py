"""Own plain text for people: display width, tables that fit the terminal, nothing that could steer it."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Column", "clip", "display_width", "printable", "table_text", "wrap"]

ELLIPSIS = "…"


@dataclass(frozen=True)
class Column:
    """Describe one column of a table: its heading, which side it is flush with, and whether it may be cut to fit."""

    heading: str
    right: bool = False
    least: int = 0
    """The fewest columns it is cut to; 0 means it is never cut."""


def printable(text: str, keep_newlines: bool = False) -> str:
    """Return `text` with control characters made visible, so that a name cannot move a terminal's cursor."""
    if text.isprintable():
        return text
    allowed = "\n\t" if keep_newlines else ""
    return "".join(
        letter
        if letter.isprintable() or letter in allowed
        else " "
        if letter.isspace()
        else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )


def display_width(text: str) -> int:
    """Return how many terminal columns `text` takes: East Asian wide letters two, combining marks none."""
    if text.isascii():
        return len(text)
    width = 0
    for letter in text:
        if unicodedata.combining(letter) or unicodedata.category(letter) in ("Cf", "Me", "Mn"):
            continue
        width += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
    return width


def clip(text: str, width: int) -> str:
    """Return `text` cut to `width` columns, with an ellipsis where something was cut."""
    if display_width(text) <= width:
        return text
    kept, used = "", 0
    for letter in text:
        used += display_width(letter)
        if used > width - 1:
            break
        kept += letter
    return (kept + ELLIPSIS) if width > 0 else ""


def wrap(text: str, width: int, indent: str = "") -> str:
    """Return `text` in lines of at most `width` columns, each after `indent`; words longer than a line stay whole."""
    return "\n".join(
        textwrap.fill(
            line,
            max(width, 20),
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )


def table_text(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> str:
    """Return a table whose lines fit into `width` columns as far as its cuttable columns allow.

    Parameters
    ----------
    columns : sequence of Column
        Headings and what may be cut.
    rows : sequence of sequence of str
        One text for each column.
    width : int
        Columns of the terminal.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [
        max([display_width(column.heading), *(display_width(row[index]) for row in cells)])
        for index, column in enumerate(columns)
    ]
    gaps = 2 * (len(columns) - 1)
    excess = sum(widths) + gaps - width
    while excess > 0:
        open_to_cuts = [index for index, column in enumerate(columns) if column.least and widths[index] > column.least]
        if not open_to_cuts:
            break
        widest = max(open_to_cuts, key=lambda index: widths[index])
        widths[widest] -= 1
        excess -= 1
    lines = [[column.heading for column in columns], *cells]
    return "\n".join(_line(columns, line, widths) for line in lines)


def _line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = []
    for column, cell, width in zip(columns, cells, widths, strict=True):
        short = clip(cell, width)
        pad = " " * (width - display_width(short))
        parts.append(pad + short if column.right else short + pad)
    return "  ".join(parts).rstrip()

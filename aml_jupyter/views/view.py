"""Own what all views have in common: JSON with stable names, text for people, script-free HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from aml_jupyter.views.formats import json_value
from aml_jupyter.views.html import Html, element, table_html
from aml_jupyter.views.text import Column, table_text

__all__ = ["Row", "TableView", "View", "as_html", "as_json", "as_text"]


class View(Protocol):
    """Something that is shown."""

    def as_json(self) -> Any:
        """Return plain lists, dicts, strings and numbers; times are ISO 8601 in UTC."""

    def as_text(self, width: int = 80) -> str:
        """Return text for a terminal of `width` columns, without a newline at its end."""

    def as_html(self) -> str:
        """Return escaped HTML without scripts and style blocks."""


class Row(Protocol):
    """Describe one line of a table view."""

    def as_json(self) -> dict[str, Any]:
        """Return the row's fields under stable names."""

    def cells(self) -> Sequence[str]:
        """Return one text for each column of the table."""


RowType = TypeVar("RowType", bound=Row)


@dataclass(frozen=True)
class TableView(Generic[RowType]):
    """Describe a list of things of one kind, shown as a table; iterates over its rows."""

    rows: tuple[RowType, ...]
    columns: tuple[Column, ...]
    nothing: str
    """What is said instead of an empty table, with what to do next."""
    note: str = ""

    def __iter__(self) -> Iterator[RowType]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def as_json(self) -> list[dict[str, Any]]:
        """Return one object for each row."""
        return [json_value(row.as_json()) for row in self.rows]

    def as_text(self, width: int = 80) -> str:
        """Return a table that fits the width as far as its columns may be cut."""
        if not self.rows:
            return self.nothing
        table = table_text(self.columns, [row.cells() for row in self.rows], width)
        return f"{table}\n{self.note}" if self.note else table

    def as_html(self) -> str:
        """Return an HTML table."""
        if not self.rows:
            return element("p", self.nothing)
        table = table_html(
            [column.heading for column in self.columns],
            [row.cells() for row in self.rows],
            right=[index for index, column in enumerate(self.columns) if column.right],
        )
        return element("div", table, element("p", self.note) if self.note else Html(""))


def as_json(view: View) -> Any:
    """Return the view as plain data for JSON."""
    return view.as_json()


def as_text(view: View, width: int = 80) -> str:
    """Return the view as text for `width` columns."""
    return view.as_text(width)


def as_html(view: View) -> str:
    """Return the view as script-free HTML."""
    return view.as_html()

"""Print figures beside their peers, and say whether each budget holds."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Row", "median_of", "print_table"]


@dataclass(frozen=True)
class Row:
    """Describe one line of the table: a figure, its budget, and its peer measured in the same run."""

    what: str
    figure: str
    budget: str
    peer: str
    holds: bool


def median_of(measure: Callable[[], float], times: int) -> float:
    """Return the median of `times` measurements, after one that does not count."""
    measure()
    return statistics.median(measure() for _ in range(times))


def print_table(rows: list[Row]) -> None:
    """Print the rows aligned."""
    head = Row("what", "measured", "budget", "peer, same run", True)
    widths = [max(len(getattr(row, name)) for row in [head, *rows]) for name in ("what", "figure", "budget", "peer")]
    for row in [head, *rows]:
        mark = "" if row is head else ("ok" if row.holds else "OVER")
        cells = [row.what, row.figure, row.budget, row.peer]
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), mark)
        if row is head:
            print("  ".join("-" * width for width in widths))

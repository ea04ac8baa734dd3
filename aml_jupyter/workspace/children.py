"""Read what is told of a run's children: how many there are, and their metrics in one question."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

__all__ = ["child_number", "children_values", "count_children"]


def child_number(sweep: str, run_id: str) -> int | None:
    """Return the number that a sweep gave its child; None for a run that a script submitted with the sweep as its parent."""
    rest = run_id[len(sweep) + 1 :]
    is_number = rest.isascii() and rest.isdecimal()
    return int(rest) if is_number and run_id == f"{sweep}_{int(rest)}" else None


def count_children(db: sqlite3.Connection, run_id: str) -> int:
    """Return how many children a run has, hidden ones included."""
    (count,) = db.execute("SELECT count(*) FROM runs WHERE parent = ?", (run_id,)).fetchone()
    return int(count)


def children_values(
    db: sqlite3.Connection, parent: str, only: Sequence[str] = ()
) -> Iterator[tuple[str, str, float | None, float | None, float | None]]:
    """Yield child, metric, last, least and greatest value of each numeric series of a run's children.

    Parameters
    ----------
    db : sqlite3.Connection
        A read connection or an open transaction.
    parent : str
        The run whose children are asked for.
    only : sequence of str
        Ids of the children; all of them when it is empty.
    """
    wanted = f"AND r.id IN ({','.join('?' * len(only))}) " if only else ""
    rows = db.execute(
        "SELECT r.id, m.name, m.last, m.minimum, m.maximum FROM runs AS r JOIN metrics AS m ON m.run = r.id AND "
        f"m.attempt = r.attempt WHERE r.parent = ? {wanted}AND m.kind IN ('scalar', 'list') ORDER BY m.id",
        (parent, *only),
    )
    for run, name, last, least, most in rows:
        value = None if last is None else json.loads(last)
        number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        yield run, name, number, least, most

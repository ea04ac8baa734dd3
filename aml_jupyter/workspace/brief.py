"""Read the names that completion offers straight from a workspace's database: for a process that has 50 ms.

It writes nothing, waits for nobody, and knows no more of the tables than names; everything else asks the rooms of the nouns.
"""

from __future__ import annotations

import os
import sqlite3

__all__ = ["stored_names"]

NEWEST = 50
"""How many runs are offered at the most."""

_NAMES = {
    "targets": "SELECT name, type FROM targets ORDER BY name",
    "experiments": "SELECT name, run_count || ' runs' FROM experiments ORDER BY name",
    "models": "SELECT name, 'version ' || max(version) FROM models GROUP BY name ORDER BY name",
    "environments": "SELECT name, 'version ' || max(version) FROM environments GROUP BY name ORDER BY name",
}
_RUNS = (
    "SELECT id, status || CASE WHEN display_name IN ('', id, 'run_' || id) THEN '' ELSE ' ' || display_name END FROM runs "
    "WHERE hidden = 0 AND substr(id, 1, ?) = ? ORDER BY seq DESC LIMIT ?"
)


def stored_names(root: str, kind: str, begin: str = "") -> list[tuple[str, str]]:
    """Return names of one kind in the workspace at `root`, each with a few words about it; runs are the newest first.

    Parameters
    ----------
    root : str
        The workspace's folder.
    kind : str
        ``targets``, ``experiments``, ``models``, ``environments`` or ``runs``.
    begin : str
        What the names begin with.

    Raises
    ------
    sqlite3.Error
        When the database cannot be read.
    """
    path = os.path.join(root, "aml.db")
    for letter in "%?#":
        path = path.replace(letter, f"%{ord(letter):02x}")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.05)
    try:
        if kind == "runs":
            found = connection.execute(_RUNS, (len(begin), begin, NEWEST)).fetchall()
        else:
            found = [row for row in connection.execute(_NAMES[kind]) if row[0].startswith(begin)]
    finally:
        connection.close()
    return [(str(name), str(about or "")) for name, about in found]

"""Remove a run that is not to be remembered: its folder, its rows, and those of the runs inside its process.

The journal says so first: from then on the run is gone whatever happens, and who is killed in between removes the rest
the next time.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from pathlib import Path

from aml_jupyter.errors import WorkspaceException
from aml_jupyter.supervisor.durable import sync_folder
from aml_jupyter.supervisor.faults import fault_point

from .folder import WorkspaceFolder
from .journal import append_journal, read_lines
from .layout import Layout
from .runs import find_run
from .states import FINAL

__all__ = ["ended_untracked", "is_untracked", "remove_folder", "remove_run", "removed_runs"]

_BY_RUN = ("definitions", "transitions", "attempts", "tags", "properties", "cursors", "artifacts")
_BY_METRIC = ("metric_chunks", "metric_others", "metric_rows")


def is_untracked(db: sqlite3.Connection, run_id: str | None) -> bool:
    """Say whether a run, or one above it, was submitted with ``TrackedRun: false``."""
    seen: set[str] = set()
    while run_id is not None and run_id not in seen:
        seen.add(run_id)
        run = find_run(db, run_id)
        if run is None:
            return False
        if (run.definition.get("run_config") or {}).get("trackedRun") is False:
            return True
        run_id = run.parent
    return False


def ended_untracked(db: sqlite3.Connection) -> list[tuple[str, float]]:
    """Return (id, end) of the runs that are to be removed now that they and those below them have ended."""
    rows = db.execute(
        "SELECT r.id, r.ended FROM runs AS r JOIN definitions AS d ON d.run = r.id WHERE r.hidden = 1 "
        "AND r.in_process = 0 AND r.ended IS NOT NULL AND json_extract(d.value, '$.run_config.trackedRun') = 0 "
        "AND NOT EXISTS (SELECT 1 FROM runs AS c WHERE c.parent = r.id AND c.in_process = 0) ORDER BY r.seq"
    )
    return [(str(run), float(ended)) for run, ended in rows]


def remove_run(folder: WorkspaceFolder, run_id: str, epoch: int | None = None) -> None:
    """Remove a run that has ended; done again, it does what is left to do.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    run_id : str
        The run.
    epoch : int, optional
        The service's epoch.

    Raises
    ------
    WorkspaceException
        When the run is still open, or its folder or the database cannot be changed.
    LeaseLost
        When `epoch` is not the current one.
    """
    run = find_run(folder.store.read(), run_id)
    if run is not None and run.status not in FINAL:
        raise WorkspaceException(f"Run {run_id} is {run.status}; only a run that has ended can be removed.")
    append_journal(folder, {"op": "run_removed", "id": run_id})
    remove_folder(folder.layout, run_id)
    with folder.store.transaction(epoch=epoch) as tx:
        _delete_rows(tx, run_id)


def remove_folder(layout: Layout, run_id: str) -> None:
    """Remove a run's folder, also where the script took its rights away."""
    place = layout.run(run_id).path
    try:
        if place.is_dir():
            _give_rights(place)
            with fault_point("runs.remove"):
                shutil.rmtree(place)
        sync_folder(str(place.parent))
    except OSError as error:
        raise WorkspaceException(
            f"{error.filename or place} cannot be removed: {error.strerror or error}. Remove it by hand."
        ) from error


def _give_rights(place: Path) -> None:
    """Make every folder below `place` one that its owner can empty."""
    for root, folders, _ in os.walk(place):
        for name in folders:
            path = os.path.join(root, name)
            if not os.path.islink(path) and os.stat(path).st_mode & stat.S_IRWXU != stat.S_IRWXU:
                os.chmod(path, stat.S_IRWXU)


def _delete_rows(tx: sqlite3.Connection, run_id: str) -> None:
    inner = [
        str(row[0])
        for row in tx.execute(
            "WITH RECURSIVE inner_runs (id) AS (SELECT ? UNION SELECT r.id FROM runs AS r JOIN inner_runs AS i "
            "ON r.parent = i.id WHERE r.in_process = 1) SELECT id FROM inner_runs",
            (run_id,),
        )
    ]
    for each in inner:
        for table in _BY_METRIC:
            tx.execute(f"DELETE FROM {table} WHERE metric IN (SELECT id FROM metrics WHERE run = ?)", (each,))
        tx.execute("DELETE FROM metrics WHERE run = ?", (each,))
        for table in _BY_RUN:
            tx.execute(f"DELETE FROM {table} WHERE run = ?", (each,))
        tx.execute("DELETE FROM events WHERE subject = ?", (each,))
        tx.execute(
            "UPDATE experiments SET run_count = run_count - 1 WHERE name = (SELECT experiment FROM runs WHERE id = ?)",
            (each,),
        )
        tx.execute("DELETE FROM runs WHERE id = ?", (each,))


def removed_runs(journal: Path) -> set[str]:
    """Return the runs that the journal says were removed."""
    return {str(entry.get("id")) for entry in read_lines(journal) if entry.get("op") == "run_removed"}

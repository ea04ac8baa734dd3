"""Check a workspace: the database, the states, and whether every file that the database speaks of is there."""

from __future__ import annotations

import sqlite3

from aml_jupyter.errors import AmlError

from .artifacts import stored_path
from .folder import WorkspaceFolder
from .model_files import missing_models
from .models import list_models
from .report import Report
from .states import FINAL, RUN_TRANSITIONS

__all__ = ["verify_workspace"]


def verify_workspace(folder: WorkspaceFolder) -> Report:
    """Check everything that the workspace remembers against its files. Changes nothing.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.

    Raises
    ------
    WorkspaceException
        When the database cannot be read at all.
    """
    db = folder.store.read()
    problems = [f"the database: {row[0]}" for row in db.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
    problems += _illegal_states(db)
    problems += _missing_files(folder, db)
    problems += missing_models(folder.layout, list_models(db))
    blobs, missing = _missing_content(folder, db)
    problems += missing
    counts = {
        "runs": _count(db, "runs"),
        "open runs": int(
            db.execute("SELECT count(*) FROM runs WHERE status NOT IN ('Completed', 'Failed', 'Canceled')").fetchone()[
                0
            ]
        ),
        "experiments": _count(db, "experiments"),
        "compute targets": _count(db, "targets"),
        "models": _count(db, "models"),
        "metrics": _count(db, "metrics"),
        "files of runs": _count(db, "artifacts"),
        "files in snapshots": blobs,
    }
    known = {row[0] for row in db.execute("SELECT id FROM runs")}
    strangers = sorted(path.name for path in folder.layout.runs.iterdir() if path.is_dir() and path.name not in known)
    notes = [
        f"runs/{name} belongs to no run: its submit was interrupted before it was acknowledged" for name in strangers
    ]
    return Report(f"Checked workspace {folder.name!r} in {folder.root}", counts, problems, notes)


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _illegal_states(db: sqlite3.Connection) -> list[str]:
    problems = []
    before: dict[str, str] = {}
    for run, was, after in db.execute("SELECT run, before, after FROM transitions ORDER BY run, id"):
        if was != before.get(run):
            problems.append(f"run {run}: a transition starts from {was}, but the run was {before.get(run)}")
        elif was is not None and after not in RUN_TRANSITIONS.get(was, frozenset()):
            problems.append(f"run {run}: went from {was} to {after}, which is not allowed")
        before[run] = after
    for run, status, ended in db.execute("SELECT id, status, ended FROM runs"):
        if status not in RUN_TRANSITIONS:
            problems.append(f"run {run}: {status!r} is not a state")
        elif before.get(run) != status:
            problems.append(f"run {run}: is {status}, but its last transition led to {before.get(run)}")
        elif (status in FINAL) != (ended is not None):
            problems.append(f"run {run}: is {status}, and {'has no' if ended is None else 'has an'} end time")
    return problems


def _missing_files(folder: WorkspaceFolder, db: sqlite3.Connection) -> list[str]:
    problems = []
    for run, parent in db.execute("SELECT id, parent FROM runs WHERE in_process = 0 OR kind = 'interactive'"):
        if not folder.layout.run(run).definition.is_file():
            problems.append(
                f"run {run}{' of ' + parent if parent else ''}: {folder.layout.run(run).definition} is missing"
            )
    for run, name, location in db.execute(
        "SELECT a.run, a.name, a.location FROM artifacts AS a JOIN runs AS r ON r.id = a.run WHERE r.in_process = 0"
    ):
        if not stored_path(folder.layout.run(run).path, location).is_file():
            problems.append(f"run {run}: its file {name} is missing")
    return problems


def _missing_content(folder: WorkspaceFolder, db: sqlite3.Connection) -> tuple[int, list[str]]:
    """Read every snapshot's tree and all stored content; return how many files the trees name, and what is wrong."""
    from .snapshots import read_blob, read_tree, verify_content

    problems = verify_content(folder)
    hashes: set[str] = set()
    for (snapshot,) in db.execute("SELECT DISTINCT snapshot FROM runs WHERE snapshot IS NOT NULL ORDER BY snapshot"):
        try:
            tree = read_tree(folder, snapshot)
        except (AmlError, OSError) as error:
            problems.append(f"snapshot {snapshot}: cannot be read ({error})")
            continue
        for entry in tree.values():
            if entry.kind != "file" or entry.hash in hashes:
                continue
            hashes.add(entry.hash)
            try:
                read_blob(folder, entry.hash)
            except (AmlError, OSError) as error:
                problems.append(f"snapshot {snapshot}: the content of {entry.path} is missing ({error})")
    return len(hashes), problems

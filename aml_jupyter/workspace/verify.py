"""Check a workspace: the database, the states, and whether every file that the database speaks of is there."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress

from aml_jupyter.errors import AmlError
from aml_jupyter.supervisor import protocol

from .artifacts import stored_path
from .definitions import without_values
from .environments import list_environments, missing_environments
from .files_there import files_in
from .folder import WorkspaceFolder
from .journal import read_lines, torn_lines
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
    headline = f"Checked workspace {folder.name!r} in {folder.root}"
    try:
        db = folder.store.read()
        problems = [f"the database: {row[0]}" for row in db.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
        return _checked(folder, db, headline, problems)
    except sqlite3.DatabaseError as error:
        again = f"aml workspace rebuild --workspace {folder.root}"
        return Report(
            headline, {}, [f"the database is damaged ({error}); restore it from the runs' files: {again}"], []
        )


def _checked(folder: WorkspaceFolder, db: sqlite3.Connection, headline: str, problems: list[str]) -> Report:
    problems += _illegal_states(db)
    problems += _wrong_definitions(folder, db)
    problems += _missing_files(folder, db)
    problems += _unexplained_ends(folder, db)
    problems += missing_models(folder.layout, list_models(db))
    problems += missing_environments(folder.layout, list_environments(db))
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
        "environments": _count(db, "environments"),
        "metrics": _count(db, "metrics"),
        "files of runs": _count(db, "artifacts"),
        "files in snapshots": blobs,
    }
    known = {row[0] for row in db.execute("SELECT id FROM runs")}
    places = folder.layout.runs.iterdir() if folder.layout.runs.is_dir() else ()
    strangers = sorted(path.name for path in places if path.is_dir() and path.name not in known)
    notes = [
        f"runs/{name} belongs to no run: its submit was interrupted before it was acknowledged" for name in strangers
    ]
    torn = torn_lines(folder.layout.journal)
    if torn:
        notes.append(f"{folder.layout.journal} has {torn} torn lines: those changes were never acknowledged")
    return Report(headline, counts, problems, notes)


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


def _wrong_definitions(folder: WorkspaceFolder, db: sqlite3.Connection) -> list[str]:
    """Compare each ``run.json`` with what the database knows of it."""
    problems = []
    for run, parent, stored in db.execute(
        "SELECT r.id, r.parent, d.value FROM runs AS r LEFT JOIN definitions AS d ON d.run = r.id "
        "WHERE r.in_process = 0 OR r.kind IN ('interactive', 'hyperdrive')"
    ):
        path = folder.layout.run(run).definition
        who = f"run {run}{' of ' + parent if parent else ''}"
        try:
            written = protocol.read_json(str(path))
        except (OSError, ValueError) as error:
            problems.append(f"{who}: {path} cannot be read ({error})")
            continue
        if written is None:
            problems.append(f"{who}: {path} is missing")
        elif stored is not None:
            known, shown = json.loads(stored), without_values(written)
            differing = sorted(key for key in {*known, *shown} if known.get(key) != shown.get(key))
            if differing:
                problems.append(f"{who}: {path} is not what the database knows of it: {', '.join(differing)}")
    return problems


def _unexplained_ends(folder: WorkspaceFolder, db: sqlite3.Connection) -> list[str]:
    """Look for the file that says how each run ended: a rebuild would not know it without."""
    problems = []
    for run, status, attempt in db.execute(
        "SELECT id, status, attempt FROM runs WHERE in_process = 0 AND attempt > 0 AND ended IS NOT NULL"
    ):
        place = folder.layout.run(run)
        result = place.attempt(attempt).control / protocol.RESULT
        if result.is_file() or any(change.get("op") == "end" for change in read_lines(place.changes)):
            continue
        with suppress(OSError, ValueError):
            if "refused" in (protocol.read_json(str(place.attempt(attempt).control / protocol.ATTEMPT)) or {}):
                continue
        problems.append(f"run {run}: is {status}, but {result} is missing")
    return problems


def _missing_files(folder: WorkspaceFolder, db: sqlite3.Connection) -> list[str]:
    problems = []
    for run, name, location, attempt in db.execute(
        "SELECT a.run, a.name, a.location, a.attempt FROM artifacts AS a JOIN runs AS r ON r.id = a.run WHERE r.in_process = 0"
    ):
        place = folder.layout.run(run)
        path = stored_path(place.path, location)
        root = place.attempt(attempt).path
        if not path.is_file() and path not in [root / file.path for file in files_in(root)]:
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

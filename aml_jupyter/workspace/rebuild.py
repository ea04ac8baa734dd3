"""Build a workspace's database anew from its files, and put it in the place of the old one, which is kept aside."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

from aml_jupyter.errors import AmlError, WorkspaceException
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.durable import sync_folder
from aml_jupyter.supervisor.faults import fault_point

from .database import connect_for_writing
from .environments import list_environments, missing_environments
from .experiments import create_experiment
from .filelock import exclusive, try_exclusive
from .folder import WorkspaceFolder, read_identity
from .journal import read_lines
from .layout import Layout
from .migration import fill_database, make_folders
from .model_files import missing_models
from .models import list_models
from .numbers import Given, given_numbers
from .removal import remove_folder, removed_runs
from .replay import Birth, bear, births, replay_journal, replay_run
from .report import Report
from .store import Store

__all__ = ["rebuild_workspace"]

_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")


def rebuild_workspace(root: str | os.PathLike[str]) -> Report:
    """Restore the database of the workspace in `root` from files alone.

    They are ``workspace.json``, ``journal.jsonl``, and of each run ``run.json``, ``changes.jsonl`` and its attempts.
    The old database is moved aside, whatever state it is in; views find a new generation and read everything again.

    Parameters
    ----------
    root : path
        The workspace's folder.

    Raises
    ------
    WorkspaceException
        When the folder is no workspace, cannot be written, or a service is using it.
    """
    layout = Layout(Path(os.path.abspath(os.path.expanduser(root))))
    identity = read_identity(layout)
    if identity is None:
        raise WorkspaceException(f"There is no workspace in {layout.root}: its workspace.json is missing.")
    make_folders(layout)
    with exclusive(layout.creation_lock), try_exclusive(layout.service_lock) as free:
        if not free:
            raise WorkspaceException(
                f"A service is using the workspace {layout.root}. Wait until its runs have ended, or stop the service, "
                "and try again."
            )
        with _old_database_held(layout.database) as known:
            return _rebuild(layout, identity, known)


def _rebuild(layout: Layout, identity: dict[str, Any], known: set[str] | None) -> Report:
    new = layout.database.with_name("aml.db.new")
    _discard(new)
    try:
        fill_database(new, identity["id"])
        folder = WorkspaceFolder(layout.root, identity)
        folder.store = Store(new)
        try:
            counts, problems, notes = _fill(folder, known)
        finally:
            folder.close()
        _settle(new)
    except BaseException:
        with suppress(OSError):
            _discard(new)
        raise
    kept = _swap(layout.database, new)
    if kept is not None:
        notes.append(f"the old database was kept as {kept}")
    return Report(f"Rebuilt workspace {identity['name']!r} in {layout.root}", counts, problems, notes)


def _fill(folder: WorkspaceFolder, known: set[str] | None) -> tuple[dict[str, int], list[str], list[str]]:
    problems: list[str] = []
    notes: list[str] = []
    definitions = []
    for run in removed_runs(folder.layout.journal):
        remove_folder(folder.layout, run)
    for definition in _definitions(folder.layout, problems):
        if known is not None and definition["id"] not in known:
            notes.append(f"run {definition['id']} was left out: its submit was interrupted before it was acknowledged")
        else:
            definitions.append(definition)
    journal = list(read_lines(folder.layout.journal))
    with folder.store.transaction(durable=False) as tx:
        tx.execute("UPDATE targets SET created = ?, modified = ?", (folder.created, folder.created))
        _create_experiments(tx, journal, definitions)
        problems += replay_journal(tx, journal)
    lost = _bear_all(folder, definitions)
    for definition in _children_first(definitions):
        try:
            if definition["id"] in lost:
                raise lost[definition["id"]]
            notes += replay_run(folder, definition)
        except (AmlError, KeyError, TypeError, ValueError) as error:
            problems.append(f"run {definition['id']} could not be restored whole: {type(error).__name__}: {error}")
    with folder.store.transaction() as tx:
        tx.execute("DELETE FROM events")  # the new generation tells views to read everything again
        tx.execute(
            "INSERT INTO lease (one, epoch, holder, time) VALUES (1, ?, ?, ?)",
            (_highest_epoch(folder.layout, tx), json.dumps({}), time.time()),
        )
    db = folder.store.read()
    problems += missing_models(folder.layout, list_models(db))
    problems += missing_environments(folder.layout, list_environments(db))
    counts = {
        name: int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        for name, table in (
            ("runs", "runs"),
            ("experiments", "experiments"),
            ("compute targets", "targets"),
            ("models", "models"),
            ("environments", "environments"),
            ("metrics", "metrics"),
            ("files of runs", "artifacts"),
        )
    }
    return counts, problems, notes


def _create_experiments(
    tx: sqlite3.Connection, journal: list[dict[str, Any]], definitions: list[dict[str, Any]]
) -> None:
    """Make the experiments in the order in which they came up, so that their ids are the old ones."""
    named = [(entry.get("time"), entry.get("name")) for entry in journal if entry.get("op") == "experiment"]
    used = [(definition.get("created"), definition["experiment"]) for definition in definitions]
    whole = [(float(at), name) for at, name in (*named, *used) if isinstance(at, int | float) and isinstance(name, str)]
    for at, name in sorted(whole):
        with suppress(AmlError):  # it is told where the journal or the run is taken in
            create_experiment(tx, name, at)


def _children_first(definitions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs with each one behind those below it: the end of a run ends those that live in its process."""
    parents = {str(definition["id"]): definition.get("parent") for definition in definitions}

    def depth(definition: dict[str, Any]) -> int:
        above, seen = definition.get("parent"), {str(definition["id"])}
        while above in parents and above not in seen:
            seen.add(above)
            above = parents[above]
        return len(seen)

    return sorted(definitions, key=depth, reverse=True)


def _bear_all(folder: WorkspaceFolder, definitions: list[dict[str, Any]]) -> dict[str, Exception]:
    """Add the rows of all runs in the order they came in; return what went wrong with which."""
    lost: dict[str, Exception] = {}
    beginnings = [birth for definition in definitions for birth in births(folder, definition)]
    given = given_numbers(folder.layout)
    numbers = _numbers(
        _in_order(beginnings, given), {str(each["id"]): each["experiment"] for each in definitions}, given
    )
    for birth, number in numbers:
        try:
            with folder.store.transaction(durable=False) as tx:
                bear(tx, birth, number)
        except (AmlError, KeyError, TypeError, ValueError) as error:
            if birth.definition is not None:
                lost[birth.run] = error
    return lost


def _in_order(beginnings: list[Birth], given: Mapping[str, Given]) -> list[Birth]:
    """Return beginnings in the order in which they were given numbers; those that have none stand where their time does."""
    latest = 0.0
    keys = {}
    numbered = [birth for birth in beginnings if birth.run in given]
    for birth in sorted(numbered, key=lambda birth: given[birth.run].place):
        latest = max(latest, birth.time)
        keys[birth.run] = (latest, given[birth.run].place)
    return sorted(beginnings, key=lambda birth: keys.get(birth.run, (birth.time, -1)))


def _numbers(
    beginnings: list[Birth], experiments: Mapping[str, str], given: Mapping[str, Given]
) -> Iterator[tuple[Birth, int]]:
    """Yield each beginning with its number: the one it was given, else the next one that nobody was given."""
    taken = {(experiments.get(b.owner or b.run), given[b.run].number) for b in beginnings if b.run in given}
    last: dict[str | None, int] = {}
    for birth in beginnings:
        experiment = experiments.get(birth.owner or birth.run)
        number = given[birth.run].number if birth.run in given else None
        if number is None:
            number = next(each for each in count(last.get(experiment, 0) + 1) if (experiment, each) not in taken)
        last[experiment] = number
        yield birth, number


def _definitions(layout: Layout, problems: list[str]) -> list[dict[str, Any]]:
    """Return the definitions of all runs, and tell which cannot be read."""
    found = []
    for place in sorted(layout.runs.iterdir()):
        path = layout.run(place.name).definition
        try:
            definition = protocol.read_json(str(path))
        except (OSError, ValueError) as error:
            problems.append(f"{path} cannot be read: {error}")
            continue
        if definition is None:
            problems.append(f"{place} has no run.json")
        elif definition.get("id") != place.name or "experiment" not in definition:
            problems.append(f"{path} is not the definition of run {place.name}")
        else:
            found.append(definition)
    return found


def _highest_epoch(layout: Layout, tx: sqlite3.Connection) -> int:
    """Return the highest epoch that any file speaks of: control folders refuse a lower one."""
    highest = int(tx.execute("SELECT coalesce(max(epoch), 0) FROM attempts").fetchone()[0])
    for path in layout.runs.glob(f"*/attempts/*/{protocol.CONTROL}/{protocol.EPOCH}"):
        with suppress(OSError, ValueError):
            highest = max(highest, int(path.read_text()))
    with suppress(OSError, ValueError, TypeError, AttributeError):
        highest = max(highest, int(json.loads(layout.service_lock.read_text()).get("epoch") or 0))
    return highest


@contextmanager
def _old_database_held(path: Path) -> Iterator[set[str] | None]:
    """Keep writers out of the old database in the block; the value is the runs it knows, None where it is damaged."""
    if not path.exists():
        yield None
        return
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        known: set[str] | None = None
        with suppress(sqlite3.Error):
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                known = {row[0] for row in connection.execute("SELECT id FROM runs")}
        yield known
    finally:
        with suppress(sqlite3.Error):
            connection.close()


def _discard(path: Path) -> None:
    for suffix in _SUFFIXES:
        with fault_point("rebuild.discard"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _settle(path: Path) -> None:
    """Bring everything into the main file, and that onto the disk: what lies beside it is not moved along."""
    connection = connect_for_writing(path, network=True, durable=True)
    connection.close()
    with fault_point("rebuild.sync"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _swap(database: Path, new: Path) -> Path | None:
    """Move the old database and what belongs to it aside, then the new one into its place.

    The main file goes first: killed in between, the workspace has no database and asks for a rebuild. The old log
    must be gone before the new file is there, for SQLite would play it into it.
    """
    kept = database.with_name(f"{database.name}.before-rebuild-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
    moved = False
    for suffix in _SUFFIXES:
        old = database.with_name(database.name + suffix)
        if old.exists():
            with fault_point("rebuild.aside"):
                os.rename(old, kept.with_name(kept.name + suffix))
            moved = moved or not suffix
    with fault_point("rebuild.place"):
        os.rename(new, database)
    sync_folder(database.parent)
    return kept if moved else None

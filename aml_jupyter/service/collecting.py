"""Give disk space back: what no run needs any more, and what no run has used for a while.

Nothing that a run made is ever among it: run history, logs, metrics, outputs and the snapshots of runs stay.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aml_jupyter.environments import EnvironmentCache
from aml_jupyter.environments.collect import collect_environments
from aml_jupyter.errors import UserErrorException
from aml_jupyter.service.preparing import recipe_key
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.workspace import WorkspaceFolder, artifact_path, list_artifacts, open_runs, read_tree
from aml_jupyter.workspace.files_there import files_there
from aml_jupyter.workspace.removal import remove_folder
from aml_jupyter.workspace.snapshots.collect import Freed, collect_packs, collect_working_copy, content_in_use
from aml_jupyter.workspace.snapshots.store import store_errors

__all__ = ["CollectedKind", "collect_garbage"]

DAY: Final = 86400.0
INTERRUPTED_SECONDS: Final = DAY
"""How old the folder of a submit that was never acknowledged has to be: another process may be writing it."""


@dataclass(frozen=True)
class CollectedKind:
    """Say how many things of one kind were removed, and how many bytes that gave back."""

    what: str
    count: int
    size: int


def collect_garbage(
    folder: WorkspaceFolder, unused_days: float = 30.0, working_copies: bool = False, dry_run: bool = False
) -> list[CollectedKind]:
    """Remove what is not needed; safe beside running services, builds and submits, and to be killed and done again.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace. Environments belong to the user, and are collected for all workspaces.
    unused_days : float
        Days for which no run may have used an environment, and which a database backup has to be old.
    working_copies : bool
        Remove from the working directories of runs that ended so long ago what is as the snapshot has it.
    dry_run : bool
        Remove nothing, and return what would be.

    Returns
    -------
    list of CollectedKind
        One for each kind, also where nothing was found.

    Raises
    ------
    UserErrorException
        When `unused_days` is no number of at least 0.
    WorkspaceException
        When something cannot be removed, or a snapshot is damaged.
    """
    if isinstance(unused_days, bool) or not isinstance(unused_days, int | float) or not 0 <= unused_days < 1e6:
        raise UserErrorException(
            f"unused_days is {unused_days!r}; a number of days of at least 0 was expected.", "unused_days"
        )
    folder.store.check_host()
    seconds = unused_days * DAY
    wanted = {key for run in open_runs(folder.store.read()) if (key := recipe_key(run)) is not None}
    gone = collect_environments(EnvironmentCache(), seconds, wanted, dry_run)
    found = [
        CollectedKind("environments", len(gone), sum(each.size for each in gone)),
        _named("interrupted submits", _interrupted_submits(folder, dry_run)),
        _named("snapshot packs", _packs(folder, dry_run)),
        _named("database backups", _backups(folder, seconds, dry_run)),
    ]
    if working_copies:
        found.append(_named("files of working copies", _working_copies(folder, seconds, dry_run)))
    return found


def _named(what: str, freed: Freed) -> CollectedKind:
    return CollectedKind(what, freed.count, freed.size)


def _interrupted_submits(folder: WorkspaceFolder, dry_run: bool) -> Freed:
    """Remove the folders of runs that the database does not know: their submit was killed before it was acknowledged."""
    freed = Freed()
    for place in _folders(folder.layout.runs):
        if time.time() - place.stat().st_mtime < INTERRUPTED_SECONDS:
            continue
        if _is_known(folder, place.name):
            continue
        freed += Freed(1, _size(place))
        if not dry_run:
            remove_folder(folder.layout, place.name)
    return freed


def _is_known(folder: WorkspaceFolder, run_id: str) -> bool:
    return folder.store.read().execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone() is not None


def _packs(folder: WorkspaceFolder, dry_run: bool) -> Freed:
    with content_in_use(folder, alone=True):
        rows = folder.store.read().execute("SELECT DISTINCT snapshot FROM runs WHERE snapshot IS NOT NULL")
        return collect_packs(folder, [str(row[0]) for row in rows], dry_run)


def _backups(folder: WorkspaceFolder, seconds: float, dry_run: bool) -> Freed:
    freed = Freed()
    root = folder.root
    for pattern in ("aml.db.format-*.backup", "aml.db.before-rebuild-*"):
        for path in sorted(Path(root).glob(pattern)):
            facts = path.lstat()
            if time.time() - facts.st_mtime < seconds or not path.is_file():
                continue
            freed += Freed(1, facts.st_size)
            if not dry_run:
                with store_errors(str(path)), fault_point("workspace.remove_backup"):
                    os.unlink(path)
    return freed


def _working_copies(folder: WorkspaceFolder, seconds: float, dry_run: bool) -> Freed:
    freed = Freed()
    db = folder.store.read()
    rows = db.execute(
        "SELECT id, snapshot FROM runs WHERE ended IS NOT NULL AND ended < ? AND snapshot IS NOT NULL AND in_process = 0",
        (time.time() - seconds,),
    ).fetchall()
    for run_id, snapshot in rows:
        copies = [attempt / "work" for attempt in _folders(folder.layout.run(run_id).attempts)]
        if not copies:
            continue
        tree = read_tree(folder, snapshot)
        away = files_there(folder, run_id)
        names = [record.name for record in list_artifacts(db, run_id) if record.name not in away]
        kept = {artifact_path(folder, run_id, name) for name in names}
        for work in copies:
            freed += collect_working_copy(work, tree, kept, dry_run)
    return freed


def _folders(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from sorted(path for path in place.iterdir() if path.is_dir() and not path.is_symlink())


def _size(place: Path) -> int:
    return sum(os.lstat(os.path.join(root, name)).st_size for root, _, names in os.walk(place) for name in names)

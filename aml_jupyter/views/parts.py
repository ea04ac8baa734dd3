"""Own what the page of a run tells on demand: its configuration, the lock of its environment, the files of its snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.errors import UserErrorException
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.plain import open_plain
from aml_jupyter.views.formats import json_value
from aml_jupyter.workspace import diff_snapshots, get_run, read_tree
from aml_jupyter.workspace.definitions import without_values

if TYPE_CHECKING:
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder
    from aml_jupyter.workspace.snapshots import TreeEntry

__all__ = ["RunDetails", "SnapshotFiles", "run_details", "snapshot_files"]

LOCK_BYTES: Final = 1_000_000
LISTED: Final = 2_000
"""How many files of a snapshot, or of a difference, are named."""


@dataclass(frozen=True)
class RunDetails:
    """Hold the definition of a run without secrets and values of variables, and the lock of its environment."""

    definition: dict[str, Any]
    lock: str | None

    def as_json(self) -> dict[str, Any]:
        """Return both."""
        return {"definition": json_value(self.definition), "environment_lock": self.lock}


@dataclass(frozen=True)
class SnapshotFiles:
    """Name the files of a run's snapshot and, where another run is given, what differs from that one's."""

    snapshot: str | None
    files: tuple[tuple[str, int], ...]
    total: int
    other: str | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the first 2,000 names of each, and how many files there are."""
        return {
            "snapshot": self.snapshot,
            "files": [{"name": _shown(name), "size": size} for name, size in self.files],
            "total": self.total,
            "other": self.other,
            "added": [_shown(name) for name in self.added[:LISTED]],
            "removed": [_shown(name) for name in self.removed[:LISTED]],
            "changed": [_shown(name) for name in self.changed[:LISTED]],
        }


def run_details(folder: WorkspaceFolder, run_id: str) -> RunDetails:
    """Return what a run was told to do, and with which packages it does it.

    Raises
    ------
    UserErrorException
        When there is no such run.
    """
    run = get_run(folder.store.read(), run_id)
    return RunDetails(without_values(run.definition), _lock(folder, run))


def snapshot_files(folder: WorkspaceFolder, run_id: str, other_id: str | None = None) -> SnapshotFiles:
    """Return the files of a run's snapshot; with `other_id`, how they differ from those of that (older) run.

    Raises
    ------
    UserErrorException
        When there is no such run, or one of the two has no snapshot to compare.
    """
    db = folder.store.read()
    run = get_run(db, run_id)
    entries = [] if run.snapshot is None else _files_of(folder, run.snapshot)
    files = tuple((entry.path, entry.size) for entry in entries[:LISTED])
    if other_id is None:
        return SnapshotFiles(run.snapshot, files, len(entries))
    other = get_run(db, other_id)
    for each in (run, other):
        if each.snapshot is None:
            raise UserErrorException(f"Run {each.id} has no snapshot: there is nothing to compare.", "other")
    found = diff_snapshots(folder, str(other.snapshot), str(run.snapshot))
    names = [tuple(change.path for change in kind) for kind in (found.added, found.removed, found.changed)]
    return SnapshotFiles(run.snapshot, files, len(entries), other.id, *names)


def _lock(folder: WorkspaceFolder, run: RunRecord) -> str | None:
    if not run.attempt:
        return None
    control = Path(folder.layout.run(run.id).attempt(run.attempt).control)
    try:
        with open_plain(control / protocol.ENVIRONMENT_LOCK) as stream:
            return stream.read(LOCK_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def _files_of(folder: WorkspaceFolder, snapshot: str) -> list[TreeEntry]:
    return [entry for entry in read_tree(folder, snapshot).values() if entry.kind != "folder"]


def _shown(name: str) -> str:
    """Return a file's name as text that JSON can carry; bytes that are not UTF-8 appear as ``\\xff``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

"""Own the list of a run's files, and the way from a file's name to its place: never outside the run's folder."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path, PurePosixPath
from typing import Final

from aml_jupyter.errors import UserErrorException, nearest
from aml_jupyter.supervisor import protocol

from .events import record_event
from .files_there import files_in, files_there
from .folder import WorkspaceFolder
from .outcome import watched_folders
from .records import ArtifactRecord, RunRecord
from .runs import find_run, get_run
from .states import FINAL

__all__ = ["artifact_path", "index_files", "list_artifacts", "stored_path"]

_USER_LOGS: Final = "user_logs"
_UPLOADED: Final = f"{protocol.CONTROL}/{protocol.ARTIFACTS}"


def index_files(
    folder: WorkspaceFolder,
    run_id: str,
    attempt: int,
    watch: Sequence[str] = ("outputs", "logs"),
    epoch: int | None = None,
    tx: sqlite3.Connection | None = None,
    empty: Collection[str] = (),
    open_only: bool = False,
) -> int:
    """Bring the list of a run's files up to what lies in its folder.

    Symbolic links are listed when what they point to lies in the attempt's folder, and left out otherwise.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    run_id : str
        The run.
    attempt : int
        Which of its attempts.
    watch : sequence of str
        Folders of the working directory whose files belong to the run; ``outputs`` and ``logs`` always do, unless it is
        empty.
    epoch : int, optional
        The service's epoch.
    tx : sqlite3.Connection, optional
        An open transaction to write in; without it, one of its own.
    empty : collection of str
        Folders, below the attempt's, that need no look: they hold no file.
    open_only : bool
        Write nothing when the run has ended while we looked: its last list stands.

    Returns
    -------
    int
        How many files are new, changed or gone.

    Raises
    ------
    LeaseLost
        When `epoch` is not the current one.
    WorkspaceException
        When the workspace cannot be written.
    """
    run_folder = folder.layout.run(run_id)
    root = run_folder.attempt(attempt).path
    prefix = f"attempts/{attempt}"
    found: dict[str, ArtifactRecord] = {}
    for base, shown in _places(watch):
        if base in empty:
            continue
        for relative, size, modified in _files_below(root, base):
            name = _shown(f"{shown}/{relative}" if shown else relative)
            location = _stored(f"{prefix}/{base}/{relative}")
            found[location] = ArtifactRecord(run_id, name, location, size, attempt, modified)
    for file in files_in(root):
        location = _stored(f"{prefix}/{file.path}")
        found[location] = ArtifactRecord(run_id, _shown(file.name), location, file.size, attempt, file.modified / 1e9)
    if tx is None and not _differences(folder.store.read(), run_id, attempt, found):
        return 0
    with nullcontext(tx) if tx is not None else folder.store.transaction(durable=False, epoch=epoch) as writer:
        if open_only and get_run(writer, run_id).status in FINAL:
            return 0
        changed = _update(writer, run_id, attempt, found)
        if changed:
            record_event(writer, "run.artifact", run_id, {"names": changed[:100]})
    return len(changed)


def _places(watch: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the folders whose files are listed, below the attempt's folder, and what stands before their names."""
    for name in dict.fromkeys(("outputs", "logs", *watch)) if watch else ():
        path = PurePosixPath(name.replace(os.sep, "/"))
        if path.is_absolute() or ".." in path.parts or not path.parts:
            continue
        yield f"{protocol.WORK}/{path}", str(path)
    yield f"{protocol.CONTROL}/{_USER_LOGS}", _USER_LOGS
    yield _UPLOADED, ""


def _files_below(root: Path, base: str) -> Iterator[tuple[str, int, float]]:
    """Yield (name below `base`, bytes, time of change) of each regular file that lies inside `root`."""
    top = os.path.join(root, base)
    if not os.path.isdir(top):
        return
    if _has_link(root, base) and not _is_inside(os.path.realpath(top), os.path.realpath(root)):
        return
    real_root = ""
    for place, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            try:
                if os.path.islink(path):
                    real_root = real_root or os.path.realpath(root)
                    if not _is_inside(os.path.realpath(path), real_root):
                        continue
                if not os.path.isfile(path):
                    continue
                found = os.stat(path)
            except OSError:  # it went away while we looked
                continue
            yield os.path.relpath(path, top).replace(os.sep, "/"), found.st_size, found.st_mtime


def _has_link(root: Path, base: str) -> bool:
    """Tell whether a part of `base` is a symbolic link; most are not, and asking so is cheaper than resolving."""
    path = str(root)
    for part in base.split("/"):
        path = f"{path}/{part}"
        if os.path.islink(path):
            return True
    return False


def _is_inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root + os.sep)


def _differences(
    db: sqlite3.Connection, run_id: str, attempt: int, found: dict[str, ArtifactRecord]
) -> list[tuple[str, ArtifactRecord | None]]:
    """Return what differs from the rows of this attempt: the name that a file has there, and what it is now (None: gone)."""
    uploaded = f"attempts/{attempt}/{_UPLOADED}/"
    known = {
        location: (name, size, modified)
        for name, location, size, modified in db.execute(
            "SELECT name, location, size, modified FROM artifacts WHERE run = ? AND attempt = ?", (run_id, attempt)
        )
    }
    others = {
        row[0]
        for row in db.execute(
            "WITH RECURSIVE inner_runs (id) AS (SELECT id FROM runs WHERE parent = ? AND in_process = 1 "
            "UNION SELECT r.id FROM runs AS r JOIN inner_runs AS i ON r.parent = i.id WHERE r.in_process = 1) "
            "SELECT a.location FROM artifacts AS a JOIN inner_runs AS i ON a.run = i.id",
            (run_id,),
        )
    }
    changed: list[tuple[str, ArtifactRecord | None]] = [
        (name, None)
        for location, (name, _, _) in known.items()
        if location not in found and not location.startswith(uploaded)
    ]
    taken = {name for name, _, _ in known.values()} - {name for name, _ in changed}
    for location, file in found.items():
        if location in known:
            name, size, modified = known[location]
            if size != file.size or modified != file.modified:
                changed.append((name, file))
        elif location not in others and file.name not in taken:
            taken.add(file.name)
            changed.append((file.name, file))
    return changed


def _update(tx: sqlite3.Connection, run_id: str, attempt: int, found: dict[str, ArtifactRecord]) -> list[str]:
    """Write what differs from the rows of this attempt; return the names of the files that do."""
    changed = _differences(tx, run_id, attempt, found)
    for name, file in changed:
        if file is None:
            tx.execute("DELETE FROM artifacts WHERE run = ? AND attempt = ? AND name = ?", (run_id, attempt, name))
            continue
        updated = tx.execute(
            "UPDATE artifacts SET size = ?, modified = ? WHERE run = ? AND attempt = ? AND name = ? AND location = ?",
            (file.size, file.modified, run_id, attempt, name, file.location),
        )
        if not updated.rowcount:
            tx.execute(
                "INSERT OR IGNORE INTO artifacts (run, attempt, name, location, size, modified) VALUES (?, ?, ?, ?, "
                "?, ?)",
                (run_id, attempt, file.name, file.location, file.size, file.modified),
            )
    return [name for name, _ in changed]


def _shown(name: str) -> str:
    """Return a file's name as text; bytes that are not UTF-8 are written as ``\\xff``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _stored(location: str) -> str:
    """Return a path as the database can keep it; one that is not UTF-8 as NUL and its bytes in hexadecimal."""
    return location if _is_text(location) else "\0" + os.fsencode(location).hex()


def stored_path(run_folder: Path, location: str) -> Path:
    """Return the path that a row of the `artifacts` table says."""
    if location.startswith("\0"):
        location = os.fsdecode(bytes.fromhex(location[1:]))
    return run_folder / location


def list_artifacts(db: sqlite3.Connection, run_id: str) -> list[ArtifactRecord]:
    """Return the files of the run's current attempt, by name."""
    rows = db.execute(
        "SELECT a.run, a.name, a.location, a.size, a.attempt, a.modified FROM runs AS r JOIN artifacts AS a "
        "ON a.run = r.id AND a.attempt = r.attempt WHERE r.id = ? ORDER BY a.name",
        (run_id,),
    )
    return [ArtifactRecord(*row) for row in rows]


def artifact_path(folder: WorkspaceFolder, run_id: str, name: str) -> Path:
    """Return where the file `name` of a run lies.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    run_id : str
        The run.
    name : str
        The file's name as `list_artifacts` gives it; a file that is not listed yet is found, too.

    Raises
    ------
    UserErrorException
        When there is no such run or file, or the name leads out of the run's folder.
    """
    db = folder.store.read()
    run = get_run(db, run_id)
    parts = PurePosixPath(name)
    is_odd = not parts.parts or parts.is_absolute() or ".." in parts.parts or "\0" in name or not _is_text(name)
    row = None
    if not is_odd:
        row = db.execute(
            "SELECT location FROM artifacts WHERE run = ? AND attempt = ? AND name = ?", (run_id, run.attempt, name)
        ).fetchone()
    if is_odd or (row is None and "\\" in name):
        raise UserErrorException(
            f"The file name {name!r} cannot be used: expected a relative one without '..', for example "
            "'outputs/model.pkl'.",
            "name",
        )
    run_folder = folder.layout.run(_owner(folder, run).id).path
    if row is not None:
        path = stored_path(run_folder, row[0])
    else:
        base = protocol.CONTROL if parts.parts[0] == _USER_LOGS else protocol.WORK
        path = run_folder / "attempts" / str(run.attempt) / base / parts
    attempt_folder = os.path.realpath(run_folder / "attempts" / str(run.attempt))
    if not _is_inside(os.path.realpath(path), attempt_folder):
        raise UserErrorException(f"The file {name!r} of run {run_id} points out of the run's folder.", "name")
    is_kept = row is not None or (_is_listed_place(parts) and (parts.parts[0] == _USER_LOGS or _keeps_outputs(run)))
    if not path.is_file() and (away := files_there(folder, run_id).get(name)) is not None:
        raise UserErrorException(
            f"The file {name!r} of run {run_id} ({away.size:,} bytes) stayed on {away.target}, where it was made. Fetch it: "
            f"aml run download {run_id} {name}.",
            "name",
        )
    if not path.is_file() or not is_kept:
        known = nearest(name, [each.name for each in list_artifacts(db, run_id)]) or "It has none."
        raise UserErrorException(f"Run {run_id} has no file {name!r}. {known}", "name")
    return path


def _is_listed_place(name: PurePosixPath) -> bool:
    return name.parts[0] in ("outputs", "logs", _USER_LOGS)


def _keeps_outputs(run: RunRecord) -> bool:
    return bool(watched_folders(run.definition))


def _owner(folder: WorkspaceFolder, run: RunRecord) -> RunRecord:
    """Return the run in whose folder the files of `run` lie: its own, or the one whose process it lives in."""
    db = folder.store.read()
    while run.in_process and run.parent and not folder.layout.run(run.id).definition.exists():
        above = find_run(db, run.parent)
        if above is None:
            break
        run = above
    return run

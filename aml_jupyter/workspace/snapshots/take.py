"""Take a snapshot of a source directory: look, check the limits, store what is new, remember what was seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aml_jupyter.errors import SnapshotException

from .cache import EXECUTABLE, KnownFolder, Record, save_known
from .limits import Limits
from .notes import shown
from .packs import TREE, PackWriter
from .reading import Unreadable, hash_big, read_files, store_big
from .scan import Folder, Pending, Scan, note_unreadable
from .source import look_at
from .store import ContentStore, SnapshotWorkspace, open_store, store_errors
from .trees import add_overlay, add_trees

__all__ = ["Progress", "Snapshot", "hash_pending", "place_records", "take_snapshot"]

Progress = Callable[[int, int], None]
"""Receives the bytes read so far and the bytes that have to be read."""


@dataclass(frozen=True)
class Snapshot:
    """Describe a snapshot that was taken.

    Attributes
    ----------
    id : str
        Hash of the whole content: equal content has equal ids.
    files : int
        Number of files.
    size : int
        Their size in bytes.
    new_files : int
        Files that are new or changed since the last snapshot of the same folder.
    new_bytes : int
        Bytes that were added to the workspace.
    notes : tuple of str
        What was left out or treated in a special way, and why.
    """

    id: str
    files: int
    size: int
    new_files: int = 0
    new_bytes: int = 0
    notes: tuple[str, ...] = ()


def take_snapshot(
    folder: SnapshotWorkspace,
    source: str | os.PathLike[str],
    overlay: Mapping[str, bytes] | None = None,
    limit_bytes: int | None = None,
    limit_files: int | None = None,
    exclude_defaults: bool = True,
    progress: Progress | None = None,
    required: Sequence[str] = (),
) -> Snapshot:
    """Store the content of a source directory; durable when this returns.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    source : str or os.PathLike
        The source directory; '' is the current one.
    overlay : mapping of str to bytes, optional
        Relative path with ``/`` to content of files that join the snapshot; the user's folder is not touched.
    limit_bytes, limit_files : int, optional
        Instead of SDK v1's 314,572,800 bytes and 2,000 new or changed files; 0 lifts a limit.
    exclude_defaults : bool
        Whether ``.git``, caches and environments are left out.
    progress : callable, optional
        Is called with the bytes read so far and the bytes to read.
    required : sequence of str
        Relative paths with ``/`` of files that the run cannot do without, such as its script.

    Raises
    ------
    SnapshotException
        The folder is missing or too big, a required file is left out by a rule, or a file changes all the time.
        Nothing was stored.
    WorkspaceException
        The workspace cannot be written (disk full, read-only). Nothing was stored.
    """
    limits = Limits.in_force(limit_bytes, limit_files)
    store = open_store(folder)
    scan = look_at(folder, store, source, exclude_defaults)
    for path in required:
        _check_not_ignored(scan, path)
    limits.check_size(scan)
    if limits.files is not None and len(scan.pending) > limits.files:
        limits.check_files(scan, _really_changed(scan))
    with store_errors(store.content):
        store.prepare()
        with store.writer() as writer:
            new_files = place_records(_store_pending(scan, store, writer, progress))
            trees: dict[bytes, bytes] = {}

            def add(digest: bytes, data: bytes) -> None:
                if not store.has(digest):
                    writer.add(digest, data)

            def add_tree(digest: bytes, data: bytes) -> None:
                trees[digest] = data
                if not store.has(digest):
                    writer.add(digest, data, TREE)

            def read_tree(digest: bytes) -> bytes:
                return trees.get(digest) or store.read(digest)

            root = identity = add_trees(scan, add_tree)
            _, files, size = scan.folders[0].tree
            if overlay:
                identity, files, size = add_overlay(root, overlay, read_tree, add, add_tree)
            if not store.keep(writer) and (scan.pending or overlay):
                store.sync()  # what was found may come from a process that has not synced the folder yet
        known = scan.known
        if known is None or scan.pending or known.rules != scan.signature or known.tree != root:
            save_known(store, scan.source, scan.signature, [(entry.path, _known(entry)) for entry in scan.folders])
    return Snapshot(identity.hex(), files, size, new_files, writer.written, scan.notes.lines())


def _check_not_ignored(scan: Scan, path: str) -> None:
    for entry in scan.ignored:
        if path == entry.path or path.startswith(f"{entry.path}/"):
            raise SnapshotException(
                f"{path} would not be in the snapshot of {scan.source}: {shown(entry.path)} is left out by {entry.rule}. "
                "Change the rule, or move the file."
            )


def hash_pending(scan: Scan) -> list[tuple[Pending, Record]]:
    """Read and hash the files that are not known, without storing them; unreadable ones become notes."""
    found: list[tuple[Pending, Record]] = []
    for content in read_files(scan.source, scan.pending, scan.started_ns):
        item = content.item
        if content.error is not None:
            note_unreadable(scan.notes, item.path, content.error)
            continue
        try:
            found.append((item, content.record or hash_big(scan.source, item, scan.started_ns)))
        except Unreadable as unreadable:
            note_unreadable(scan.notes, item.path, unreadable.error)
    return found


def place_records(records: Sequence[tuple[Pending, Record]]) -> int:
    """Put the records of files that were read into their folders; return how many are new or changed."""
    changed = 0
    for item, record in records:
        item.folder.files[item.name] = record
        changed += _differs(item, record)
    return changed


def _really_changed(scan: Scan) -> list[Pending]:
    """Return the files to read that are new, or whose content is not what it was (a touched file is neither)."""
    if scan.known is None:
        return scan.pending
    return [item for item, record in hash_pending(scan) if _differs(item, record)]


def _differs(item: Pending, record: Record) -> bool:
    previous = item.previous
    return previous is None or previous.digest != record.digest or (previous.flags ^ record.flags) & EXECUTABLE != 0


def _store_pending(
    scan: Scan, store: ContentStore, writer: PackWriter, progress: Progress | None
) -> list[tuple[Pending, Record]]:
    """Read the files that are not known and put what is new into the pack."""
    total = sum(item.size for item in scan.pending)
    done = 0
    found: list[tuple[Pending, Record]] = []

    def advance(size: int) -> None:
        nonlocal done
        done += size
        if progress is not None:
            progress(min(done, total), total)

    for content in read_files(scan.source, scan.pending, scan.started_ns):
        item, record = content.item, content.record
        if content.error is not None:
            note_unreadable(scan.notes, item.path, content.error)
            advance(item.size)
            continue
        if record is None:
            try:
                record = store_big(scan.source, item, scan.started_ns, writer, store.has, advance)
            except Unreadable as unreadable:
                note_unreadable(scan.notes, item.path, unreadable.error)
                continue
        else:
            if not store.has(record.digest):
                writer.add(record.digest, content.data)
            advance(item.size)
        found.append((item, record))
    return found


def _known(folder: Folder) -> KnownFolder:
    tree, files, size = folder.tree
    return KnownFolder(folder.files, folder.links, frozenset(folder.folders), folder.ignored, tree, files, size)

"""Keep the content of all snapshots of a workspace: blobs found by their sha256, in packs.

Layout of ``content/``::

    packs/     the packs; the only files here that cannot be made again
    index      the indexes of many packs in one sorted table: made from the packs, never needed
    scans/     what the last look at each source directory saw (`cache.py`): made again when lost
    tmp/       files being written
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from aml_jupyter.errors import SnapshotException, WorkspaceException
from aml_jupyter.supervisor.durable import sync_folder

from .packs import RECORD, Location, PackTable, PackWriter, read_table
from .temporary import checked, remove_abandoned, replace_file

__all__ = [
    "ContentStore",
    "SnapshotLayout",
    "SnapshotWorkspace",
    "open_store",
    "read_blob",
    "store_errors",
    "verify_content",
]

_LOOSE = 64
_SMALL = 2000


class SnapshotLayout(Protocol):
    """Describe the part of `Layout` that snapshots need."""

    @property
    def content(self) -> Path: ...


class SnapshotWorkspace(Protocol):
    """Describe the part of `WorkspaceFolder` that snapshots need."""

    @property
    def root(self) -> Path: ...

    @property
    def layout(self) -> SnapshotLayout: ...


class ContentStore:
    """Find, read and add blobs. One instance may be used by many threads, one folder by many processes."""

    def __init__(self, content: str) -> None:
        self.content = content
        self.packs = os.path.join(content, "packs")
        self.scans = os.path.join(content, "scans")
        self.temporaries = os.path.join(content, "tmp")
        self._lock = threading.Lock()
        self._names: frozenset[str] = frozenset()
        self._merged = _MergedIndex((), b"")
        self._tables: dict[str, PackTable] = {}
        self._few: dict[bytes, Location] = {}

    def prepare(self) -> None:
        """Create the folders, and remove what killed processes left."""
        if not os.path.isdir(self.temporaries):
            for folder in (self.packs, self.scans, self.temporaries):
                os.makedirs(folder, exist_ok=True)
            sync_folder(self.content, "snapshot.sync_folder")
        remove_abandoned(self.temporaries)

    def refresh(self) -> None:
        """Take notice of packs that other processes have added."""
        with self._lock:
            try:
                names = frozenset(name for name in os.listdir(self.packs) if name.endswith(".pack"))
            except FileNotFoundError:
                names = frozenset()
            if names == self._names:
                return
            if not self._names or not self._names <= names:
                self._merged, self._tables, self._few = _read_merged(self._index_path, names), {}, {}
            damaged = set()
            for name in sorted(names.difference(self._merged.packs, self._tables)):
                try:
                    self._adopt(read_table(os.path.join(self.packs, name)))
                except WorkspaceException:
                    damaged.add(
                        name
                    )  # counts as absent: its content is stored again when it comes by; `verify` names it
            self._names = names - damaged
            if len(self._tables) > _LOOSE:
                self._merge()

    def find(self, digest: bytes) -> Location | None:
        """Return where a blob lies, or None when no pack holds it."""
        found = self._few.get(digest) or self._merged.find(digest)
        if found is None:
            for table in list(self._tables.values()):
                if table.count > _SMALL and (found := table.find(digest)):
                    break
        return found

    def has(self, digest: bytes) -> bool:
        """Say whether a pack holds the blob."""
        return self.find(digest) is not None

    def read(self, digest: bytes) -> bytes:
        """Return a blob's bytes, checked by their hash.

        Raises
        ------
        SnapshotException
            No pack holds it.
        WorkspaceException
            The pack does not hold what it should.
        """
        location = self.locate(digest)
        with open(os.path.join(self.packs, location.pack), "rb") as file:
            file.seek(location.offset)
            data = file.read(location.length)
        if hashlib.sha256(data).digest() != digest:
            raise WorkspaceException(
                f"The blob {digest.hex()} in {file.name} is damaged. Restore the workspace from a backup, or submit "
                "again after moving that pack away."
            )
        return data

    def locate(self, digest: bytes) -> Location:
        """Return where a blob lies, after one look at the packs of other processes.

        Raises
        ------
        SnapshotException
            No pack holds it.
        """
        location = self.find(digest)
        if location is None:
            self.refresh()
            location = self.find(digest)
        if location is None:
            raise SnapshotException(
                f"There is no snapshot or content {digest.hex()} in {self.content}. `aml run show RUN` names the "
                "snapshot of a run, `aml workspace verify` what is damaged."
            )
        return location

    def writer(self) -> PackWriter:
        """Return a writer of one new pack."""
        return PackWriter(self.packs, self.temporaries)

    def keep(self, writer: PackWriter) -> bool:
        """Make a writer's blobs durable and findable; say whether there were any."""
        table = writer.seal()
        if table is None:
            return False
        with self._lock:
            self._adopt(table)
            self._names |= {table.pack}
        return True

    def sync(self) -> None:
        """Make packs durable whose writer (another process) may not have come so far."""
        sync_folder(self.packs, "snapshot.sync_folder")

    @property
    def _index_path(self) -> str:
        return os.path.join(self.content, "index")

    def _adopt(self, table: PackTable) -> None:
        self._tables[table.pack] = table
        if table.count <= _SMALL:
            for digest, offset, length, kind in table.records():
                self._few[digest] = Location(table.pack, offset, length, kind)

    def _merge(self) -> None:
        """Write one table for all packs, so that a fresh process opens one file instead of hundreds."""
        merged = self._merged.joined_with(self._tables.values())
        with suppress(OSError):
            replace_file(self.temporaries, self._index_path, merged.to_bytes())
        self._merged, self._tables, self._few = merged, {}, {}


class _MergedIndex:
    """Look up blobs of many packs in one sorted table of (record, number of the pack)."""

    step = RECORD.size + 4

    def __init__(self, packs: tuple[str, ...], rows: bytes) -> None:
        self.packs = packs
        self._rows = rows
        self._count = len(rows) // self.step

    def find(self, digest: bytes) -> Location | None:
        """Return where a blob lies, or None."""
        rows, step = self._rows, self.step
        position = bisect_left(range(self._count), digest, key=lambda i: rows[i * step : i * step + 32])
        start = position * step
        if position == self._count or rows[start : start + 32] != digest:
            return None
        _, offset, length, kind = RECORD.unpack_from(rows, start)
        number = int.from_bytes(rows[start + RECORD.size : start + step], "little")
        return Location(self.packs[number], offset, length, kind)

    def joined_with(self, tables: Iterable[PackTable]) -> _MergedIndex:
        """Return a table with the records of `tables`, too."""
        packs = list(self.packs)
        rows = [self._rows[i : i + self.step] for i in range(0, len(self._rows), self.step)]
        for table in tables:
            number = len(packs).to_bytes(4, "little")
            packs.append(table.pack)
            size = RECORD.size
            rows += [table.index[i : i + size] + number for i in range(0, len(table.index), size)]
        return _MergedIndex(tuple(packs), b"".join(sorted(rows)))

    def to_bytes(self) -> bytes:
        """Return the file's content."""
        return json.dumps(self.packs).encode() + b"\n" + self._rows


def _read_merged(path: str, present: frozenset[str]) -> _MergedIndex:
    """Read the merged table; an absent, torn or outdated one counts as empty."""
    try:
        with open(path, "rb") as file:
            content = checked(file.read())
    except OSError:
        content = None
    if content is not None:
        head, _, rows = content.tobytes().partition(b"\n")
        packs = tuple(json.loads(head))
        if present.issuperset(packs):
            return _MergedIndex(packs, rows)
    return _MergedIndex((), b"")


_stores: dict[str, ContentStore] = {}


def open_store(folder: SnapshotWorkspace) -> ContentStore:
    """Return the content store of a workspace, aware of all packs that are there now."""
    content = os.path.realpath(folder.layout.content)
    store = _stores.setdefault(content, ContentStore(content))
    with store_errors(content):
        store.refresh()
    return store


def read_blob(folder: SnapshotWorkspace, digest: str) -> bytes:
    """Return the content with this sha256 (64 hexadecimal digits), checked.

    Raises
    ------
    SnapshotException
        The workspace does not hold it.
    WorkspaceException
        It is damaged.
    """
    try:
        wanted = bytes.fromhex(digest)
    except ValueError:
        raise SnapshotException(f"{digest!r} is no hash: 64 hexadecimal digits were expected.") from None
    return open_store(folder).read(wanted)


def verify_content(folder: SnapshotWorkspace) -> list[str]:
    """Read every blob again and return one line for each that is damaged (none: all is well)."""
    store = open_store(folder)
    problems: list[str] = []
    for name in sorted(os.listdir(store.packs)) if os.path.isdir(store.packs) else []:
        if not name.endswith(".pack"):
            continue
        path = os.path.join(store.packs, name)
        try:
            table = read_table(path)
        except WorkspaceException as error:
            problems.append(error.message)
            continue
        with open(path, "rb") as file:
            for digest, offset, length, _ in sorted(table.records(), key=lambda record: record[1]):
                file.seek(offset)
                if hashlib.sha256(file.read(length)).digest() != digest:
                    problems.append(f"The blob {digest.hex()} in {path} is damaged.")
    return problems


@contextmanager
def store_errors(place: str) -> Iterator[None]:
    """Turn an error of the file system in the workspace into one that says what to do."""
    import errno

    advice = {
        errno.ENOSPC: "The disk is full. Free some space and submit again; nothing half-written was left.",
        errno.EDQUOT: "Your quota is used up. Free some space and submit again; nothing half-written was left.",
        errno.EROFS: "The workspace lies on a read-only file system. Mount it for writing, or choose another workspace.",
        errno.EACCES: "You may not write there. Choose another workspace (--workspace, AML_WORKSPACE) or change its rights.",
    }
    try:
        yield
    except OSError as error:
        what = advice.get(error.errno or 0, "Look at the folder's file system and try again.")
        raise WorkspaceException(f"{place} cannot be used ({error.strerror or error}). {what}") from error

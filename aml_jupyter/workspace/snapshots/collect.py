"""Collect content that no run needs any more: whole packs, and the working copies of ended runs.

Whoever takes a snapshot holds the content (`content_in_use`, a shared lock) from its first look until the run that names
the snapshot is committed; `collect_packs` holds it alone. So a pack that no run names is named by none afterwards either.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aml_jupyter.errors import AmlError
from aml_jupyter.supervisor.durable import sync_folder
from aml_jupyter.supervisor.faults import fault_point

from .packs import read_table
from .store import ContentStore, SnapshotWorkspace, open_store, store_errors
from .trees import TreeEntry, decode_tree, tree_digest

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Freed", "collect_packs", "collect_working_copy", "content_in_use"]

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Freed:
    """Say how many things were removed, and how many bytes they took."""

    count: int = 0
    size: int = 0

    def __add__(self, other: Freed) -> Freed:
        return Freed(self.count + other.count, self.size + other.size)


@contextmanager
def content_in_use(folder: SnapshotWorkspace, alone: bool = False) -> Iterator[None]:
    """Keep the stored content from being collected inside the block; with `alone`, keep everybody else out of it."""
    content = folder.layout.content
    with store_errors(str(content)):
        content.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(content / ".use", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def collect_packs(folder: SnapshotWorkspace, snapshots: Iterable[str], dry_run: bool = False) -> Freed:
    """Remove every pack of which none of `snapshots` needs anything. The caller holds the content alone.

    A pack of which one blob is needed stays whole. A snapshot that cannot be read keeps everything: what it needs is
    not known.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    snapshots : iterable of str
        The ids of all snapshots that are named by a run.
    dry_run : bool
        Remove nothing, and return what would be.

    Raises
    ------
    WorkspaceException
        When a snapshot is damaged, or a pack cannot be removed.
    """
    store = open_store(folder)
    if not os.path.isdir(store.packs):
        return Freed()
    needed = _needed(store, snapshots)
    dead: list[str] = []
    for name in sorted(os.listdir(store.packs)):
        path = os.path.join(store.packs, name)
        if not name.endswith(".pack"):
            continue
        with suppress(AmlError):  # a damaged one stays: `aml workspace verify` names it
            if not any(record[0] in needed for record in read_table(path).records()):
                dead.append(path)
    freed = Freed(len(dead), sum(os.stat(path).st_size for path in dead))
    if dead and not dry_run:
        with store_errors(store.packs):
            _remove(store, dead)
    return freed


def _needed(store: ContentStore, snapshots: Iterable[str]) -> set[bytes]:
    """Return the hash of every manifest and file of the snapshots; trees that they share are read once."""
    needed: set[bytes] = set()
    stack = [tree_digest(snapshot) for snapshot in snapshots]
    while stack:
        digest = stack.pop()
        if digest in needed:
            continue
        needed.add(digest)
        for entry in decode_tree(store.read(digest), digest).values():
            if entry[0] == "d":
                stack.append(bytes.fromhex(entry[1]))
            elif entry[0] != "l":
                needed.add(bytes.fromhex(entry[1]))
    return needed


def _remove(store: ContentStore, dead: list[str]) -> None:
    """Forget what was seen of the source directories first: it says that content is here."""
    for name in os.listdir(store.scans) if os.path.isdir(store.scans) else []:
        with suppress(FileNotFoundError), fault_point("snapshot.forget_scan"):
            os.unlink(os.path.join(store.scans, name))
    sync_folder(store.scans, "snapshot.sync_folder")
    for path in dead:
        with suppress(FileNotFoundError), fault_point("snapshot.remove_pack"):
            os.unlink(path)
    sync_folder(store.packs, "snapshot.sync_folder")
    store.refresh()


def collect_working_copy(work: Path, tree: dict[str, TreeEntry], keep: set[Path], dry_run: bool = False) -> Freed:
    """Remove from an ended attempt's working directory the files that are as the snapshot has them.

    What the script changed or made stays, as does every path in `keep`. Links are not followed.
    """
    freed = Freed()
    for path, entry in tree.items():
        place = work / path
        if entry.kind != "file" or place in keep:
            continue
        with suppress(OSError):
            found = place.lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_size != entry.size or found.st_nlink != 1:
                continue
            if place.parent.resolve() != work.resolve() / Path(path).parent or _hash(place) != entry.hash:
                continue
            if not dry_run:
                with fault_point("snapshot.thin_copy"):
                    place.unlink()
            freed += Freed(1, found.st_size)
    return freed


def _hash(path: Path) -> str:
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    return hasher.hexdigest()

"""Write a snapshot out as a folder that appears whole or not at all.

The folder is filled under a temporary name beside its destination and then renamed. Content is copied (shared blocks
where the file system can), never hard-linked: a run may write to what it got.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import defaultdict
from contextlib import suppress

from aml_jupyter.errors import WorkspaceException
from aml_jupyter.supervisor.faults import fault_point

from .packs import Location
from .store import ContentStore, SnapshotWorkspace, open_store, store_errors
from .temporary import create_temporary_folder, remove_abandoned
from .trees import TreeEntry, tree_digest, walk_tree

__all__ = ["materialise"]

_SHARED = 128 * 1024
_PIECE = 1 << 20
_CANNOT_SHARE = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}


def materialise(folder: SnapshotWorkspace, snapshot_id: str, destination: str | os.PathLike[str]) -> None:
    """Write a snapshot's content to `destination`; do nothing where that is done already.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    snapshot_id : str
        Which snapshot.
    destination : str or os.PathLike
        A folder that is missing or empty; one that holds anything counts as done. Its parent is made.

    Raises
    ------
    SnapshotException
        There is no such snapshot.
    WorkspaceException
        The destination cannot be written, or the store is damaged. Nothing is left at `destination`.
    """
    store = open_store(folder)
    path = os.path.abspath(destination)
    parent, name = os.path.split(path)
    with store_errors(path):
        if _is_filled(path):
            return
        entries = list(walk_tree(tree_digest(snapshot_id), store.read))
        prefix = f".aml-{name}-"
        if os.path.isdir(parent):
            remove_abandoned(parent, prefix)
        else:
            os.makedirs(parent, exist_ok=True)
        lock, temporary = create_temporary_folder(parent, prefix)
        try:
            _fill(store, entries, temporary)
            with fault_point("snapshot.materialise"):
                os.rename(temporary, path)
        except OSError as error:
            _discard(temporary)
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        except BaseException:
            _discard(temporary)
            raise
        finally:
            if lock is not None:
                os.close(lock)


def _is_filled(path: str) -> bool:
    """Say whether something is at the destination already."""
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is not None
    except FileNotFoundError:
        return False


def _discard(temporary: str) -> None:
    with suppress(OSError), fault_point("snapshot.discard"):
        shutil.rmtree(temporary)


def _fill(store: ContentStore, entries: list[TreeEntry], place: str) -> None:
    """Make folders and links, then the files, pack by pack in the order in which they lie there."""
    by_pack: dict[str, list[tuple[Location, TreeEntry]]] = defaultdict(list)
    for entry in entries:
        if entry.kind == "folder":
            os.mkdir(os.path.join(place, entry.path))
        elif entry.kind == "link":
            with fault_point("snapshot.link"):
                os.symlink(entry.target, os.path.join(place, entry.path))
        else:
            location = store.locate(bytes.fromhex(entry.hash))
            by_pack[location.pack].append((location, entry))
    for pack, items in by_pack.items():
        source = os.open(os.path.join(store.packs, pack), os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            for location, entry in sorted(items, key=lambda item: item[0].offset):
                _write_file(source, location, os.path.join(place, entry.path), entry.executable)
        finally:
            os.close(source)


def _write_file(source: int, location: Location, path: str, executable: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    target = os.open(path, flags, 0o777 if executable else 0o666)
    try:
        offset, left = location.offset, location.length
        if left >= _SHARED and hasattr(os, "copy_file_range"):
            offset, left = _share(source, target, offset, left)
        while left:
            data = _read_at(source, min(left, _PIECE), offset)
            if not data:
                raise WorkspaceException(
                    f"The pack {location.pack} is shorter than its index says. `aml workspace verify` names what is damaged."
                )
            view = memoryview(data)
            while view:
                view = view[os.write(target, view) :]
            offset += len(data)
            left -= len(data)
    finally:
        os.close(target)


def _share(source: int, target: int, offset: int, left: int) -> tuple[int, int]:
    """Let the kernel copy, which shares blocks where it can; return where to go on and how much is left."""
    while left:
        try:
            copied = os.copy_file_range(source, target, left, offset)
        except OSError as error:
            if error.errno in _CANNOT_SHARE:
                break
            raise
        if not copied:
            break
        offset += copied
        left -= copied
    return offset, left


def _read_at(descriptor: int, size: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)

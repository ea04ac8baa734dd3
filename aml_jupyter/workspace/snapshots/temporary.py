"""Make temporary files that a killed process may leave behind and a later one removes.

A temporary file is locked (flock) while its maker lives, so its age says nothing and needs not. Where a system has no
flock, one that was not touched for a day counts as abandoned.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
import zlib
from contextlib import suppress

from aml_jupyter.supervisor.faults import fault_point

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["checked", "create_temporary", "create_temporary_folder", "remove_abandoned", "replace_file"]

SUFFIX = ".tmp"
_DAY = 86400.0


def create_temporary(folder: str, prefix: str) -> tuple[int, str]:
    """Create a locked file in `folder`; return its descriptor (open for reading and writing) and its path."""
    while True:
        path = os.path.join(folder, f"{prefix}{uuid.uuid4().hex}{SUFFIX}")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        if _is_ours(descriptor, path):
            return descriptor, path
        os.close(descriptor)


def create_temporary_folder(parent: str, prefix: str) -> tuple[int | None, str]:
    """Create a locked folder in `parent`; return the descriptor that holds the lock (if any) and its path."""
    while True:
        path = os.path.join(parent, f"{prefix}{uuid.uuid4().hex}{SUFFIX}")
        os.mkdir(path)
        if fcntl is None:
            return None, path
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        if _is_ours(descriptor, path):
            return descriptor, path
        os.close(descriptor)


def remove_abandoned(folder: str, prefix: str = "") -> int:
    """Remove the temporary files and folders in `folder` whose maker has died; return how many."""
    removed = 0
    with os.scandir(folder) as entries:
        paths = [entry.path for entry in entries if entry.name.startswith(prefix) and entry.name.endswith(SUFFIX)]
    for path in paths:
        with suppress(OSError):
            removed += _remove_if_abandoned(path)
    return removed


def _remove_if_abandoned(path: str) -> bool:
    """Remove a temporary file or folder unless somebody holds its lock; hold the lock meanwhile."""
    descriptor = -1
    if fcntl is None:
        if time.time() - os.lstat(path).st_mtime < _DAY:
            return False
    else:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if descriptor >= 0 and not _lock(descriptor):
            return False
        with fault_point("snapshot.remove_abandoned"):
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        return True
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def replace_file(folder: str, path: str, content: bytes) -> None:
    """Put `content` at `path` whole or not at all, for data that can be made again: not synced, but with a checksum."""
    descriptor, temporary = create_temporary(folder, "file-")
    try:
        view = memoryview(zlib.crc32(content).to_bytes(4, "little") + content)
        while view:
            view = view[os.write(descriptor, view) :]
        if os.name == "nt":  # an open file cannot be renamed there
            os.close(descriptor)
            descriptor = -1
        with fault_point("snapshot.replace"):
            os.replace(temporary, path)
    except BaseException:
        with suppress(OSError), fault_point("snapshot.discard"):
            os.unlink(temporary)
        raise
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def checked(content: bytes) -> memoryview | None:
    """Return what `replace_file` was given, or None where the file was torn by a crash of the machine."""
    view = memoryview(content)
    if len(view) < 4 or zlib.crc32(view[4:]) != int.from_bytes(view[:4], "little"):
        return None
    return view[4:]


def _is_ours(descriptor: int, path: str) -> bool:
    """Lock what was just created; say no where another process took it for abandoned between the two calls."""
    if not _lock(descriptor):
        return False
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _lock(descriptor: int) -> bool:
    """Take the lock of an open file without waiting; say whether it is ours."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

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

__all__ = ["checked", "create_temporary", "is_abandoned", "lock_folder", "remove_abandoned", "replace_file"]

SUFFIX = ".tmp"
_DAY = 86400.0


def create_temporary(folder: str, prefix: str) -> tuple[int, str]:
    """Create a locked file in `folder`; return its descriptor (open for reading and writing) and its path."""
    while True:
        path = os.path.join(folder, f"{prefix}{uuid.uuid4().hex}{SUFFIX}")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        if _lock(descriptor) and os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)  # another process took the file for abandoned between the two calls


def lock_folder(path: str) -> int | None:
    """Hold a new folder for as long as the returned descriptor is open, so that nobody takes it for abandoned."""
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDONLY)
    _lock(descriptor)
    return descriptor


def remove_abandoned(folder: str, prefix: str = "") -> int:
    """Remove the temporary files and folders in `folder` whose maker has died; return how many."""
    removed = 0
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(prefix) and entry.name.endswith(SUFFIX)]
    for name in names:
        path = os.path.join(folder, name)
        if is_abandoned(path):
            with suppress(OSError), fault_point("snapshot.remove_abandoned"):
                if os.path.isdir(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
                removed += 1
    return removed


def is_abandoned(path: str) -> bool:
    """Say whether nobody holds the lock of a temporary file or folder any more."""
    try:
        if fcntl is None:
            return time.time() - os.lstat(path).st_mtime > _DAY
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def replace_file(folder: str, path: str, content: bytes) -> None:
    """Put `content` at `path` whole or not at all, for data that can be made again: not synced, but with a checksum."""
    descriptor, temporary = create_temporary(folder, "file-")
    try:
        view = memoryview(zlib.crc32(content).to_bytes(4, "little") + content)
        while view:
            view = view[os.write(descriptor, view) :]
        with fault_point("snapshot.replace"):
            os.replace(temporary, path)
    except BaseException:
        with suppress(OSError), fault_point("snapshot.discard"):
            os.unlink(temporary)
        raise
    finally:
        os.close(descriptor)


def checked(content: bytes) -> memoryview | None:
    """Return what `replace_file` was given, or None where the file was torn by a crash of the machine."""
    view = memoryview(content)
    if len(view) < 4 or zlib.crc32(view[4:]) != int.from_bytes(view[:4], "little"):
        return None
    return view[4:]


def _lock(descriptor: int) -> bool:
    """Take the lock of an open file without waiting; say whether it is ours."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

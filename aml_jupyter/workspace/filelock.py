"""Own the lock that processes of one machine take on a file while they change what stands beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aml_jupyter.errors import WorkspaceException

__all__ = ["exclusive", "try_exclusive"]


def _lock(descriptor: int, wait: bool) -> bool:
    """Lock an open file; return False when another process holds it and `wait` is False."""
    if sys.platform == "win32":  # pragma: no cover - no test has run there
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as error:
        raise WorkspaceException(
            f"The lock file {path} cannot be opened: {error.strerror}. Make its folder writable, or choose another one."
        ) from error


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock on `path` inside the block, waiting for whoever holds it now.

    Raises
    ------
    WorkspaceException
        When the file cannot be opened for writing.
    """
    descriptor = _open(path)
    try:
        _lock(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def try_exclusive(path: Path) -> Iterator[bool]:
    """Hold the lock on `path` inside the block when nobody else does; the value says whether it is held."""
    descriptor = _open(path)
    try:
        yield _lock(descriptor, wait=False)
    finally:
        os.close(descriptor)

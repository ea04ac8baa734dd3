"""Write JSON files that are there as a whole or not at all, also after a power cut.

Each write goes to a temporary name of its own in the same folder, takes its name in one step, and is on the disk when the
call returns. What a crash leaves behind is a file named ``.<name>.<pid>-<number>.tmp``, which nobody reads.
"""

import itertools
import json
import os
from io import RawIOBase
from typing import Any, Union

from .faults import fault_point

__all__ = ["link_json", "sync_file", "sync_folder", "write_json"]

Path = Union[str, "os.PathLike[str]"]

_numbers = itertools.count()
_encode = json.JSONEncoder(separators=(",", ":")).encode


def write_json(path: Path, value: Any, point: str = "durable.write", sync: bool = True, mode: int = 0o666) -> None:
    """Put `value` into the file at `path`, in place of what is there.

    Parameters
    ----------
    path : str or os.PathLike
        The file; its folder exists.
    value
        What `json` can write.
    point : str
        Name of the fault point around the write.
    sync : bool
        Whether the content has to survive a power cut when this returns.
    mode : int
        Who may read and write the file, as for `os.open`; 0o600 for what holds values of the user's.

    Raises
    ------
    OSError
        When the file cannot be written; nothing is left behind then.
    """
    name = os.fspath(path)
    temporary = _temporary(name)
    with fault_point(point):
        try:
            with open(temporary, "wb", buffering=0, opener=lambda place, flags: os.open(place, flags, mode)) as stream:
                _write(stream, value)
                is_new = sync and not os.path.lexists(name)
                if sync and not is_new:
                    os.fsync(stream.fileno())
                os.replace(temporary, name)
                if is_new:
                    _sync_new(stream, name)
        except BaseException:
            _discard(temporary)
            raise
        if sync and not is_new:
            sync_folder(os.path.dirname(name))


def link_json(path: Path, value: Any, point: str = "durable.link", sync: bool = True, sync_name: bool = True) -> bool:
    """Put `value` into the file at `path` unless that name is taken; the first one stands.

    Parameters
    ----------
    path : str or os.PathLike
        The file; its folder exists.
    value
        What `json` can write.
    point : str
        Name of the fault point around the write.
    sync : bool
        Whether the content has to survive a power cut when this returns, and the name with it (see `_sync_new`).
    sync_name : bool
        Whether the folder is synced besides, for file systems that know nothing of that.

    Returns
    -------
    bool
        False when the name is taken.

    Raises
    ------
    OSError
        When the file cannot be written; nothing is left behind then.
    """
    name = os.fspath(path)
    temporary = _temporary(name)
    with fault_point(point):
        try:
            with open(temporary, "wb", buffering=0) as stream:
                _write(stream, value)
                os.link(temporary, name)
                if sync:
                    _sync_new(stream, name)
        except FileExistsError:
            return False
        finally:
            _discard(temporary)
        if sync and sync_name:
            sync_folder(os.path.dirname(name))
    return True


def _sync_new(stream: RawIOBase, name: str) -> None:
    """Have a new file on the disk that has its name already: the file systems of Linux then keep that, too."""
    with fault_point("durable.sync_new"):
        try:
            os.fsync(stream.fileno())
        except OSError:
            _discard(name)  # whoever is told that it could not be written finds no such name
            raise


def sync_file(path: Path, point: str = "durable.sync_file") -> None:
    """Make the content of a file survive a power cut, and the name of a new one."""
    with fault_point(point):
        descriptor = os.open(os.fspath(path), os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_folder(path: Path, point: str = "durable.sync_folder") -> None:
    """Make the names in the folder `path` survive a power cut."""
    with fault_point(point):
        descriptor = os.open(os.fspath(path) or ".", os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(stream: RawIOBase, value: Any) -> None:
    left = memoryview(_encode(value).encode("utf-8"))
    while left:
        left = left[stream.write(left) :]


def _temporary(name: str) -> str:
    folder, base = os.path.split(name)
    return os.path.join(folder, ".%s.%d-%d.tmp" % (base, os.getpid(), next(_numbers)))


def _discard(temporary: str) -> None:
    with fault_point("durable.discard"):
        try:
            os.unlink(temporary)
        except OSError:
            pass

"""Open what a script may have replaced: a pipe that nobody writes to must not stop the reader.

Standard library only, Python 3.6 syntax, like its neighbours.
"""

import os
import stat
from typing import BinaryIO, Union

__all__ = ["open_plain"]


def open_plain(path: "Union[str, os.PathLike[str]]") -> BinaryIO:
    """Open the plain file at `path` for reading.

    Raises
    ------
    FileNotFoundError
        When there is none, or a pipe, a socket or a device in its place.
    OSError
        When it cannot be read.
    """
    stream = open(path, "rb", opener=_without_waiting)
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise FileNotFoundError(2, "Not a plain file", os.fspath(path))
    return stream


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))

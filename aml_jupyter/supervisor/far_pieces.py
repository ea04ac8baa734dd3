"""Read pieces of files by byte offset, a portion at a time, with the hash of each file that is whole then.

Whoever asks for them gets all pieces of one file from one version of it: a file of another size or time of change is said to
have ``changed``. Of a log that has grown since it was told, they get as much as it had then. The hash goes along with the pieces;
after a cut it is made anew from the file's beginning.
"""

import hashlib
import os
from collections import OrderedDict
from typing import Any, Iterator, Sequence, Tuple

from .far_files import is_below, is_log
from .far_frames import BLOCK, Frame
from .far_place import Places
from .plain import open_plain

__all__ = ["Pieces", "hashes"]

HASHED_AT_A_TIME = 1 << 22
"""Bytes that are hashed before others have their turn."""

KEPT = 16
"""Hashes of files of which not all was asked for yet."""


class Pieces:
    """Read pieces of files of one workspace's attempts."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._hashes: "OrderedDict[Tuple[Any, ...], Tuple[Any, int]]" = OrderedDict()

    def read(self, parts: Sequence[Sequence[Any]]) -> Iterator[Frame]:
        """Yield pieces.

        Parameters
        ----------
        parts : sequence
            For each piece: run, attempt, name, offset, length, and the file's size and time of change (ns).

        Yields
        ------
        tuple
            ``at``, the piece's place in `parts`, with ``offset`` and a body; with ``changed``; or with the file's ``sha256``
            and ``ctime`` behind its last piece. Others have nothing to say.
        """
        for at, (run, number, name, offset, length, size, changed) in enumerate(parts):
            root = self._places.attempt((str(run), int(number)))
            path = self._places.inside((str(run), int(number)), str(name))
            version = (int(size), int(changed))
            for header, body in self._piece(root, path, int(offset), int(length), version, is_log(str(name))):
                header["at"] = at
                yield header, body

    def _piece(
        self, root: str, path: str, offset: int, length: int, version: Tuple[int, int], may_grow: bool
    ) -> Iterator[Frame]:
        try:
            if not is_below(path, os.path.realpath(root)):
                raise FileNotFoundError(2, "It is not there", path)
            stream = open_plain(path)
        except OSError:
            yield {"changed": True}, b""
            return
        with stream:
            before = _facts(stream.fileno())
            has_grown = may_grow and before[0] >= version[0] and before[:2] != version

            def is_same() -> bool:
                now = _facts(stream.fileno())
                return now == before or (may_grow and now[0] >= version[0])

            if before[:2] != version and not has_grown:
                yield {"changed": True}, b""
                return
            kept = (path, version, before[3]) if may_grow else (path, version, *before)
            whole, done = self._hashes.pop(kept, (hashlib.sha256(), 0))
            if done > offset:
                whole, done = hashlib.sha256(), 0
            stream.seek(done)
            while done < offset:
                data = stream.read(min(HASHED_AT_A_TIME, offset - done))
                if not data:
                    break
                whole.update(data)
                done += len(data)
                yield {}, b""
            while done < offset + length:
                data = stream.read(min(BLOCK, offset + length - done))
                if not data or not is_same():
                    break
                whole.update(data)
                yield {"offset": done}, data
                done += len(data)
            if done < offset + length or not is_same():
                yield {"changed": True}, b""
            elif done == version[0]:
                yield {"sha256": whole.hexdigest(), "ctime": 0 if has_grown else before[2]}, b""
            else:
                self._hashes[kept] = whole, done
                while len(self._hashes) > KEPT:
                    self._hashes.popitem(last=False)


def hashes(root: str, files: Sequence[Tuple[str, str]]) -> Iterator[Frame]:
    """Yield ``name``, ``sha256`` and ``ctime`` of each of the files (name, path); nothing for one that is gone."""
    top = os.path.realpath(root)
    for name, path in files:
        try:
            if not is_below(path, top):
                continue
            stream = open_plain(path)
        except OSError:
            continue
        with stream:
            whole = hashlib.sha256()
            while True:
                data = stream.read(HASHED_AT_A_TIME)
                if not data:
                    break
                whole.update(data)
                yield {}, b""
            yield {"name": name, "sha256": whole.hexdigest(), "ctime": _facts(stream.fileno())[2]}, b""


def _facts(file: int) -> Tuple[int, int, int, int]:
    found = os.fstat(file)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino

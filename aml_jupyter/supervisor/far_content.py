"""Own the content store of a far machine: blobs by their sha256, and the folders that are made of them.

``<base>/content/blobs/<ab>/<sha256>`` are whole blobs; ``partial/`` has what is on its way, which goes on where a cut link
stopped it; ``trees/<snapshot id>`` lists what a snapshot is made of. All workspaces of a user share them. Nothing is
synced: each blob is checked by its hash when it is used, and one that a power cut has damaged is asked for again.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from .faults import fault_point

__all__ = ["FarContent", "unpacked", "write_file"]

SHARED = 128 * 1024
"""Bytes from which on the kernel is asked to copy, which shares blocks where the file system can."""

FEW, THREADS = 200, 4
"""Fewer files are copied one after the other; copying waits for the kernel more than for Python."""

_PIECE = 1 << 20


class FarContent:
    """Keep blobs below `base`.

    Parameters
    ----------
    base : str
        The base folder.
    who : str
        Whose partial blobs are gone on with: no two processes write with the same name.
    """

    def __init__(self, base: str, who: str) -> None:
        self._root = os.path.join(base, "content")
        self._partial = os.path.join(self._root, "partial", who)
        self._trees = os.path.join(self._root, "trees")
        self._made: Set[str] = set()
        self._checked: Set[str] = set()
        """Blobs that this process has seen to be whole: since then there was no power cut."""

    # -- what a snapshot is made of -------------------------------------------------------------------------------

    def tree(self, snapshot: str) -> Optional[List[List[Any]]]:
        """Return the entries of a snapshot, or None when they are not known here."""
        try:
            with open(os.path.join(self._trees, snapshot), "rb") as stream:
                data = stream.read()
            entries = json.loads(data.decode("utf-8"))
        except (OSError, ValueError):
            return None
        return entries if isinstance(entries, list) else None

    def keep_tree(self, snapshot: str, data: bytes) -> None:
        """Keep the entries of a snapshot: ``[path, kind, sha256 or target, size]``, folders before what is in them."""
        json.loads(data.decode("utf-8"))
        self._write(os.path.join(self._trees, snapshot), data)

    def missing(self, entries: List[List[Any]]) -> List[Tuple[str, int]]:
        """Return the blobs of `entries` that are not here, each with how many bytes of it are."""
        found: List[Tuple[str, int]] = []
        seen = set()
        for _, kind, digest, size in entries:
            if kind in ("f", "x") and digest not in seen:
                seen.add(digest)
                if not self._is_there(digest, size):
                    found.append((digest, self._have(digest)))
        return found

    def _is_there(self, digest: str, size: int) -> bool:
        try:
            return os.stat(self._blob(digest)).st_size == size
        except OSError:
            return False

    def _have(self, digest: str) -> int:
        try:
            return os.stat(os.path.join(self._partial, digest)).st_size
        except OSError:
            return 0

    # -- blobs ------------------------------------------------------------------------------------------------------

    def take(self, digest: str, size: int, offset: int, data: bytes) -> None:
        """Take in a part of a blob; the last one makes it whole.

        Raises
        ------
        ValueError
            When the whole is not what its hash says; nothing of it is kept then.
        OSError
            When it cannot be written.
        """
        if offset == 0 and len(data) == size:
            if hashlib.sha256(data).hexdigest() != digest:
                raise ValueError("the content %s did not arrive as it was sent" % digest)
            self._write(self._blob(digest), data)
            self._checked.add(digest)
            return
        os.makedirs(self._partial, exist_ok=True)
        path = os.path.join(self._partial, digest)
        with open(path, "r+b" if offset else "wb") as stream:
            stream.truncate(offset)
            stream.seek(offset)
            stream.write(data)
        if offset + len(data) == size:
            with fault_point("far.blob"):
                if _sha256(path) != digest:
                    os.unlink(path)
                    raise ValueError("the content %s did not arrive as it was sent" % digest)
                self._make(os.path.dirname(self._blob(digest)))
                os.replace(path, self._blob(digest))

    def place(self, entries: List[List[Any]], path: str) -> List[str]:
        """Make the folder `path` of `entries`, whole or not at all; return the blobs that turned out to be damaged."""
        parent = os.path.dirname(path)
        os.makedirs(parent, exist_ok=True)
        temporary = tempfile.mkdtemp(prefix=".placing-", dir=parent)
        try:
            os.chmod(temporary, 0o755)
            damaged = self._fill(entries, temporary)
            if damaged:
                return damaged
            with fault_point("far.place"):
                try:
                    os.rename(temporary, path)
                except OSError:
                    if not os.path.isdir(path) or not os.listdir(path):
                        raise
            return []
        finally:
            with fault_point("far.discard"):
                shutil.rmtree(temporary, ignore_errors=True)

    def placing(self, entries: List[List[Any]], path: str) -> Iterator[Optional[List[str]]]:
        """Do as `place` in a thread, for folders that take long; yield None until it has returned, then what it did.

        Raises
        ------
        OSError
            As `place`.
        """
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            placed = pool.submit(self.place, entries, path)
            while not placed.done():
                yield None
            yield placed.result()

    def _fill(self, entries: List[List[Any]], root: str) -> List[str]:
        files: List[Tuple[str, int, str, int]] = []
        for name, kind, what, size in entries:
            path = os.path.join(root, name)
            if kind == "d":
                os.mkdir(path)
            elif kind == "l":
                with fault_point("far.link"):
                    os.symlink(what, path)
            else:
                files.append((what, size, path, 0o777 if kind == "x" else 0o666))
        if len(files) < FEW:
            return [each[0] for each in files if not self._copy(*each)]
        from concurrent.futures import ThreadPoolExecutor  # here: for a few files it costs more than it saves

        with ThreadPoolExecutor(THREADS) as pool:
            whole = list(pool.map(lambda each: self._copy(*each), files, chunksize=1))
        return [each[0] for each, is_whole in zip(files, whole) if not is_whole]

    def _copy(self, digest: str, size: int, path: str, mode: int) -> bool:
        """Copy a blob to `path`; False when it is not what it should be, and then it is gone."""
        blob = self._blob(digest)
        checked, copied, is_checked = hashlib.sha256(), 0, digest in self._checked
        try:
            source = os.open(blob, os.O_RDONLY)
        except OSError:
            return False
        is_old = time.time() - os.fstat(source).st_mtime > 3600
        try:
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            try:
                if is_checked and size >= SHARED:
                    copied = _share(source, target, size)
                while True:
                    data = os.read(source, _PIECE)
                    if not data:
                        break
                    if not is_checked:
                        checked.update(data)
                    copied += len(data)
                    left = memoryview(data)
                    while left:
                        left = left[os.write(target, left) :]
            finally:
                os.close(target)
        finally:
            os.close(source)
        if copied == size and (is_checked or checked.hexdigest() == digest):
            self._checked.add(digest)
            if is_old:
                os.utime(blob)  # see `far_clean`
            return True
        self._checked.discard(digest)
        with fault_point("far.discard"):
            os.unlink(blob)
        return False

    # -- helpers ----------------------------------------------------------------------------------------------------

    def _blob(self, digest: str) -> str:
        return os.path.join(self._root, "blobs", digest[:2], digest)

    def _make(self, folder: str) -> None:
        if folder not in self._made:
            os.makedirs(folder, exist_ok=True)
            self._made.add(folder)

    def _write(self, path: str, data: bytes) -> None:
        self._make(os.path.dirname(path))
        write_file(path, data)


def unpacked(header: Dict[str, Any], body: bytes) -> bytes:
    """Return the body of a frame as it was before a slow link.

    Raises
    ------
    ValueError
        When it did not arrive as it was sent.
    """
    if not header.get("packed"):
        return body
    import zlib  # here: few links are slow

    try:
        return zlib.decompress(body)
    except zlib.error as error:
        raise ValueError("what was sent did not arrive as it was sent: %s" % error) from None


def _share(source: int, target: int, size: int) -> int:
    """Have the kernel copy `size` bytes, and return how many it did; the rest is read from where both files are then."""
    done = 0
    while done < size and hasattr(os, "copy_file_range"):
        try:
            count = os.copy_file_range(source, target, size - done)
        except OSError:
            break
        if not count:
            break
        done += count
    return done


def write_file(path: str, data: bytes, mode: int = 0o666) -> None:
    """Put `data` into the file at `path`, whole or not at all; it may be lost in a power cut."""
    temporary = "%s.%d.tmp" % (path, os.getpid())
    with fault_point("far.blob"):
        try:
            with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as stream:
                stream.write(data)
            os.replace(temporary, path)
        except OSError:
            try:
                os.unlink(temporary)
            except OSError:
                pass
            raise


def _sha256(path: str) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        while True:
            data = stream.read(_PIECE)
            if not data:
                return found.hexdigest()
            found.update(data)

"""Read and hash the files of a source directory, several at a time, and notice when one changes meanwhile.

A file is accepted when its size and times are the same before and after, and as many bytes were read as it has. If they
are not, it is read again, at most three times in all; then the snapshot is refused.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from aml_jupyter.errors import SnapshotException

from .cache import RACY, Record
from .notes import shown
from .packs import PackWriter
from .scan import Pending, flags_of, is_racy

__all__ = ["Content", "Unreadable", "hash_big", "read_files", "store_big"]

BIG = 4 << 20
"""Files of this many bytes and more are read piece by piece instead of into memory."""

_TRIES = 3
_PIECE = 1 << 20
_BATCH_FILES, _BATCH_BYTES = 64, 4 << 20
_THREADS = 4


class Unreadable(Exception):
    """Carry the error of reading a source file, told apart from one of writing the pack."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass
class Content:
    """Say what reading one file gave: its record and bytes, or the error; neither for one that is big."""

    item: Pending
    record: Record | None = None
    data: bytes = b""
    error: OSError | None = None


def read_files(source: str, items: Sequence[Pending], started_ns: int) -> Iterator[Content]:
    """Read and hash files, and give their contents in the order of `items`.

    Parameters
    ----------
    source : str
        The source directory.
    items : sequence of Pending
        What to read.
    started_ns : int
        When the look at the directory began (nanoseconds since 1970).

    Raises
    ------
    SnapshotException
        A file went on changing.
    """
    batches = _batches(items)
    if len(batches) < 2:
        for batch in batches:
            yield from _read_batch(source, batch, started_ns)
        return
    with ThreadPoolExecutor(min(_THREADS, len(batches)), "aml-snapshot") as pool:
        waiting: deque[Future[list[Content]]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(_read_batch, source, batch, started_ns))
                if len(waiting) > 2 * _THREADS:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def store_big(
    source: str,
    item: Pending,
    started_ns: int,
    writer: PackWriter,
    is_stored: Callable[[bytes], bool],
    on_bytes: Callable[[int], None],
) -> Record:
    """Copy a big file into a pack while hashing it; return its record.

    Raises
    ------
    Unreadable
        The file cannot be read (an OSError is the pack's).
    SnapshotException
        The file went on changing.
    """

    def digest_of(pieces: Iterator[bytes]) -> bytes:
        def counted() -> Iterator[bytes]:
            for piece in pieces:
                on_bytes(len(piece))
                yield piece

        return writer.add_stream(counted(), item.size, is_stored)

    return _read_big(source, item, started_ns, digest_of, writer.drop_last)


def hash_big(source: str, item: Pending, started_ns: int) -> Record:
    """Hash a big file without storing it; return its record.

    Raises
    ------
    Unreadable
        The file cannot be read.
    SnapshotException
        The file went on changing.
    """

    def digest_of(pieces: Iterator[bytes]) -> bytes:
        hasher = hashlib.sha256()
        for piece in pieces:
            hasher.update(piece)
        return hasher.digest()

    return _read_big(source, item, started_ns, digest_of, lambda: None)


def _read_big(
    source: str,
    item: Pending,
    started_ns: int,
    digest_of: Callable[[Iterator[bytes]], bytes],
    take_back: Callable[[], None],
) -> Record:
    for _ in range(_TRIES):
        try:
            descriptor, before = _open(source, item)
        except OSError as error:
            raise Unreadable(error) from error
        try:
            digest = digest_of(_pieces(descriptor))
            after = os.fstat(descriptor)
        except Unreadable:
            take_back()
            raise
        finally:
            os.close(descriptor)
        if _same(before, after):
            return _record(item, before, digest, started_ns)
        take_back()
    raise _changing(item)


def _pieces(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(descriptor, _PIECE)
        except OSError as error:
            raise Unreadable(error) from error
        if not piece:
            return
        yield piece


def _batches(items: Sequence[Pending]) -> list[list[Pending]]:
    """Cut the work into pieces that are worth a thread's while."""
    batches: list[list[Pending]] = []
    size = _BATCH_BYTES
    for item in items:
        if size >= _BATCH_BYTES or len(batches[-1]) >= _BATCH_FILES:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += min(item.size, BIG)
    return batches


def _read_batch(source: str, batch: list[Pending], started_ns: int) -> list[Content]:
    return [_read(source, item, started_ns) for item in batch]


def _read(source: str, item: Pending, started_ns: int) -> Content:
    if item.size >= BIG:
        return Content(item)
    try:
        for _ in range(_TRIES):
            descriptor, before = _open(source, item)
            try:
                if before.st_size >= BIG:
                    return Content(item)
                # one byte more than there should be: a file that grew is seen without another call
                data = os.read(descriptor, before.st_size + 1)
                after = os.fstat(descriptor)
            finally:
                os.close(descriptor)
            if len(data) == before.st_size and _same(before, after):
                return Content(item, _record(item, before, hashlib.sha256(data).digest(), started_ns), data)
    except OSError as error:
        return Content(item, error=error)
    raise _changing(item)


def _open(source: str, item: Pending) -> tuple[int, os.stat_result]:
    """Open a file that may have become something else since it was seen; never waits on a pipe."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not item.followed:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(os.path.join(source, item.path), flags)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(0, "is no plain file any more")
    return descriptor, status


def _record(item: Pending, status: os.stat_result, digest: bytes, started_ns: int) -> Record:
    flags = flags_of(status, item.followed) | (RACY if is_racy(status, started_ns) else 0)
    return Record(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, flags, digest)


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )


def _changing(item: Pending) -> SnapshotException:
    return SnapshotException(
        f"The file {shown(item.path)} changed each of the {_TRIES} times that it was read, so there is no state of it "
        "to snapshot. Submit again when nothing writes to it, or add it to .amlignore.",
        field="source_directory",
    )

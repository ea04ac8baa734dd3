"""Write and read pack files: many blobs in one file, with their index at its end.

``content/packs/<40 hex digits>.pack``::

    AMLPACK1 | blob ... | index | footer
    index    one RECORD a blob, sorted: sha256, offset, length, kind (0 content, 1 tree)
    footer   offset of the index, number of records, crc32 of the index, AMLPEND1

Data and index are one file, so one sync and one rename make both durable together. The name is the index's hash: two
processes that write the same content write the same file. Packs are never changed. Blobs of 128 kB and more begin at
a multiple of 4,096, so that a file system that can share blocks (btrfs, XFS) does.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple

from aml_jupyter.errors import WorkspaceException
from aml_jupyter.supervisor.durable import sync_folder
from aml_jupyter.supervisor.faults import fault_point

from .temporary import create_temporary

__all__ = ["CONTENT", "TREE", "Location", "PackTable", "PackWriter", "read_table"]

CONTENT, TREE = 0, 1
RECORD = struct.Struct("<32sQQB")
_FOOTER = struct.Struct("<QQI8s")
_HEAD, _TAIL = b"AMLPACK1", b"AMLPEND1"
_ALIGNED = 128 * 1024
_BUFFER = 1 << 20


class Location(NamedTuple):
    """Say where a blob lies."""

    pack: str
    offset: int
    length: int
    kind: int


class PackTable:
    """Look up blobs in the sorted index of one pack."""

    def __init__(self, pack: str, index: bytes) -> None:
        self.pack = pack
        self.index = index
        self.count = len(index) // RECORD.size

    def find(self, digest: bytes) -> Location | None:
        """Return where the blob with this sha256 lies, or None."""
        index, step = self.index, RECORD.size
        position = bisect_left(range(self.count), digest, key=lambda i: index[i * step : i * step + 32])
        if position < self.count and index[position * step : position * step + 32] == digest:
            _, offset, length, kind = RECORD.unpack_from(index, position * step)
            return Location(self.pack, offset, length, kind)
        return None

    def records(self) -> list[tuple[bytes, int, int, int]]:
        """Return (sha256, offset, length, kind) of every blob."""
        return list(RECORD.iter_unpack(self.index))


def read_table(path: str) -> PackTable:
    """Read the index at the end of a pack.

    Raises
    ------
    WorkspaceException
        The file is no whole pack.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size >= len(_HEAD) + _FOOTER.size:
            file.seek(size - _FOOTER.size)
            offset, count, checksum, tail = _FOOTER.unpack(file.read(_FOOTER.size))
            if tail == _TAIL and offset + count * RECORD.size + _FOOTER.size == size:
                file.seek(offset)
                index = file.read(count * RECORD.size)
                if zlib.crc32(index) == checksum:
                    return PackTable(os.path.basename(path), index)
    raise WorkspaceException(
        f"The pack {path} is damaged: its index cannot be read. `aml workspace verify` names the snapshots that it held."
    )


class PackWriter:
    """Collect new blobs in one temporary file that `seal` turns into a pack.

    Nothing is created before the first blob comes. Leaving the ``with`` block without `seal` removes the file.
    """

    def __init__(self, packs: str, temporaries: str) -> None:
        self._packs = packs
        self._temporaries = temporaries
        self._descriptor = -1
        self._temporary = ""
        self._position = 0
        self._last = 0
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._records: dict[bytes, tuple[int, int, int]] = {}
        self.written = 0
        """Bytes of the blobs that were added."""

    def __enter__(self) -> PackWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            with suppress(OSError), fault_point("snapshot.discard"):
                os.unlink(self._temporary)
            os.close(self._descriptor)
            self._descriptor = -1

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._records

    def add(self, digest: bytes, data: bytes, kind: int = CONTENT) -> None:
        """Append a blob that is not in the store yet."""
        if digest in self._records:
            return
        self._begin(len(data))
        self._records[digest] = (self._position, len(data), kind)
        self._append(data)
        self.written += len(data)

    def add_stream(self, pieces: Iterator[bytes], size: int, is_stored: Callable[[bytes], bool]) -> bytes:
        """Append a big blob piece by piece; return its sha256. One that is stored already leaves nothing behind."""
        self._begin(size)
        start = self._last = self._position
        hasher = hashlib.sha256()
        for piece in pieces:
            hasher.update(piece)
            self._append(piece)
        digest = hasher.digest()
        if digest in self._records or is_stored(digest):
            self._rewind(start)
        else:
            self._records[digest] = (start, self._position - start, CONTENT)
            self.written += self._position - start
        return digest

    def drop_last(self) -> None:
        """Take back what the last `add_stream` appended."""
        self._rewind(self._last)

    def seal(self) -> PackTable | None:
        """Make the pack durable and give it its name; return its index, or None when there is nothing to write."""
        if not self._records:
            return None
        index = b"".join(RECORD.pack(digest, *place) for digest, place in sorted(self._records.items()))
        name = hashlib.sha256(index).hexdigest()[:40] + ".pack"
        footer = _FOOTER.pack(self._position, len(self._records), zlib.crc32(index), _TAIL)
        self._append(index + footer)
        self._flush()
        with fault_point("snapshot.sync_pack"):
            os.fsync(self._descriptor)
        if os.name == "nt":  # an open file cannot be renamed there
            os.close(self._descriptor)
            self._descriptor = -1
        with fault_point("snapshot.rename_pack"):
            os.replace(self._temporary, os.path.join(self._packs, name))
        sync_folder(self._packs, "snapshot.sync_folder")
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        return PackTable(name, index)

    def _begin(self, size: int) -> None:
        """Create the file before the first blob, and align a big one."""
        if self._descriptor < 0:
            self._descriptor, self._temporary = create_temporary(self._temporaries, "pack-")
            self._append(_HEAD)
        if size >= _ALIGNED:
            self._append(bytes(-self._position % 4096))

    def _rewind(self, position: int) -> None:
        """Forget what was appended at and behind `position`."""
        self._flush()
        os.ftruncate(self._descriptor, position)
        os.lseek(self._descriptor, position, os.SEEK_SET)
        for digest in [digest for digest, record in self._records.items() if record[0] >= position]:
            self.written -= self._records.pop(digest)[1]
        self._position = position

    def _append(self, data: bytes) -> None:
        self._buffer.append(data)
        self._buffered += len(data)
        self._position += len(data)
        if self._buffered >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        view = memoryview(b"".join(self._buffer))
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._buffer, self._buffered = [], 0

"""Remember what is to come of a running attempt, and what of it is here: versions of files, and parts of them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aml_jupyter.supervisor.far_files import is_log
from aml_jupyter.targets.far_arrivals import partial

__all__ = ["Arriving", "Incoming", "Key", "Part", "Version", "begun", "hash_of", "is_below", "prepare", "write_at"]

Key = tuple[str, int]
Version = tuple[int, int]
"""Size and time of change (ns)."""


@dataclass
class Arriving:
    """Hold what has come of one version of a file."""

    name: str
    version: Version
    path: Path
    have: int
    hash: Any = None
    """Of the bytes that are here; None until they were read again."""
    began: float = field(default_factory=time.monotonic)
    source: Path | None = None
    """A log that is here and was shorter: its bytes are taken for the first ones, until the hash tells otherwise."""


@dataclass
class Incoming:
    """Remember what is to come of one attempt."""

    root: Path
    folders: tuple[str, ...]
    wanted: dict[str, Version] = field(default_factory=dict)
    line: list[tuple[float, int, str]] = field(default_factory=list)
    """Those of `wanted`: the smallest first, (0, size, name); those that wait, (when, size, name)."""
    told: set[str] = field(default_factory=set)
    removals: list[tuple[list[str], list[str] | None]] = field(default_factory=list)
    """What was said to be gone; and, once, which others are there than those that were told."""
    current: Arriving | None = None
    """The file of which a part is here."""
    again: dict[str, float] = field(default_factory=dict)
    """When a file may come again (`time.monotonic`)."""
    rewritten: set[str] = field(default_factory=set)
    """Logs that did not go on as they were here."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever writes files of the attempt here."""


@dataclass(frozen=True)
class Part:
    """Name what is asked for of one file."""

    key: Key
    arriving: Arriving
    offset: int
    length: int


def begun(attempt: Incoming, name: str, version: Version) -> Arriving:
    """Return a version of a file, with how much of it is here."""
    path = partial(attempt.root, name, *version)
    found = Arriving(name, version, path, min(_size(path), version[0]))
    before = attempt.root / name
    if is_log(name) and found.have == 0 and name not in attempt.rewritten and _size(before) <= version[0]:
        found.source, found.have = before, _size(before)
    return found


def prepare(arriving: Arriving) -> None:
    """Have the bytes in the part of a file that were taken for its first ones."""
    if arriving.source is not None and not arriving.path.exists() and arriving.have:
        arriving.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(arriving.source, arriving.path)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def hash_of(path: Path, size: int) -> Any:
    """Return the hash of the first bytes of a file, to go on with."""
    found = hashlib.sha256()
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as stream:
        while size > 0 and (data := stream.read(min(1 << 20, size))):
            found.update(data)
            size -= len(data)
    return found


def write_at(path: Path, offset: int, data: bytes) -> bool:
    """Write what follows to a part of a file, and drop what stands behind it; False when so much is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "r+b" if path.exists() else "w+b", buffering=0) as stream:
        if os.fstat(stream.fileno()).st_size < offset:
            return False
        stream.seek(offset)
        left = memoryview(data)
        while left:
            left = left[stream.write(left) :]
        stream.truncate(offset + len(data))
    return True


def is_below(name: str, folders: Sequence[str]) -> bool:
    """Tell whether a name is one of a file in one of the folders, and leads nowhere else."""
    parts = name.split("/")
    if os.path.isabs(name) or ".." in parts or not all(parts) or "\0" in name:
        return False
    return any(name.startswith(f"{folder}/") for folder in folders)

"""Own the list of what came here from a far machine of an attempt: ``attempts/<n>/arrived.jsonl``, one line a file, appended.

A line is written before its file is put in place. So a file that is here and in no line was put there by somebody else, and is
never removed; and a file that is as one of its lines says is known by content, however often it was written anew over there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from aml_jupyter.supervisor.faults import fault_point

__all__ = [
    "Arrivals",
    "discard",
    "is_here",
    "note_arrival",
    "note_stay",
    "partial",
    "put_in_place",
    "read_arrivals",
    "sha256_of",
]

ARRIVED: Final = "arrived.jsonl"


@dataclass
class Arrivals:
    """Say which versions of a file came: (size, time of change) with the time of the last change of anything over there (ns)."""

    versions: dict[str, dict[tuple[int, int], int]] = field(default_factory=dict)
    stays: set[str] = field(default_factory=set)
    """Files that are here and were removed over there because of that."""

    def came(self, root: Path, name: str) -> bool:
        """Tell whether the file that is here is one that came, and nobody else's."""
        try:
            found = os.stat(root / name)
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) in self.versions.get(name, {}) and name not in self.stays


def note_arrival(root: Path, name: str, size: int, changed: int, ctime: int) -> None:
    """Write down that a version of a file is about to be put in place."""
    _append(root, {"name": name, "size": size, "time": changed, "ctime": ctime})


def note_stay(root: Path, name: str) -> None:
    """Write down that a file is removed over there, since it is here."""
    _append(root, {"name": name, "stays": True})


def _append(root: Path, line: dict[str, Any]) -> None:
    with open(root / ARRIVED, "ab", buffering=0) as stream:
        stream.write(b"\n" + json.dumps(line, separators=(",", ":")).encode() + b"\n")  # so a torn line harms no other


def read_arrivals(root: Path) -> Arrivals:
    """Return what came of an attempt so far."""
    found = Arrivals()
    try:
        lines = (root / ARRIVED).read_bytes().split(b"\n")
    except OSError:
        return found
    for text in filter(None, lines):
        try:
            line = json.loads(text)
            if line.get("stays"):
                found.stays.add(line["name"])
            else:
                found.versions.setdefault(line["name"], {})[line["size"], line["time"]] = line["ctime"]
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def partial(root: Path, name: str, size: int, changed: int) -> Path:
    """Return where a version of a file lies until all of it is here."""
    return root / ".fetching" / hashlib.sha256(f"{size} {changed} {name}".encode("utf-8", "surrogatepass")).hexdigest()


def is_here(path: Path, size: int, changed: int) -> bool:
    """Tell whether a file is here as it is over there: `size` bytes, changed at `changed` (ns)."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return found.st_size == size and found.st_mtime_ns == changed


def put_in_place(root: Path, name: str, source: Path, size: int, changed: int, ctime: int) -> None:
    """Put a file that is whole in its place; what was a folder there before, or a file where it has a folder now, goes."""
    path = root / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        _clear(root, path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
    os.utime(source, ns=(changed, changed))
    note_arrival(root, name, size, changed, ctime)
    if path.is_dir():
        _clear(root, path)
    with fault_point("remote.fetched"):
        os.replace(source, path)


def _clear(root: Path, path: Path) -> None:
    """Remove a folder, and the file that stands where `path` needs one."""
    with fault_point("remote.gone"):
        if path.is_dir():
            shutil.rmtree(path)
            return
        while path != root and not os.path.lexists(path):
            path = path.parent
        if path != root and not path.is_dir():
            path.unlink()


def discard(root: Path, name: str) -> None:
    """Remove a file that is not over there any more, and the folders that are empty then, up to a watched one."""
    path = root / name
    with fault_point("remote.gone"):
        try:
            os.unlink(path)
            while len(path.relative_to(root).parts) > 3:
                path = path.parent
                os.rmdir(path)
        except OSError:
            return


def sha256_of(stream: BinaryIO) -> str:
    """Return the hash of a stream."""
    if hasattr(hashlib, "file_digest"):
        return str(hashlib.file_digest(stream, "sha256").hexdigest())
    found = hashlib.sha256()
    while data := stream.read(1 << 20):
        found.update(data)
    return found.hexdigest()

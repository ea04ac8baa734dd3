"""Refuse a snapshot that is too big, before anything is copied, and say what makes it big.

SDK v1's limits: 300 MB over all files, and 2,000 files added or modified since this folder's last snapshot (a first
snapshot has no last one: there all files count).
"""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aml_jupyter.errors import SnapshotException

from .notes import shown, size_text
from .scan import Pending, Scan

__all__ = ["LIMIT_BYTES", "LIMIT_FILES", "Limits", "biggest_entries"]

LIMIT_BYTES = 314_572_800
LIMIT_FILES = 2000

_BYTES, _FILES, _NO_FILES = "AML_SNAPSHOT_MAX_BYTES", "AML_SNAPSHOT_MAX_FILES", "AML_SNAPSHOT_NO_FILE_LIMIT"
_NAMED = 5


@dataclass(frozen=True)
class Limits:
    """Hold the limits in force; None means no limit."""

    size: int | None = LIMIT_BYTES
    files: int | None = LIMIT_FILES

    @classmethod
    def in_force(cls, limit_bytes: int | None = None, limit_files: int | None = None) -> Limits:
        """Return the limits that arguments, else environment variables, else SDK v1 set; 0 lifts one.

        Raises
        ------
        SnapshotException
            One of them is no whole number of 0 or more.
        """
        size = _number("limit_bytes", limit_bytes, _BYTES, LIMIT_BYTES)
        files = _number("limit_files", limit_files, _FILES, LIMIT_FILES)
        if limit_files is None and os.environ.get(_NO_FILES):
            files = 0
        return cls(size or None, files or None)

    def check_size(self, scan: Scan) -> None:
        """Refuse a folder whose files are too big together.

        Raises
        ------
        SnapshotException
            They are.
        """
        if self.size is None or scan.size <= self.size:
            return
        raise SnapshotException(
            f"The snapshot of {shown(scan.source)} would be {size_text(scan.size)} in {scan.files:,} files; the limit is"
            f" {size_text(self.size)}. {_biggest(scan)} Leave out what the run does not need with a .amlignore file"
            f" (`aml snapshot` shows the effect), or raise the limit with {_BYTES} (bytes; 0 lifts it).",
            field="source_directory",
        )

    def check_files(self, scan: Scan, changed: Sequence[Pending]) -> None:
        """Refuse a folder in which too many files are new or changed.

        Raises
        ------
        SnapshotException
            There are too many.
        """
        if self.files is None or len(changed) <= self.files:
            return
        counts = Counter(item.path.split("/")[0] + "/" for item in changed if "/" in item.path)
        most = ", ".join(f"{shown(name)} {count:,}" for name, count in counts.most_common(_NAMED))
        since = (
            "are new or changed since the last snapshot" if scan.known else "would go (all count in a first snapshot)"
        )
        raise SnapshotException(
            f"{len(changed):,} files of {shown(scan.source)} {since}; the limit is {self.files:,}."
            f"{f' Most are in {most}.' if most else ''} {_biggest(scan)} Leave out what the run does not need with a"
            f" .amlignore file (`aml snapshot` shows the effect), or raise the limit with {_FILES}, or lift it with"
            f" {_NO_FILES}=1.",
            field="source_directory",
        )


def biggest_entries(
    sizes: Iterable[tuple[str, int]], count: int
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return the biggest files and the biggest folders (all that is in them counts) with their sizes in bytes."""
    files = list(sizes)
    folders: Counter[str] = Counter()
    for path, size in files:
        end = path.find("/")
        while end >= 0:
            folders[path[: end + 1]] += size
            end = path.find("/", end + 1)
    return heapq.nlargest(count, files, key=lambda entry: entry[1]), folders.most_common(count)


def _biggest(scan: Scan) -> str:
    files, folders = biggest_entries(scan.sizes(), _NAMED)
    parts = []
    for title, entries in (("files", files), ("folders", folders)):
        if entries:
            parts.append(
                f"Biggest {title}: " + ", ".join(f"{shown(path)} {size_text(size)}" for path, size in entries) + "."
            )
    return " ".join(parts)


def _number(name: str, argument: int | None, variable: str, default: int) -> int:
    if argument is not None:
        if argument < 0:
            raise SnapshotException(f"{name} is {argument}; a number of 0 (no limit) or more was expected.", field=name)
        return argument
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.replace("_", "").isdigit():
        raise SnapshotException(
            f"{variable} is {text!r}; a whole number of 0 (no limit) or more was expected.", field=name
        )
    return int(text)

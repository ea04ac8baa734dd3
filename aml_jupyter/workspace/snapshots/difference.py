"""Compare two snapshots, or a snapshot with a folder as it is now."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from .source import look_at
from .store import SnapshotWorkspace, open_store
from .take import hash_pending, place_records
from .trees import Entries, TreeEntry, add_trees, decode_tree, tree_digest, walk_tree

__all__ = ["Change", "SnapshotDifference", "diff_snapshots"]

_MISSING: list[object] = []


@dataclass(frozen=True, order=True)
class Change:
    """Name an entry that differs, with its size in bytes before and after (None where it is absent)."""

    path: str
    old_size: int | None
    new_size: int | None


@dataclass(frozen=True)
class SnapshotDifference:
    """List what differs, each sorted by path; links and empty folders count, with size 0."""

    added: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def diff_snapshots(
    folder: SnapshotWorkspace, old: str, new_or_source: str | os.PathLike[str], exclude_defaults: bool = True
) -> SnapshotDifference:
    """Return what was added, removed and changed from one snapshot to another, or to a folder as it is now.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace; nothing is written to it.
    old : str
        A snapshot id.
    new_or_source : str or os.PathLike
        A snapshot id, or else the path of a source directory.
    exclude_defaults : bool
        For a folder: whether the built-in exclusions hold.

    Raises
    ------
    SnapshotException
        There is no such snapshot or folder.
    """
    store = open_store(folder)
    trees: dict[bytes, bytes] = {}
    notes: tuple[str, ...] = ()
    if isinstance(new_or_source, str) and re.fullmatch("[0-9a-f]{64}", new_or_source):
        new = tree_digest(new_or_source)
    else:
        scan = look_at(folder, store, new_or_source, exclude_defaults)
        place_records(hash_pending(scan))
        new = add_trees(scan, trees.__setitem__)
        notes = scan.notes.lines()

    def read(digest: bytes) -> bytes:
        return trees.get(digest) or store.read(digest)

    added, removed, changed = _Comparison(read).run(tree_digest(old), new)
    return SnapshotDifference(tuple(sorted(added)), tuple(sorted(removed)), tuple(sorted(changed)), notes)


class _Comparison:
    """Walk two trees side by side, past directories that are equal."""

    def __init__(self, read: Callable[[bytes], bytes]) -> None:
        self.read = read
        self.added: list[Change] = []
        self.removed: list[Change] = []
        self.changed: list[Change] = []

    def run(self, old: bytes, new: bytes) -> tuple[list[Change], list[Change], list[Change]]:
        """Return what was added, removed and changed."""
        stack = [("", old, new)]
        while stack:
            place, before, after = stack.pop()
            if before == after:
                continue
            left, right = self.entries(before), self.entries(after)
            for name in left.keys() | right.keys():
                one, other = left.get(name, _MISSING), right.get(name, _MISSING)
                path = place + name
                if one == other:
                    continue
                if one and other and one[0] == other[0] == "d":
                    stack.append((path + "/", bytes.fromhex(str(one[1])), bytes.fromhex(str(other[1]))))
                elif one and other and "d" not in (one[0], other[0]):
                    self.changed.append(Change(path, _size(one), _size(other)))
                else:
                    self.removed += [Change(entry.path, entry.size, None) for entry in self.below(path, one)]
                    self.added += [Change(entry.path, None, entry.size) for entry in self.below(path, other)]
        return self.added, self.removed, self.changed

    def entries(self, digest: bytes) -> Entries:
        """Return what a directory holds."""
        return decode_tree(self.read(digest), digest)

    def below(self, path: str, entry: list[object]) -> list[TreeEntry]:
        """Return an entry itself, or all files and links in a directory (an empty one stands for itself)."""
        if not entry:
            return []
        if entry[0] != "d":
            return [TreeEntry(path, "file", size=_size(entry))]
        inner = list(walk_tree(bytes.fromhex(str(entry[1])), self.read))
        leaves = [TreeEntry(f"{path}/{one.path}", one.kind, size=one.size) for one in inner if one.kind != "folder"]
        return leaves or [TreeEntry(path + "/", "folder")]


def _size(entry: list[object]) -> int:
    size = entry[2] if len(entry) > 2 else 0
    return size if isinstance(size, int) else 0

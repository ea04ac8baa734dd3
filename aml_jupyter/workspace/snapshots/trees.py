"""Make and read manifests: what each directory of a snapshot holds.

A manifest is canonical JSON (sorted keys, no spaces, ASCII; bytes of a name that are not UTF-8 are lone surrogates), and
its sha256 is its name. That of the source directory itself is the snapshot's id::

    {"entries": {"train.py": ["f", <sha256>, <size>],         a file
                 "run.sh":   ["x", <sha256>, <size>],         an executable file
                 "latest":   ["l", "models/7"],               a symbolic link and its target
                 "src":      ["d", <sha256 of its manifest>, <number of files>, <their size>]},
     "format": 1}
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aml_jupyter.errors import SnapshotException, WorkspaceException

from .cache import EXECUTABLE
from .notes import shown
from .scan import Folder, Scan
from .store import SnapshotWorkspace, open_store

__all__ = [
    "Entries",
    "Sink",
    "TreeEntry",
    "add_overlay",
    "add_trees",
    "decode_tree",
    "read_tree",
    "tree_digest",
    "walk_tree",
]

Entries = dict[str, list[Any]]
Sink = Callable[[bytes, bytes], None]
"""Receives each manifest that was made: its sha256 and its bytes."""

_FORMAT = 1
_IDENTIFIER = re.compile(r"[0-9a-f]{64}")
_KINDS = {"f": "file", "x": "file", "l": "link", "d": "folder"}


@dataclass(frozen=True)
class TreeEntry:
    """Describe one entry of a snapshot."""

    path: str
    kind: str
    """``file``, ``link`` or ``folder``."""
    hash: str = ""
    size: int = 0
    executable: bool = False
    target: str = ""


def tree_digest(snapshot_id: str) -> bytes:
    """Return a snapshot id as bytes.

    Raises
    ------
    SnapshotException
        It is no snapshot id.
    """
    if not _IDENTIFIER.fullmatch(snapshot_id):
        raise SnapshotException(
            f"{shown(snapshot_id)!r} is no snapshot id: 64 hexadecimal digits were expected.", "snapshot"
        )
    return bytes.fromhex(snapshot_id)


def add_trees(scan: Scan, sink: Sink) -> bytes:
    """Make the manifest of every directory that changed, and return the hash of the source directory's.

    Every file of the scan has its record by now. An unchanged directory keeps the hash that is known.
    """
    for folder in reversed(scan.folders):
        known = folder.known
        inner_same = all(inner.tree[0] == inner.known.tree for inner in folder.folders.values())
        if known.tree and inner_same and not folder.changed:
            folder.tree = (known.tree, known.all_files, known.all_size)
            continue
        folder.tree = _make(_entries(folder), sink)
    return scan.folders[0].tree[0]


def _entries(folder: Folder) -> Entries:
    entries: Entries = {
        name: ["x" if record[4] & EXECUTABLE else "f", record[5].hex(), record[0]]
        for name, record in folder.files.items()
    }
    for name, target in folder.links.items():
        entries[name] = ["l", target]
    for name, inner in folder.folders.items():
        digest, files, size = inner.tree
        entries[name] = ["d", digest.hex(), files, size]
    return entries


def _make(entries: Entries, sink: Sink) -> tuple[bytes, int, int]:
    """Return hash, number of files and size of a manifest, and hand its bytes to `sink`."""
    data = json.dumps({"entries": entries, "format": _FORMAT}, sort_keys=True, separators=(",", ":")).encode("ascii")
    digest = hashlib.sha256(data).digest()
    sink(digest, data)
    files = size = 0
    for entry in entries.values():
        if entry[0] == "d":
            files += entry[2]
            size += entry[3]
        elif entry[0] != "l":
            files += 1
            size += entry[2]
    return digest, files, size


def add_overlay(
    root: bytes, overlay: Mapping[str, bytes], read: Callable[[bytes], bytes], add_blob: Sink, add_tree: Sink
) -> tuple[bytes, int, int]:
    """Join files to a tree; return hash, number of files and size of the new one.

    Parameters
    ----------
    root : bytes
        Hash of the tree that they join.
    overlay : mapping of str to bytes
        Relative path with ``/`` to content; takes the place of a file of the same name.
    read : callable
        Returns a manifest's bytes for its hash.
    add_blob, add_tree : callable
        Receive the new contents and manifests.

    Raises
    ------
    SnapshotException
        A path is absolute, leaves the folder, or needs a directory where there is a file or the reverse.
    """
    nested: dict[str, Any] = {}
    for path, content in overlay.items():
        parts = path.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise SnapshotException(
                f"{shown(path)!r} cannot join the snapshot: a relative path inside it was expected."
            )
        place = nested
        for part in parts[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise SnapshotException(f"{shown(path)!r} cannot join the snapshot: {part!r} is a file.")
        if isinstance(place.get(parts[-1]), dict):
            raise SnapshotException(f"{shown(path)!r} cannot join the snapshot: there is a folder of that name.")
        place[parts[-1]] = bytes(content)

    def join(digest: bytes | None, added: dict[str, Any], place: str) -> tuple[bytes, int, int]:
        entries = decode_tree(read(digest), digest) if digest else {}
        for name, content in added.items():
            present = entries.get(name)
            path = place + name
            if isinstance(content, dict):
                if present is not None and present[0] != "d":
                    raise SnapshotException(f"{shown(path)!r} is no folder, so nothing can join the snapshot below it.")
                inner = join(bytes.fromhex(present[1]) if present else None, content, path + "/")
                entries[name] = ["d", inner[0].hex(), inner[1], inner[2]]
            else:
                if present is not None and present[0] == "d":
                    raise SnapshotException(
                        f"{shown(path)!r} is a folder, so no file of that name can join the snapshot."
                    )
                blob = hashlib.sha256(content).digest()
                add_blob(blob, content)
                entries[name] = ["f", blob.hex(), len(content)]
        return _make(entries, add_tree)

    return join(root, nested, "")


def decode_tree(data: bytes, digest: bytes) -> Entries:
    """Return the entries of a manifest.

    Raises
    ------
    WorkspaceException
        It is none, is of a newer format, or names something outside its directory.
    """
    try:
        manifest = json.loads(data)
        entries: Entries = manifest["entries"]
        if manifest["format"] != _FORMAT:
            raise WorkspaceException(
                f"The snapshot {digest.hex()} was made by a newer aml-jupyter. Upgrade with `pip install -U aml-jupyter`."
            )
        for name, entry in entries.items():
            if name in ("", ".", "..") or "/" in name or "\0" in name or entry[0] not in _KINDS:
                raise ValueError(f"an entry is called {shown(name)!r}")
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise WorkspaceException(f"{digest.hex()} is no manifest of a snapshot ({error}).") from error
    return entries


def walk_tree(digest: bytes, read: Callable[[bytes], bytes]) -> Iterator[TreeEntry]:
    """Give every entry of a tree; a directory comes before what is in it."""
    stack = [("", digest)]
    while stack:
        place, current = stack.pop()
        for name, entry in decode_tree(read(current), current).items():
            path = place + name
            kind = entry[0]
            if kind == "l":
                yield TreeEntry(path, "link", target=entry[1])
            elif kind == "d":
                yield TreeEntry(path, "folder", entry[1], entry[3])
                stack.append((path + "/", bytes.fromhex(entry[1])))
            else:
                yield TreeEntry(path, "file", entry[1], entry[2], kind == "x")


def read_tree(folder: SnapshotWorkspace, snapshot_id: str) -> dict[str, TreeEntry]:
    """Return every entry of a snapshot by its relative path, sorted.

    Raises
    ------
    SnapshotException
        There is no such snapshot.
    """
    store = open_store(folder)
    return {
        entry.path: entry for entry in sorted(walk_tree(tree_digest(snapshot_id), store.read), key=lambda e: e.path)
    }

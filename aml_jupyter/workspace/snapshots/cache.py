"""Remember what the last look at a source directory saw, so that an unchanged file costs one `stat`.

One file for each source directory (``content/scans/<hash of its absolute path>``), made to be read fast: a checksum, a
JSON head with the directories, the names of all files, and one fixed-size record a file. It holds nothing that cannot
be made again, is never unpickled, and a torn or foreign one counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from .store import ContentStore
from .temporary import checked, replace_file

__all__ = [
    "EXECUTABLE",
    "FOLLOWED",
    "RACY",
    "KnownFolder",
    "KnownSource",
    "Record",
    "load_known",
    "save_known",
]

FORMAT = 1
EXECUTABLE, FOLLOWED, RACY = 1, 2, 4
_RECORD = struct.Struct("<qqqQB32s")


class Record(NamedTuple):
    """Say what is known of a file's content: valid while the first four numbers are those of its `stat`.

    A `RACY` one changed so shortly before it was read that a later change might have left the same numbers.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    flags: int
    digest: bytes


@dataclass
class KnownFolder:
    """Say what one directory held.

    `tree` is the hash of its manifest; `ignored` maps a name to (is a directory, rule).
    """

    files: dict[str, Record] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    ignored: dict[str, tuple[bool, int]] = field(default_factory=dict)
    tree: bytes = b""
    all_files: int = 0
    all_size: int = 0


@dataclass
class KnownSource:
    """Say what a source directory held; `rules` tells whether the decisions about ignored names still hold."""

    rules: str
    folders: dict[str, KnownFolder]

    @property
    def tree(self) -> bytes:
        """Return the hash of the whole directory's manifest."""
        return self.folders[""].tree


def load_known(store: ContentStore, source: str) -> KnownSource | None:
    """Return what the last snapshot of `source` saw, or None when there was none."""
    try:
        with open(_path(store, source), "rb") as file:
            content = checked(file.read())
    except OSError:
        return None
    if content is None:
        return None
    head_size, names_size = struct.unpack_from("<II", content)
    head = json.loads(bytes(content[8 : 8 + head_size]))
    if head["format"] != FORMAT or head["source"] != source:
        return None
    end = 8 + head_size + names_size
    names = bytes(content[8 + head_size : end]).decode("utf-8", "surrogateescape").split("\0")
    records = [Record._make(record) for record in _RECORD.iter_unpack(content[end:])]
    folders: dict[str, KnownFolder] = {}
    position = 0
    for path, count, links, inner, ignored, tree, all_files, all_size in head["folders"]:
        after = position + count
        folders[path] = KnownFolder(
            dict(zip(names[position:after], records[position:after], strict=True)),
            links,
            frozenset(inner),
            {name: (bool(is_folder), rule) for name, is_folder, rule in ignored},
            bytes.fromhex(tree),
            all_files,
            all_size,
        )
        position = after
    return KnownSource(head["rules"], folders)


def save_known(store: ContentStore, source: str, rules: str, folders: Iterable[tuple[str, KnownFolder]]) -> None:
    """Remember what a snapshot saw. A failure is harmless: the next snapshot reads every file again."""
    rows: list[list[object]] = []
    names: list[str] = []
    records: list[bytes] = []
    for path, known in folders:
        ignored = [[name, int(is_folder), rule] for name, (is_folder, rule) in known.ignored.items()]
        rows.append(
            [
                path,
                len(known.files),
                known.links,
                sorted(known.folders),
                ignored,
                known.tree.hex(),
                known.all_files,
                known.all_size,
            ]
        )
        names += known.files
        records += [_RECORD.pack(*record) for record in known.files.values()]
    head = json.dumps({"format": FORMAT, "source": source, "rules": rules, "folders": rows}).encode()
    text = "\0".join(names).encode("utf-8", "surrogateescape")
    content = b"".join([struct.pack("<II", len(head), len(text)), head, text, *records])
    with suppress(OSError):
        replace_file(store.temporaries, _path(store, source), content)


def _path(store: ContentStore, source: str) -> str:
    return os.path.join(store.scans, hashlib.sha256(os.fsencode(source)).hexdigest()[:40])

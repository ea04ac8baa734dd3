"""Send to a far machine what an attempt needs there and is not there yet."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.far_frames import BLOCK
from aml_jupyter.targets.far_arrivals import sha256_of
from aml_jupyter.targets.far_bulk import way_for
from aml_jupyter.targets.far_line import BULK
from aml_jupyter.targets.far_link import FarLink
from aml_jupyter.targets.protocol import Handle
from aml_jupyter.workspace import WorkspaceFolder, read_tree
from aml_jupyter.workspace.snapshots.store import ContentStore, open_store

__all__ = ["Sender", "input_entries", "lend_there"]

MOST_TURNS: Final = 8
"""How often the far side may say that it still needs something."""

SLOW: Final = 4e6
"""Bytes a second under which a link is slow: what is sent over it is compressed, where that makes it smaller."""

FOLDER_WITHIN: Final = 3600.0
"""Seconds that a folder of an environment may take to be put in place over there."""

_streams: Final = itertools.count(1)
"""Tells what one sender sends from what others do meanwhile."""

_KINDS: Final = {"folder": "d", "link": "l"}
Entries = list[list[Any]]


def input_entries(inputs: Path) -> Entries:
    """Return the files of a run's inputs as entries of a tree."""
    found: Entries = []
    for where, folders, names in os.walk(inputs):
        folders.sort()
        below = os.path.relpath(where, inputs)
        if below != ".":
            found.append([below, "d", "", 0])
        for name in sorted(names):
            path = os.path.join(where, name)
            with open(path, "rb") as stream:
                digest = sha256_of(stream)
            found.append([os.path.normpath(os.path.join(below, name)), "f", digest, os.stat(path).st_size])
    return found


class Sender:
    """Send snapshots of one workspace over one link.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    link : FarLink
        The link.
    """

    def __init__(self, folder: WorkspaceFolder, link: FarLink) -> None:
        self._folder = folder
        self._link = link

    def stage(
        self,
        handle: Handle,
        snapshot: str | None,
        inputs: Path | None,
        launch: dict[str, Any],
        files: dict[str, bytes],
        python: str,
        container: dict[str, Any] | None = None,
    ) -> None:
        """Have the files of an attempt in place over there; only what is missing is sent.

        Raises
        ------
        HostUnreachable
            When the link is cut; what has arrived is not sent again.
        FarRefusal
            When there is no room, or no right to write.
        """
        given = input_entries(inputs) if inputs is not None else []
        named: Entries = [[name, len(content)] for name, content in files.items()]
        content = b"".join(files.values())
        entries: Entries | None = None
        for _ in range(MOST_TURNS):
            answer, _ = self._link.ask(
                "stage",
                content,
                key=[handle.run_id, handle.attempt],
                snapshot=snapshot,
                inputs=given,
                launch=launch,
                files=named,
                python=python,
                container=container,
            )
            if answer.get("need") is None:
                return
            if entries is None and snapshot is not None:
                entries = self._entries(snapshot)
            if answer["need"] == "tree":
                body = json.dumps(entries, separators=(",", ":")).encode()
                answer, _ = self._link.ask("tree", body, snapshot=snapshot)
            if answer.get("missing"):
                self._send(answer["missing"], [*(entries or []), *given], inputs, given)
        raise self._lost(f"The files of run {handle.run_id}")

    def send_files(self, key: str, entries: Entries, root: Path, what: str = "files") -> None:
        """Have files of the folder `root` beside the environment `key` over there; raises as `stage`.

        With `what` ``linked`` they are its packages, with ``tool`` the program `key`.
        """
        for _ in range(MOST_TURNS):
            answer: dict[str, Any] = {}
            self._link.ask(
                "files",
                environment=key,
                entries=entries,
                what=what,
                seconds=FOLDER_WITHIN,
                part=_into(answer),
            )
            if not answer.get("missing"):
                return
            self._send(answer["missing"], entries, root, entries)
        raise self._lost(f"The files of environment {key}")

    def _lost(self, what: str) -> ComputeTargetException:
        return ComputeTargetException(
            f"{what} do not stay in place on {self._link.where}: something removes or damages them there. Look at the base "
            "folder (aml compute show).",
            "base_folder",
        )

    def _entries(self, snapshot: str) -> Entries:
        return [
            [
                entry.path,
                _KINDS.get(entry.kind, "x" if entry.executable else "f"),
                entry.target if entry.kind == "link" else entry.hash,
                entry.size,
            ]
            for entry in read_tree(self._folder, snapshot).values()
        ]

    def _send(self, missing: Sequence[Sequence[Any]], entries: Entries, inputs: Path | None, given: Entries) -> None:
        """Send blobs that are not on their way already, by the way that is best for so many bytes."""
        with self._link.claims.take(str(digest) for digest, _ in missing) as mine:
            if mine:
                self._send_mine([each for each in missing if each[0] in mine], entries, inputs, given)

    def _send_mine(
        self, missing: Sequence[Sequence[Any]], entries: Entries, inputs: Path | None, given: Entries
    ) -> None:
        sizes = {str(what): int(size) for _, kind, what, size in entries if kind in ("f", "x")}
        own = {str(what): inputs / str(name) for name, kind, what, _ in given if kind in "fx" and inputs is not None}
        with way_for(self._link, sum(sizes[digest] - have for digest, have in missing)) as link:
            if link is not self._link:  # another process there, which has other parts of blobs
                wanted = [["", "f", digest, sizes[digest]] for digest, _ in missing]
                missing = link.ask("missing", entries=wanted)[0]["missing"]
            self._send_by(link, missing, sizes, own)

    def _send_by(
        self, link: FarLink, missing: Sequence[Sequence[Any]], sizes: dict[str, int], own: dict[str, Path]
    ) -> None:
        """Send blobs, many small ones in one frame; the answer comes once, at the end."""
        parts: list[list[Any]] = []
        data = bytearray()
        stream = next(_streams)
        pace = _Pace()
        store = open_store(self._folder)
        for digest, have in missing:
            size = sizes[digest]
            offset = have if 0 < have < size else 0
            for piece in self._pieces(store, digest, offset, size, own):
                parts.append([digest, size, offset, len(piece)])
                data += piece
                offset += len(piece)
                if len(data) >= BLOCK:
                    body, how = pace.packed(bytes(data))
                    link.send_bulk("blobs", body, parts=parts, stream=stream, **how)
                    parts, data = [], bytearray()
        body, how = pace.packed(bytes(data))
        link.ask_last("blobs", body, parts=parts, stream=stream, last=True, **how)

    def _pieces(
        self, store: ContentStore, digest: str, offset: int, size: int, own: dict[str, Path]
    ) -> Iterator[bytes]:
        """Yield a blob from `offset`; an empty one is one empty piece."""
        if digest in own:
            path, start = str(own[digest]), 0
        else:
            location = store.locate(bytes.fromhex(digest))
            path, start = os.path.join(store.packs, location.pack), location.offset
        with open(path, "rb") as stream:
            stream.seek(start + offset)
            left = size - offset
            while left > 0 or size == 0:
                piece = stream.read(min(left, BLOCK))
                yield piece
                left -= len(piece)
                if not piece:
                    return


class _Pace:
    """Notice how fast a link takes what is sent, and compress what follows where it is slow."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._sent = 0

    def packed(self, data: bytes) -> tuple[bytes, dict[str, Any]]:
        """Return what to send for `data`, and what is to be said of it."""
        gone = self._sent - BULK * BLOCK  # so much is taken at once, however slow the link is
        is_slow = gone > 0 and gone < SLOW * (time.monotonic() - self._begin)
        body = zlib.compress(data, 1) if is_slow else data
        if len(body) > 0.95 * len(data):
            body = data
        self._sent += len(body)
        return body, {} if body is data else {"packed": True}


def _into(answer: dict[str, Any]) -> Callable[[dict[str, Any], bytes], None]:
    """Return what puts the parts of an answer together."""
    return lambda header, _: answer.update(header)


def lend_there(link: FarLink, handle: Handle, path: str) -> str:
    """Copy a file or folder of this machine to where an attempt can read it, and return its name below the control folder."""
    root = os.path.realpath(path)
    inside = f"lent/{hashlib.sha256(path.encode()).hexdigest()[:12]}/{os.path.basename(path)}"
    below = [os.path.join(where, name) for where, _, names in os.walk(root) for name in names]
    for file in below if os.path.isdir(root) else [root]:
        name = os.path.normpath(f"{protocol.CONTROL}/{inside}/{os.path.relpath(file, root)}")
        link.ask("put", Path(file).read_bytes(), key=[handle.run_id, handle.attempt], name=name)
    return inside

"""Bring back from a far machine what an attempt made: what is not here yet, each file checked by its hash."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.targets.far_arrivals import (
    Arrivals,
    discard,
    is_here,
    note_arrival,
    partial,
    put_in_place,
    read_arrivals,
    sha256_of,
)
from aml_jupyter.targets.far_bulk import way_for
from aml_jupyter.targets.far_link import FarLink
from aml_jupyter.targets.protocol import Handle
from aml_jupyter.transports.ssh import HostUnreachable

__all__ = ["fetch", "fetch_named"]

HASHED_WITHIN: Final = 3600.0
"""Seconds that the machine may be silent while it hashes files."""

log = logging.getLogger("aml_jupyter.service")

_EVENTS: Final = f"{protocol.CONTROL}/{protocol.EVENTS}/"
_MIRRORED: Final = tuple(f"{protocol.CONTROL}/{name}" for name in (protocol.LOG, protocol.SUPERVISOR_LOG))


class _Fetched:
    """Take the parts of files as they come, and put each in place when it is whole and as its hash says.

    Parameters
    ----------
    root : Path
        The attempt's folder here.
    partials : dict
        Where each file, by name, lies until all of it is here.
    """

    def __init__(self, root: Path, partials: dict[str, Path]) -> None:
        self._root = root
        self._partials = partials
        self._name = ""
        self._stream: BinaryIO | None = None
        self.damaged: list[str] = []
        self.failed: dict[str, OSError] = {}
        """Those that could not be kept here."""

    def take(self, header: dict[str, Any], body: bytes) -> None:
        """Take a part; a file that cannot be kept holds up no other, unless the disk is full."""
        name = str(header["name"])
        if name in self.failed:
            return
        try:
            self._take(name, header, body)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            self._stream = None
            self.failed[name] = error

    def _take(self, name: str, header: dict[str, Any], body: bytes) -> None:
        if header.get("gone"):
            if header.get("why"):
                log.warning("%s does not come: %s", name, header["why"])
            return
        path = self._partials[name]
        if name != self._name or self._stream is None:
            self.close()
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115 (`close` does)
            self._name = name
        if "sha256" not in header:
            self._stream.seek(int(header["offset"]))
            self._stream.write(body)
            return
        size, changed = int(header["size"]), int(header["time"])
        self._stream.truncate(size)
        self._stream.seek(0)
        is_whole = sha256_of(self._stream) == header["sha256"]
        self.close()
        if is_whole:
            put_in_place(self._root, name, path, size, changed, int(header["ctime"]))
        else:
            with fault_point("remote.room"):
                os.unlink(path)
            self.damaged.append(name)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = None


def _partial(root: Path, name: str, size: int, changed: int) -> Path:
    """Return where a file lies until all of it is here; a log, which grows where it lies, is in its place already."""
    if name in _MIRRORED or (name.startswith(_EVENTS) and (root / name).is_file()):
        return root / name
    return partial(root, name, size, changed)


def fetch(
    link: FarLink,
    handle: Handle,
    root: Path,
    folders: Sequence[str],
    skip: Sequence[str] = (),
    is_last: bool = False,
) -> int:
    """Bring files of an attempt here, and return how many came; those that are as they are there are not sent again.

    Parameters
    ----------
    root : Path
        The attempt's folder here.
    folders : sequence of str
        Folders or files below the attempt's folder.
    skip : sequence of str
        What the names begin with of files that stay there.
    is_last : bool
        The attempt is over: what came before and is not there any more is removed here, too.

    Raises
    ------
    HostUnreachable
        When the link is cut; it goes on where it was then. Or when a file came damaged three times.
    OSError
        When the disk here is full.
    """
    key = [handle.run_id, handle.attempt]
    for _ in range(3):
        answer, _ = link.ask("list", key=key, folders=list(folders), is_over=is_last)
        arrivals = read_arrivals(root)
        wanted, doubtful = dict[str, tuple[int, int]](), dict[str, tuple[int, int]]()
        for name, size, changed, ctime in answer["files"]:
            if not _is_inside(str(name)) or str(name).startswith(tuple(skip)):
                continue
            if not is_here(root / name, size, changed):
                wanted[str(name)] = (size, changed)
            elif arrivals.versions.get(name, {}).get((size, changed)) != ctime:
                doubtful[str(name)] = (size, changed)
        wanted |= _others(link, key, root, doubtful)
        if not wanted or not (again := _send(link, handle, root, wanted)):
            break
    else:
        what = f"{again[0]} of run {handle.run_id} ({len(again)} in all)"
        raise HostUnreachable(f"{what} does not come whole from {link.where}, again and again.", "target")
    if is_last and answer.get("is_there"):
        unread = tuple(f"{name}/" for name in answer.get("unread", ()))
        for name in unread:
            log.warning("%s of run %s cannot be read on %s; what it has does not come", name, handle.run_id, link.where)
        _remove_others(root, arrivals, {str(name) for name, *_ in answer["files"]}, folders, unread)
    with fault_point("remote.room"), contextlib.suppress(OSError):
        if is_last:
            shutil.rmtree(root / ".fetching")
        else:
            os.rmdir(root / ".fetching")
    return len(wanted)


def _send(
    link: FarLink, handle: Handle, root: Path, wanted: dict[str, tuple[int, int]], kept: bool = False
) -> list[str]:
    """Have files sent by the best way, from where they stopped; return those that are to be asked for again."""
    partials = {name: _partial(root, name, *version) for name, version in wanted.items()}
    asked, left = [], 0
    for name, (size, _) in wanted.items():
        have = 0
        with contextlib.suppress(OSError):
            have = partials[name].stat().st_size
        have = have if have <= size else 0
        asked.append([name, have])
        left += size - have
    taken = _Fetched(root, partials)
    again = list(wanted)
    with way_for(link, left, back=True) as way:
        try:
            way.ask("fetch", key=[handle.run_id, handle.attempt], files=asked, kept=kept, part=taken.take)
            again = taken.damaged
        finally:
            taken.close()
    for error in taken.failed.values():
        raise error
    return again


def _others(
    link: FarLink, key: list[Any], root: Path, doubtful: dict[str, tuple[int, int]]
) -> dict[str, tuple[int, int]]:
    """Return which of the files that look the same here and there have another content.

    They do where somebody gave a file that was written anew the time of the one before.
    """
    if not doubtful:
        return {}
    told: dict[str, tuple[str, int]] = {}

    def take(header: dict[str, Any], body: bytes) -> None:
        if "name" in header:
            told[str(header["name"])] = (str(header["sha256"]), int(header["ctime"]))

    link.ask("hashes", key=key, names=list(doubtful), seconds=HASHED_WITHIN, part=take)
    found = {}
    for name, version in doubtful.items():
        digest, ctime = told.get(name, ("", 0))
        with open(root / name, "rb") as stream:
            if sha256_of(stream) == digest:
                note_arrival(root, name, *version, ctime)
            elif digest:
                found[name] = version
    return found


def _remove_others(
    root: Path, arrivals: Arrivals, there: set[str], folders: Iterable[str], unread: tuple[str, ...]
) -> None:
    """Remove what the script made, came, and is not over there any more; nobody knows what is in the folders `unread`."""
    places = tuple(f"{folder}/" for folder in folders if folder != protocol.CONTROL)
    for name in arrivals.versions:
        is_gone = name not in there and name.startswith(places) and not name.startswith(unread)
        if is_gone and arrivals.came(root, name):
            discard(root, name)


def fetch_named(link: FarLink, handle: Handle, root: Path, name: str, size: int, changed: int) -> None:
    """Bring one file here that is kept over there; raises as `fetch`. Damaged on its way, or gone there, it does not come."""
    for _ in range(3):
        if not _send(link, handle, root, {name: (size, changed)}, kept=True):
            break
    with fault_point("remote.room"), contextlib.suppress(OSError):
        os.rmdir(root / ".fetching")


def _is_inside(name: str) -> bool:
    return not os.path.isabs(name) and ".." not in name.split("/") and "\0" not in name

"""Bring finished files of running attempts here while they run, a portion at a time, so that nothing else on the link waits long.

The far side tells which files are finished (`supervisor.far_finished`). One thread for each machine asks for them, one portion
after the other, of all attempts in turn; a portion is as large as the link takes in a fraction of a second. What has come of a
file stays under a temporary name that says which version it is of: after a cut, or a kill of this process, the rest follows.
"""

from __future__ import annotations

import contextlib
import errno
import heapq
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.errors import AmlError
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.targets.far_arrivals import discard, is_here, partial, put_in_place, read_arrivals
from aml_jupyter.targets.far_incoming import (
    Arriving,
    Incoming,
    Key,
    Part,
    begun,
    hash_of,
    is_below,
    prepare,
    write_at,
)
from aml_jupyter.transports.ssh import HostUnreachable

if TYPE_CHECKING:
    from aml_jupyter.targets.far_link import FarLink

__all__ = ["Early"]

SMALLEST: Final = 1 << 15
LARGEST: Final = 1 << 20
"""Bytes of a portion."""

MOST_FILES: Final = 200
"""Files of a portion."""

QUICK, LONG = 0.1, 0.4
"""Seconds: a portion that took less is followed by a larger one, one that took more by a smaller one."""

AGAIN_AFTER: Final = 10.0
"""A file that is written anew is fetched again after so many times what its last fetch took."""

FULL_PAUSE: Final = 30.0
"""Seconds before the next try when the disk here is full."""

IDLE: Final = 5.0
"""Seconds without work after which the thread ends."""

log = logging.getLogger("aml_jupyter.service")


class Early:
    """Fetch finished files of the attempts on one machine.

    Parameters
    ----------
    link : callable
        Returns the link; it is another one when the way there has changed.
    """

    def __init__(self, link: Callable[[], FarLink]) -> None:
        self._link = link
        self._work = threading.Condition()
        self._attempts: dict[Key, Incoming] = {}
        self._thread: threading.Thread | None = None
        self._portion = 1 << 16
        self._turn = 0

    # -- for others -----------------------------------------------------------------------------------------------

    def watch(self, key: Key, root: Path, folders: Sequence[str]) -> None:
        """Begin with an attempt, or begin anew: the far side tells again what is finished."""
        with self._work:
            self._attempts[key] = Incoming(root, tuple(folders))

    def forget(self, key: Key) -> None:
        """End it, and return when nothing of it is being written here any more."""
        with self._work:
            gone = self._attempts.pop(key, None)
        if gone is not None:
            with gone.lock:
                pass

    @contextlib.contextmanager
    def held(self, key: Key) -> Iterator[None]:
        """Let nothing of an attempt be written here meanwhile: somebody else fetches its files."""
        with self._work:
            attempt = self._attempts.get(key)
        with attempt.lock if attempt is not None else contextlib.nullcontext():
            yield
        if attempt is not None:
            attempt.current = None

    def told(self, news: dict[str, Any]) -> None:
        """Hear which files of an attempt are finished, and which are gone."""
        key = (str(news["key"][0]), int(news["key"][1]))
        with self._work:
            attempt = self._attempts.get(key)
            if attempt is None:
                return
            for name, size, changed in news.get("made", ()):
                if is_below(str(name), attempt.folders):
                    attempt.told.add(str(name))
                    attempt.wanted[str(name)] = (int(size), int(changed))
                    heapq.heappush(attempt.line, (attempt.again.get(str(name), 0.0), int(size), str(name)))
            gone = [str(name) for name in news.get("gone", ()) if str(name) in attempt.told]
            attempt.told.difference_update(gone)
            for name in gone:
                attempt.wanted.pop(name, None)
            if gone or "others" in news:
                attempt.removals.append((gone, news.get("others")))
            self._start()
            self._work.notify()

    # -- in the thread ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="aml-far-early", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._work:
                removals, (parts, pause) = self._removals(), self._next()
                if not parts and not removals:
                    is_idle = not any(each.wanted or each.removals for each in self._attempts.values())
                    if not self._work.wait(IDLE if is_idle else pause) and is_idle:
                        self._thread = None
                        return
                    continue
            try:
                for attempt in removals:
                    self._remove(attempt)
                if parts:
                    self._fetch(parts)
            except HostUnreachable:
                with self._work:
                    self._work.wait(1.0)  # what is finished is told anew when the link stands again
            except AmlError as error:
                log.warning("files of running runs on %s cannot be fetched now: %s", self._link().where, error.message)
                self._give_up(parts)
            except OSError as error:
                log.warning("files of running runs cannot be kept here now, trying again: %s", error)
                self._make_room(parts)
            except Exception:
                log.exception("files of running runs cannot be fetched; they come when the runs have ended")
                self._give_up(parts)

    def _removals(self) -> list[Incoming]:
        return [each for each in self._attempts.values() if each.removals and not each.lock.locked()]

    def _remove(self, attempt: Incoming) -> None:
        """Remove here what is not over there any more: what is said to be gone, and what came once and is not there now."""
        with attempt.lock:
            with self._work:
                if attempt not in self._attempts.values():
                    return  # it was forgotten meanwhile
                said, attempt.removals = attempt.removals, []
                told = set(attempt.told)
                parts = {partial(attempt.root, name, *version) for name, version in attempt.wanted.items()}
            arrivals = read_arrivals(attempt.root)
            for gone, others in said:
                if others is not None:
                    gone = [*gone, *(arrivals.versions.keys() - told - set(others))]
                    for path in set(attempt.root.glob(".fetching/*")) - parts:
                        _unlink(path)  # of a version that is not there any more
                for name in gone:
                    if name not in told and is_below(name, attempt.folders) and arrivals.came(attempt.root, name):
                        discard(attempt.root, name)

    def _next(self) -> tuple[list[Part], float]:
        """Return what to ask for: of each attempt in turn until it is a portion; and after which time to look again."""
        parts: list[Part] = []
        room, pause = self._portion, IDLE
        if not self._attempts or not self._link().is_up:
            return [], 1.0
        keys = list(self._attempts)
        self._turn += 1
        for key in keys[self._turn % len(keys) :] + keys[: self._turn % len(keys)]:
            attempt = self._attempts[key]
            if attempt.lock.locked():
                pause = 0.5
                continue
            for part in self._parts(key, attempt, room):
                parts.append(part)
                room -= part.length
            if attempt.line:
                pause = min(pause, max(0.1, attempt.line[0][0] - time.monotonic()))
            if room <= 0 or len(parts) >= MOST_FILES:
                break
        return parts, pause

    def _parts(self, key: Key, attempt: Incoming, room: int) -> Iterator[Part]:
        """Yield what to ask for of an attempt: small files first, and with them a piece of the one that has begun."""
        current = attempt.current
        if current is not None and attempt.wanted.get(current.name) != current.version:
            _unlink(current.path)
            current = attempt.current = None
        if current is not None:
            length = min(current.version[0] - current.have, room if not attempt.line else (room + 1) // 2)
            room -= length
            yield Part(key, current, current.have, length)
        count = 0
        while attempt.line and (room > 0 or attempt.line[0][1] == 0) and count < MOST_FILES:
            when, size, name = attempt.line[0]
            version = attempt.wanted.get(name)
            if when > time.monotonic():
                break
            heapq.heappop(attempt.line)
            if version is None or version[0] != size or (current is not None and current.name == name):
                continue
            if is_here(attempt.root / name, *version):
                attempt.wanted.pop(name)
                continue
            if size > room:
                if current is not None:
                    heapq.heappush(attempt.line, (when, size, name))
                    return  # one large file after the other
                current = attempt.current = begun(attempt, name, version)
                yield Part(key, current, current.have, min(size - current.have, room))
                return
            small = begun(attempt, name, version)
            room -= size - small.have
            count += 1
            yield Part(key, small, small.have, size - small.have)

    def _fetch(self, parts: list[Part]) -> None:
        """Ask for a portion, and write it down."""
        came: list[tuple[dict[str, Any], bytes]] = []
        asked = [[*part.key, part.arriving.name, part.offset, part.length, *part.arriving.version] for part in parts]
        for part in parts:
            prepare(part.arriving)
        began = time.monotonic()
        self._link().ask("pieces", parts=asked, part=lambda header, body: came.append((header, body)))
        took = time.monotonic() - began
        if took < QUICK:
            self._portion = min(LARGEST, 2 * self._portion)
        elif took > LONG:
            self._portion = max(SMALLEST, self._portion // 2)
        for header, body in came:
            if header.keys() & {"offset", "changed", "sha256"}:
                part = parts[int(header["at"])]
                try:
                    self._take(part, header, body)
                except OSError as error:
                    if error.errno in (errno.ENOSPC, errno.EDQUOT):
                        raise
                    log.warning("%s of run %s comes when it has ended: %s", part.arriving.name, part.key[0], error)
                    self._give_up([part])

    def _take(self, part: Part, header: dict[str, Any], body: bytes) -> None:
        with self._work:
            attempt = self._attempts.get(part.key)
        if attempt is None or not attempt.lock.acquire(blocking=False):
            return
        try:
            if self._attempts.get(part.key) is attempt:  # it was not forgotten meanwhile
                self._write(attempt, part.arriving, header, body)
        finally:
            attempt.lock.release()

    def _write(self, attempt: Incoming, arriving: Arriving, header: dict[str, Any], body: bytes) -> None:
        name, version = arriving.name, arriving.version
        if "offset" in header:
            if int(header["offset"]) != arriving.have or not write_at(arriving.path, arriving.have, body):
                self._again(attempt, arriving)  # another one has it, or it is not as it was
                return
            if arriving.hash is None:
                arriving.hash = hash_of(arriving.path, arriving.have)
            arriving.hash.update(body)
            arriving.have += len(body)
            return
        if arriving.hash is None:
            arriving.hash = hash_of(arriving.path, arriving.have)
        is_whole = header.get("sha256") == arriving.hash.hexdigest() and arriving.have == version[0]
        if is_whole:
            if version[0] == 0:
                write_at(arriving.path, 0, b"")
            put_in_place(attempt.root, name, arriving.path, *version, int(header["ctime"]))
            attempt.again[name] = time.monotonic() + AGAIN_AFTER * (time.monotonic() - arriving.began)
        elif arriving.source is not None and "sha256" in header:
            _unlink(arriving.path)
            attempt.rewritten.add(name)
            self._again(attempt, arriving)
            return
        else:  # it is another one over there by now: it is told when it is finished; or it was damaged on its way
            _unlink(arriving.path)
        with self._work:
            if attempt.wanted.get(name) == version:
                del attempt.wanted[name]
            if attempt.current is arriving:
                attempt.current = None

    def _again(self, attempt: Incoming, arriving: Arriving) -> None:
        with self._work:
            if attempt.current is arriving:
                attempt.current = None
            if attempt.wanted.get(arriving.name) == arriving.version:
                heapq.heappush(attempt.line, (0.0, arriving.version[0], arriving.name))

    def _give_up(self, parts: list[Part]) -> None:
        """Leave files to the end of their runs."""
        with self._work:
            for part in parts:
                attempt = self._attempts.get(part.key)
                if attempt is not None:
                    attempt.wanted.pop(part.arriving.name, None)
                    if attempt.current is part.arriving:
                        attempt.current = None

    def _make_room(self, parts: list[Part]) -> None:
        """Give back the room that parts of files take, so that logs can be kept, and try again later."""
        later = time.monotonic() + FULL_PAUSE
        with self._work:
            for attempt in {id(each): each for part in parts if (each := self._attempts.get(part.key))}.values():
                attempt.current = None
                attempt.line = [(later, version[0], name) for name, version in attempt.wanted.items()]
                heapq.heapify(attempt.line)
                with fault_point("remote.room"):
                    shutil.rmtree(attempt.root / ".fetching", ignore_errors=True)


def _unlink(path: Path) -> None:
    with fault_point("remote.room"), contextlib.suppress(OSError):
        os.unlink(path)

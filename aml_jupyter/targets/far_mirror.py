"""Keep a copy of the control folders of far attempts in the workspace, so that everybody else reads files of this machine.

What is appended over there is appended here, and files that are finished come here (`Early`); what the service writes here
for a run (replies, the request to end) goes there. How much was stored is the size of the copy: so after a cut, or a kill of
this process, the news goes on without a gap and without a repetition.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aml_jupyter.supervisor import durable, protocol
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.targets.far_early import Early
from aml_jupyter.targets.far_line import Listener
from aml_jupyter.targets.far_link import FarLink
from aml_jupyter.targets.news import tell_news
from aml_jupyter.targets.protocol import Handle

__all__ = ["COLLECTED", "Mirror", "Room", "Seen"]

FORGOTTEN_AFTER: Final = 5.0
"""Seconds after which room that was asked for and that nobody asks for any more is given back."""

COLLECTED: Final = "collected"
"""Beside the control folder here: all that the attempt made is here."""

SKEW: Final = 5.0
"""Seconds by which the clock over there may be off before times of starts and ends are turned into ours."""

PAUSE: Final = 0.5
"""Seconds before news is asked for again that could not be stored."""

log = logging.getLogger("aml_jupyter.service")


@dataclass
class Seen:
    """Say what was heard of one attempt; `state` is that of `supervisor.far_watch`, or None when nothing was."""

    control: str
    state: str | None = None
    age: float = 0.0
    requests: tuple[str, ...] = ()
    delivered: set[str] = field(default_factory=set)
    folders: tuple[str, ...] = ()
    """Those below the attempt's folder whose files come here while it runs."""
    largest: int = 0
    """Bytes: larger files stay over there until the end; 0 for no limit."""


@dataclass
class Room:
    """Say how it stands with room that was asked for: None as `why` means that it is held."""

    why: str | None
    asked_at: float
    is_claimed: bool = False


class Mirror(Listener):
    """Own the copies of the attempts of one workspace on one machine.

    Parameters
    ----------
    runs : str
        The workspace's folder of runs.
    """

    link: FarLink

    def __init__(self, runs: str) -> None:
        self._runs = runs
        self._lock = threading.RLock()
        self._seen: dict[tuple[str, int], Seen] = {}
        self.room: dict[tuple[str, int], Room] = {}
        self.hello: dict[str, Any] = {}
        self._skew = 0.0
        self.early = Early(lambda: self.link)

    # -- for the loop: never waits ------------------------------------------------------------------------------

    def seen(
        self, handle: Handle, control: str, wants: Callable[[], tuple[tuple[str, ...], int]] = lambda: ((), 0)
    ) -> Seen:
        """Return what was heard of an attempt; the first time, have it watched.

        `wants` returns which folders' finished files come here, and the bytes that one has at the most (see `Seen`).
        """
        key = (handle.run_id, handle.attempt)
        with self._lock:
            found = self._seen.get(key)
            if found is None:
                folders, largest = wants()
                found = self._seen[key] = Seen(control, folders=folders, largest=largest)
                self._watch(key, found)  # asked for in vain while the link is down: `linked` does it again
            return found

    def in_our_time(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return what was told of a start or an end, with its times as the clock here has them, where that one is far off."""
        if abs(self._skew) < SKEW:
            return told
        times = {name: told[name] - self._skew for name in ("started", "ended") if isinstance(told.get(name), float)}
        return {**told, **times}

    def drop(self, handle: Handle) -> None:
        """Forget an attempt: it is over, and all of it is here."""
        key = (handle.run_id, handle.attempt)
        with self._lock:
            self._seen.pop(key, None)
            if self.link.is_up:
                self.link.post("unwatch", key=list(key))
        self.early.forget(key)

    def ask_room(self, key: tuple[str, int], asked: Room, needs: dict[str, Any]) -> None:
        """Ask for slots over there; the answer is written into `asked`, now or with later news."""

        def answered(future: Future[tuple[dict[str, Any], bytes]]) -> None:
            with self._lock:
                if future.exception() is not None:
                    if self.room.get(key) is asked:
                        del self.room[key]
                elif self.room.get(key) is asked and asked.why is not None:
                    asked.why = future.result()[0].get("why")
            tell_news()

        self.link.post("ask_room", key=list(key), needs=needs).add_done_callback(answered)

    def deliver(self, handle: Handle, file: str) -> None:
        """Send a file of the control folder (``cancel.json``, ``replies/...``) over there."""
        key = (handle.run_id, handle.attempt)
        with self._lock:
            found = self._seen.get(key)
            if found is not None:
                self._put(key, found, file)  # in vain while the link is down, as above

    # -- in the link's thread -----------------------------------------------------------------------------------

    def linked(self, hello: dict[str, Any]) -> None:
        """Have everything watched again, from what is here."""
        with self._lock:
            self.hello = hello
            self._skew = float(hello.get("clock") or time.time()) - time.time()
            self.room.clear()
            for key, seen in self._seen.items():
                seen.delivered.clear()
                self._watch(key, seen)
        self.link.post("attempts").add_done_callback(self._remove_collected)

    def _remove_collected(self, future: Future[tuple[dict[str, Any], bytes]]) -> None:
        """Have removed over there what is all here: whoever collected it may have been killed before that."""
        if future.exception() is not None:
            return
        for run_id, number in future.result()[0].get("keys", ()):
            run = os.path.join(self._runs, str(run_id))
            if os.path.exists(os.path.join(run, "attempts", str(number), COLLECTED)) or not os.path.isdir(run):
                self.link.post("remove", key=[run_id, number])

    def cut(self) -> None:
        """Forget what may have changed when the link stands again."""
        with self._lock:
            self.room.clear()
            for seen in self._seen.values():
                if seen.state != "running":
                    seen.state = None

    def tick(self) -> None:
        """Give room back that nobody asks for any more."""
        with self._lock:
            for key, room in list(self.room.items()):
                if not room.is_claimed and time.monotonic() - room.asked_at > FORGOTTEN_AFTER:
                    del self.room[key]
                    self.link.post("free_room", key=list(key))

    def heard(self, header: dict[str, Any], body: bytes) -> None:
        """Write down news."""
        start = 0
        with self._lock:
            for run, number, why in ((*key, why) for key, why in header.get("room", ())):
                room = self.room.get((run, number))
                if room is not None:
                    room.why = why
        for files in header.get("finished", ()):
            self.early.told(files)
        for news in header.get("news", ()):
            key, before = (str(news["key"][0]), int(news["key"][1])), start
            with self._lock:
                seen = self._seen.get(key)
                try:
                    start = self._take(key, seen, news, body, start)
                    continue
                except OSError as error:
                    log.error("run %s: what it wrote cannot be stored: %s", key[0], error)
            start = before + sum(length for _, _, length in news.get("files", ()))
            time.sleep(PAUSE)  # outside the lock: the disk is full, perhaps
            with self._lock:
                if seen is not None and self._seen.get(key) is seen:
                    self._watch(key, seen)  # it is told again

    def _take(self, key: tuple[str, int], seen: Seen | None, news: dict[str, Any], body: bytes, start: int) -> int:
        for name, offset, length in news.get("files", ()):
            data, start = body[start : start + length], start + length
            if seen is not None and not _append(os.path.join(seen.control, _local(name)), offset, data):
                self._watch(key, seen)
        if seen is None:
            return start
        for name, size in news.get("cut", ()):
            with contextlib.suppress(FileNotFoundError):
                os.truncate(os.path.join(seen.control, _local(name)), size)
        for kind, name in (("attempt", protocol.ATTEMPT), ("result", protocol.RESULT)):
            if kind in news:
                _write(os.path.join(seen.control, name), self.in_our_time(news[kind]))
        if "asked" in news:
            self._take_requests(key, seen, news)
        seen.state = str(news["state"]) if "state" in news else seen.state
        seen.age = float(news.get("age") or 0.0)
        return start

    def _take_requests(self, key: tuple[str, int], seen: Seen, news: dict[str, Any]) -> None:
        """Bring the questions here, and forget those that are not asked any more, with their answers."""
        names = [name for name in map(str, news["asked"]) if name == os.path.basename(name)]
        for name, content in news.get("questions", {}).items():
            if name in names:
                _write(os.path.join(seen.control, protocol.REQUESTS, name), content)
        for name in set(seen.requests).difference(names):
            for folder in (protocol.REQUESTS, protocol.REPLIES):
                with fault_point("remote.forget"), contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(seen.control, folder, name))
            seen.delivered.discard(f"{protocol.REPLIES}/{name}")
        seen.requests = tuple(names)

    def _watch(self, key: tuple[str, int], seen: Seen) -> None:
        self.early.watch(key, Path(seen.control).parent, seen.folders)
        have = _sizes(seen.control)
        self.link.post("watch", key=list(key), have=have, folders=seen.folders, largest=seen.largest)
        for file in (protocol.CANCEL, *(f"{protocol.REPLIES}/{name}" for name in seen.requests)):
            self._put(key, seen, file)

    def _put(self, key: tuple[str, int], seen: Seen, file: str) -> None:
        if file in seen.delivered:
            return
        try:
            with open(os.path.join(seen.control, file), "rb") as stream:
                data = stream.read()
        except OSError:
            return
        seen.delivered.add(file)
        sent = self.link.post("put", data, key=list(key), name=f"{protocol.CONTROL}/{file}", once=True)
        sent.add_done_callback(lambda future: seen.delivered.discard(file) if future.exception() else None)


def _sizes(control: str) -> dict[str, int]:
    """Return how much of each file is here."""
    names = [protocol.LOG, protocol.SUPERVISOR_LOG]
    names += [os.path.join(protocol.EVENTS, name) for name in protocol.events_files(control)]
    found = {}
    for name in names:
        with contextlib.suppress(OSError):
            found[name] = os.stat(os.path.join(control, name)).st_size
    return found


def _local(name: Any) -> str:
    """Return the name of a file that news may be of.

    Raises
    ------
    OSError
        When it is none.
    """
    folder, base = os.path.split(str(name))
    if str(name) in (protocol.LOG, protocol.SUPERVISOR_LOG) or (folder == protocol.EVENTS and base.endswith(".jsonl")):
        return str(name)
    raise OSError(f"{name!r} is no file that a far machine tells of")


def _append(path: str, offset: int, data: bytes) -> bool:
    """Append to a copy what comes next; False when something else is there than was believed."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "ab", buffering=0) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > offset:
            data = data[size - offset :]  # a part of it came before a cut
        elif size < offset:
            return False
        left = memoryview(data)
        while left:
            left = left[stream.write(left) :]
    return True


def _write(path: str, content: dict[str, Any]) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    durable.write_json(path, content, point="remote.mirror", sync=False, mode=0o600)

"""Tell listeners that a workspace has new events: one polling thread per workspace, only while somebody listens."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from dataclasses import dataclass

from aml_jupyter.errors import AmlError
from aml_jupyter.workspace import EventRecord, WorkspaceFolder, events_since, latest_event

__all__ = ["Feed", "PAGE", "Page", "read_page"]

INTERVAL = 0.2
PAGE = 500


class Feed:
    """Watch the store of `folder` and set the listeners' asyncio events when it has changed.

    Listeners read the events themselves, a page at a time and at their own pace, so nothing piles up for a slow one.
    All methods are called on the event loop `loop`.
    """

    def __init__(self, folder: WorkspaceFolder, loop: asyncio.AbstractEventLoop) -> None:
        self.folder = folder
        self._loop = loop
        self._listeners: set[asyncio.Event] = set()
        self._stop: threading.Event | None = None

    @property
    def is_running(self) -> bool:
        """Tell whether a thread polls now."""
        return self._stop is not None

    def listen(self, changed: asyncio.Event) -> None:
        """Set `changed` from now on, whenever there may be new events."""
        self._listeners.add(changed)
        if self._stop is None:
            self._stop = threading.Event()
            thread = threading.Thread(target=self._poll, args=(self._stop,), name="aml-events", daemon=True)
            thread.start()

    def leave(self, changed: asyncio.Event) -> None:
        """Forget `changed`; the thread ends with its last listener."""
        self._listeners.discard(changed)
        if not self._listeners and self._stop is not None:
            self._stop.set()
            self._stop = None

    def _announce(self) -> None:
        for changed in self._listeners:
            changed.set()

    def _poll(self, stop: threading.Event) -> None:
        seen: tuple[str, int] | None = None
        while not stop.wait(INTERVAL):
            try:
                version = (self.folder.store.generation, self.folder.store.data_version())
            except (AmlError, sqlite3.Error, OSError):
                version = None  # unreadable for a moment (a rebuild, a full disk): let the listeners find out
            if version is None or version != seen:
                seen = version
                with contextlib.suppress(RuntimeError):  # the loop was closed while we slept
                    self._loop.call_soon_threadsafe(self._announce)


@dataclass(frozen=True)
class Page:
    """Describe a stretch of a workspace's events, as they were at one look."""

    generation: str
    """Changes when the database is built anew; ids of another generation mean nothing."""
    events: list[EventRecord]
    newest: int
    """Id of the newest event there is."""


def read_page(folder: WorkspaceFolder, since: int) -> Page:
    """Return the next events after `since`, at most a page of them."""
    db = folder.store.read()
    generation, newest = folder.store.generation, latest_event(db)
    return Page(generation, events_since(db, since, PAGE), newest)

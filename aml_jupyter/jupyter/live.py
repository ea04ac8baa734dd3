"""Keep the outputs of submitted runs up to date in place, while the kernel is idle or busy.

One daemon thread per kernel looks at the workspaces' stores four times a second at the most and sends an output anew
when its run has changed, and every few seconds, so that its times are true. It ends with the last run that is not in a
final state.
"""

from __future__ import annotations

import atexit
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aml_jupyter.errors import AmlError, WorkspaceException
from aml_jupyter.views import log_path
from aml_jupyter.workspace import WorkspaceFolder, events_since, get_run, latest_event
from aml_jupyter.workspace.states import FINAL, WAITING

__all__ = ["LiveOutput", "LiveOutputs", "outputs"]

INTERVAL = 0.25
AT_LEAST_EVERY = 5.0
"""Seconds after which an output is sent anew though nothing has happened: its times would stand still."""
PAGE = 1000
EVERYTHING = "*"
"""Stands for every run; no id has this character."""

Bundle = dict[str, Any]
"""An output: MIME type -> text or JSON."""

AT_LEAST_EVERY_IF_LIVE = 60.0
"""The same where the front end shows the run live by itself, and the output is for who reads the notebook later."""


@dataclass(eq=False)
class LiveOutput:
    """Describe one displayed run: how to make its output, and what was sent last."""

    folder: WorkspaceFolder
    run_id: str
    render: Callable[[], Bundle]
    send: Callable[[Bundle, str], None]
    """Takes the output and the display id of the one that it replaces."""
    display_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    is_live_anyway: bool = False
    """The front end shows the run live by itself: only changes of state are sent."""
    status: str = ""
    waiting: bool = True
    log: str = ""
    log_size: int = -1
    sent_at: float = 0.0

    def refresh(self) -> bool:
        """Send the output as it is now; return whether the run is in a final state."""
        run = get_run(self.folder.store.read(), self.run_id)
        self.status = run.status
        self.waiting = run.status in WAITING
        self.log = str(log_path(self.folder, run) or "")
        self.log_size = _size(self.log)
        self.sent_at = time.monotonic()
        self.send(self.render(), self.display_id)
        return run.status in FINAL

    def is_due(self, is_named: bool) -> bool:
        """Tell whether it is time to send the output anew; `is_named`: something has happened to its run."""
        age = time.monotonic() - self.sent_at
        if not self.is_live_anyway:
            return is_named or age >= AT_LEAST_EVERY or _size(self.log) != self.log_size
        if age >= AT_LEAST_EVERY_IF_LIVE:
            return True
        return is_named and get_run(self.folder.store.read(), self.run_id).status != self.status


class LiveOutputs:
    """Own the thread and the outputs that it keeps up to date."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: list[LiveOutput] = []
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()
        self._stop = threading.Event()

    def follow(self, output: LiveOutput) -> None:
        """Keep `output` up to date until its run is in a final state."""
        with self._lock:
            self._live.append(output)
            if self._thread is None:
                atexit.register(self._stop.set)
                self._thread = threading.Thread(target=self._watch, name="aml-live-outputs", daemon=True)
                self._thread.start()

    def settle(self, run_id: str) -> None:
        """Send the outputs of one run a last time, from this thread, and stop following them."""
        with self._turn:
            with self._lock:
                mine = [output for output in self._live if output.run_id == run_id]
                self._live = [output for output in self._live if output.run_id != run_id]
            for output in mine:
                output.refresh()

    @property
    def count(self) -> int:
        """Return how many outputs are being kept up to date."""
        with self._lock:
            return len(self._live)

    def _watch(self) -> None:
        positions: dict[str, _Position] = {}
        while not self._stop.wait(INTERVAL):
            with self._turn:
                with self._lock:
                    live = list(self._live)
                    if not live:
                        self._thread = None
                        return
                self._look(live, positions)

    def _look(self, live: list[LiveOutput], positions: dict[str, _Position]) -> None:
        changed: dict[str, set[str]] = {}
        for folder in {output.folder.id: output.folder for output in live}.values():
            try:
                changed[folder.id] = positions.setdefault(folder.id, _Position()).advance(folder)
            except (AmlError, sqlite3.Error, OSError):
                continue  # unreadable for a moment: look again at the next turn
        for output in live:
            subjects = changed.get(output.folder.id, set())
            named = output.run_id in subjects or EVERYTHING in subjects or (output.waiting and bool(subjects))
            if self._is_due(output, named) and self._refresh(output):
                with self._lock:
                    self._live.remove(output)

    def _is_due(self, output: LiveOutput, is_named: bool) -> bool:
        try:
            return output.is_due(is_named)
        except (AmlError, sqlite3.Error, OSError):
            return True  # unreadable for a moment, or gone: the refresh finds out

    def _refresh(self, output: LiveOutput) -> bool:
        """Send one output anew; return whether it needs no more looks."""
        try:
            return output.refresh()
        except (WorkspaceException, sqlite3.Error, OSError):
            output.log_size = -1  # unreadable for a moment: try again at the next turn
            return False
        except Exception as error:  # one output that cannot be made must not stop the others
            logging.getLogger(__name__).warning("The output of run %s is no longer updated: %s", output.run_id, error)
            return True


class _Position:
    """Say how far the events of one workspace have been read."""

    def __init__(self) -> None:
        self._generation = ""
        self._version = 0
        self._event = 0

    def advance(self, folder: WorkspaceFolder) -> set[str]:
        """Return what events have named since the last look; EVERYTHING at the first, and when the database is another."""
        generation, version = folder.store.generation, folder.store.data_version()
        if (generation, version) == (self._generation, self._version):
            return set()
        db = folder.store.read()
        if generation != self._generation:
            self._generation, self._version, self._event = generation, version, latest_event(db)
            return {EVERYTHING}
        subjects: set[str] = set()
        while page := events_since(db, self._event, PAGE):
            subjects.update(event.subject for event in page)
            self._event = page[-1].id
        self._version = version
        return subjects


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size if path else 0
    except OSError:
        return 0


outputs = LiveOutputs()
"""The outputs of this process."""

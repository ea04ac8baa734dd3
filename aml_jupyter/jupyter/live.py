"""Keep the outputs of submitted runs up to date in place, while the kernel is idle or busy.

One daemon thread per kernel looks at the workspaces' stores four times a second at the most and sends an output anew
only when its run has changed. It ends with the last run that is not in a final state.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aml_jupyter.errors import AmlError
from aml_jupyter.views import log_path
from aml_jupyter.workspace import WorkspaceFolder, events_since, get_run, latest_event
from aml_jupyter.workspace.states import FINAL, WAITING

__all__ = ["LiveOutput", "LiveOutputs", "outputs"]

INTERVAL = 0.25
PAGE = 1000

Bundle = dict[str, str]
"""An output: MIME type -> text."""


@dataclass(eq=False)
class LiveOutput:
    """One displayed run: how to make its output, and what was sent last."""

    folder: WorkspaceFolder
    run_id: str
    render: Callable[[], Bundle]
    send: Callable[[Bundle, str], None]
    """Takes the output and the display id of the one that it replaces."""
    display_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    seen: tuple[Any, ...] = ()
    waiting: bool = True
    log: str = ""

    def refresh(self) -> bool:
        """Send the output as it is now; return whether the run is in a final state."""
        run = get_run(self.folder.store.read(), self.run_id)
        self.waiting = run.status in WAITING
        self.log = str(log_path(self.folder, run) or "")
        self.send(self.render(), self.display_id)
        return run.status in FINAL


class LiveOutputs:
    """Own the thread and the outputs that it keeps up to date."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: list[LiveOutput] = []
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()

    def follow(self, output: LiveOutput) -> None:
        """Keep `output` up to date until its run is in a final state."""
        with self._lock:
            self._live.append(output)
            if self._thread is None:
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
        positions: dict[str, tuple[int, int]] = {}
        pause = threading.Event()
        while True:
            with self._turn:
                with self._lock:
                    live = list(self._live)
                    if not live:
                        self._thread = None
                        return
                self._look(live, positions)
            pause.wait(INTERVAL)

    def _look(self, live: list[LiveOutput], positions: dict[str, tuple[int, int]]) -> None:
        changed: dict[str, set[str]] = {}
        for folder in {output.folder.id: output.folder for output in live}.values():
            try:
                changed[folder.id] = _changed_runs(folder, positions)
            except (AmlError, sqlite3.Error, OSError):
                continue  # unreadable for a moment: look again at the next turn
        for output in live:
            subjects = changed.get(output.folder.id, set())
            state = (_size(output.log),)
            if output.run_id in subjects or (output.waiting and subjects) or state != output.seen:
                try:
                    ended = output.refresh()
                except (AmlError, sqlite3.Error, OSError):
                    continue
                output.seen = (_size(output.log),)
                if ended:
                    with self._lock:
                        self._live.remove(output)


def _changed_runs(folder: WorkspaceFolder, positions: dict[str, tuple[int, int]]) -> set[str]:
    """Return the ids that events have named since the last look; a first look names none."""
    version = folder.store.data_version()
    known = positions.get(folder.id)
    if known is not None and known[0] == version:
        return set()
    db = folder.store.read()
    if known is None:
        positions[folder.id] = (version, latest_event(db))
        return set()
    subjects: set[str] = set()
    position = known[1]
    while page := events_since(db, position, PAGE):
        subjects.update(event.subject for event in page)
        position = page[-1].id
    positions[folder.id] = (version, position)
    return subjects


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size if path else 0
    except OSError:
        return 0


outputs = LiveOutputs()
"""The outputs of this process."""

"""Reach this machine: place the supervisor's bundle, start supervisors, read files."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from aml_jupyter.supervisor import bundle, nurse
from aml_jupyter.supervisor.plain import open_plain

__all__ = ["ThisMachine"]

UNASKED_FOR = 5.0
"""Seconds in which nothing more is started at once after a warm parent was not there, or slow to answer."""


class ThisMachine:
    """Act on the machine that the service runs on.

    Parameters
    ----------
    runtime : Path
        The user's runtime folder (mode 0700), for sockets and the supervisor's bundle.
    """

    def __init__(self, runtime: Path) -> None:
        self.runtime = runtime
        self._bundle: bundle.Bundle | None = None
        self._one_start = threading.Lock()
        self._unasked_until = 0.0

    @property
    def host(self) -> str:
        """Return the machine's name, as supervisors write it."""
        return socket.gethostname()

    @property
    def cores(self) -> int:
        """Return how many cores this process may use."""
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1

    def place_bundle(self) -> bundle.Bundle:
        """Put the supervisor's zip in place, once for each content of it."""
        if self._bundle is None or not self._bundle.archive.exists():
            self._bundle = bundle.place(self.runtime / "supervisor")
        return self._bundle

    def start_supervisor(self, control: Path, slot_fds: Sequence[int]) -> None:
        """Have the warm parent fork a supervisor for the attempt whose control folder is `control`."""
        with self._one_start:  # several threads would each start a warm parent, and all but one of them in vain
            nurse.spawn(self.runtime, self.place_bundle(), control, slot_fds)

    def start_supervisor_at_once(self, control: Path, slot_fds: Sequence[int]) -> bool:
        """Do the same without waiting; False when that cannot be done now, and `start_supervisor` has to be called."""
        if time.monotonic() < self._unasked_until or not self._one_start.acquire(blocking=False):
            return False
        try:
            started = nurse.spawn_at_once(self.runtime, self.place_bundle(), control, slot_fds)
        finally:
            self._one_start.release()
        if not started:
            self._unasked_until = time.monotonic() + UNASKED_FOR
        return started

    def read(self, path: Path, offset: int, size: int) -> bytes:
        """Return up to `size` bytes of `path` from `offset`; empty when it is not there, or is no file."""
        with contextlib.suppress(FileNotFoundError), open_plain(path) as stream:
            stream.seek(offset)
            return stream.read(size)
        return b""

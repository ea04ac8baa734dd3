"""Own the service's socket: wake the loop, answer who is there, take the word to leave.

A Unix socket in the user's runtime folder (mode 0700); the peer's user is checked. One JSON object a line, one answer a
line: ``{"op": "wake"}``, ``{"op": "status"}``, ``{"op": "stop"}``, ``{"op": "handover", "version": "1.2.0"}``. Nothing
depends on a message arriving: the loop looks by itself, too.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.supervisor.peers import is_same_user, receive, send

__all__ = ["WakeSocket"]

PATIENCE = 0.1
"""Seconds that somebody who has connected has to say what he wants."""


class WakeSocket:
    """Listen while the loop sleeps, and pass on what was asked.

    There is no thread of its own: two threads that hand each other Python's lock at every message cost a short run more
    than the rest of its way through the service. While the loop works, messages wait in the listen queue.

    Parameters
    ----------
    path : Path
        Where to listen; a left-over socket file is replaced (the caller holds the lease).
    answer : callable
        Takes the request (a dict) and returns the answer (a dict).
    """

    def __init__(self, path: Path, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.path = path
        self._answer = answer
        with fault_point("service.listen"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.bind(str(path))
        self._inode = os.stat(path).st_ino
        os.chmod(path, 0o600)
        self._socket.listen(128)
        self._socket.setblocking(False)
        self._closed = False
        self._inner, self._bell = os.pipe()
        for descriptor in (self._inner, self._bell):
            os.set_blocking(descriptor, False)

    def wake(self) -> None:
        """Make the next `wait` return at once; any thread and any signal handler may call this."""
        if not self._closed:
            with contextlib.suppress(OSError):
                os.write(self._bell, b"x")

    @property
    def is_woken(self) -> bool:
        """Tell whether the next `wait` returns at once."""
        return bool(self._ready(0))

    def wait(self, seconds: float) -> bool:
        """Sleep until somebody wakes us or `seconds` have passed; tell whether somebody did."""
        ready = self._ready(seconds)
        if self._inner in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._inner, 4096)
        if self._socket.fileno() in ready:
            self._accept()
        return bool(ready)

    def close(self) -> None:
        """Stop listening and remove the socket file; the caller's threads have ended.

        The file of a service that took over meanwhile stays.
        """
        self._closed = True
        with fault_point("service.unlisten"), contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        self._socket.close()
        os.close(self._inner)
        os.close(self._bell)

    def _ready(self, seconds: float) -> list[int]:
        """Return which of socket and pipe have something to read, after `seconds` at the latest."""
        return select.select([self._socket.fileno(), self._inner], [], [], seconds)[0]

    def _accept(self) -> None:
        """Answer everybody who is waiting."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(PATIENCE)
                with contextlib.suppress(OSError, ValueError):
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        if is_same_user(connection):
            request, descriptors = receive(connection)
            for descriptor in descriptors:
                os.close(descriptor)
            send(connection, self._answer(request))

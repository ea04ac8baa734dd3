"""Own the service's socket: wake the loop, answer who is there, take the word to leave.

A Unix socket in the user's runtime folder (mode 0700); the peer's user is checked. One JSON object a line, one answer a line:
``{"op": "wake"}``, ``{"op": "status"}``, ``{"op": "stop"}``, ``{"op": "handover", "version": "1.2.0"}``. Nothing depends on
a message arriving: the loop looks by itself, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aml_jupyter.supervisor.faults import fault_point

__all__ = ["WakeSocket"]


class WakeSocket:
    """Listen in a thread of its own, and pass on what was asked.

    Parameters
    ----------
    path : Path
        Where to listen; a left-over socket file is replaced (the caller holds the lease).
    answer : callable
        Takes the request (a dict) and returns the answer (a dict); called in the listening thread.
    """

    def __init__(self, path: Path, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.path = path
        self._answer = answer
        self._event = threading.Event()
        with fault_point("service.listen"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.bind(str(path))
        os.chmod(path, 0o600)
        self._socket.listen(128)
        self._closed = False
        self._thread = threading.Thread(target=self._listen, name="aml-wakeup", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Make the next `wait` return at once."""
        self._event.set()

    @property
    def is_woken(self) -> bool:
        """Tell whether the next `wait` returns at once."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep until somebody wakes us or `seconds` have passed; tell whether somebody did."""
        woken = self._event.wait(seconds)
        self._event.clear()
        return woken

    def close(self) -> None:
        """Stop listening and remove the socket file."""
        self._closed = True
        with fault_point("service.unlisten"), contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(2)

    def _listen(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.wake()  # whoever connects has something for us, also a supervisor that sends nothing
            with connection:
                connection.settimeout(0.5)
                with contextlib.suppress(OSError, ValueError):
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        if not _same_user(connection):
            return
        line = b""
        while not line.endswith(b"\n"):
            part = connection.recv(4096)
            if not part:
                break
            line += part
        if not line.strip():
            return
        request = json.loads(line)
        reply = self._answer(request)
        connection.sendall(json.dumps(reply).encode() + b"\n")


def _same_user(connection: socket.socket) -> bool:
    """Tell whether the process at the other end belongs to our user (or to root)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the 0700 folder is the guard there
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return uid in (os.getuid(), 0)

"""Lead to a Unix socket of another machine with OpenSSH's client (``-L``), where there is one and the machine is near."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from typing import Final

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.transports.openssh import NEAR, OpenSsh, find_openssh
from aml_jupyter.transports.ssh import SshConnection

__all__ = ["ClientForward", "LedSocket"]

PAUSE: Final = 60.0
"""Seconds before the client is tried again, once it could not be used."""

log = logging.getLogger("aml_jupyter.service")


class LedSocket:
    """Talk over a socket as over the library's channels.

    Parameters
    ----------
    connected : socket.socket
        The connection; it is owned from now on.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.recv = connected.recv
        self.sendall = connected.sendall
        self.close = connected.close

    def shutdown_write(self) -> None:
        """Say that nothing more is sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def wait_closed(self) -> None:
        """Return when the other side takes nothing more, either."""
        poll = select.poll()
        poll.register(self._socket, 0)  # that the other side is gone is told always
        poll.poll()


class ClientForward:
    """Own a way of the client to one socket; made in a thread when it is worth it, and again when it has ended.

    Parameters
    ----------
    ssh : SshConnection
        The connection that says which way to go.
    there : str
        The socket of that machine.
    """

    def __init__(self, ssh: SshConnection, there: str) -> None:
        self._client = OpenSsh(ssh)
        self._there = there
        self._lock = threading.Lock()
        self._place: str | None = None
        self._round_trip = float("inf")
        self._not_before = 0.0
        self._why = ""
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def connect(self) -> LedSocket | None:
        """Return a connection that leads to the socket, or None where there is no such way at the moment.

        Whether somebody listens over there is seen by what comes back: nothing at all, when nobody does.
        """
        place = self._place
        if place is None:
            return None
        connected = socket.socket(socket.AF_UNIX)
        try:
            connected.connect(place)
            return LedSocket(connected)
        except OSError:  # the client has ended, as it does when nobody uses it
            connected.close()
            self._place = None
            return None

    def offer(self, seconds: float) -> None:
        """Make the way for later connections, when a round trip, now of `seconds`, has shown that the machine is near."""
        with self._lock:
            self._round_trip = min(seconds, self._round_trip)
            is_due = self._place is None and self._round_trip < NEAR and time.monotonic() >= self._not_before
            if (
                not is_due
                or self._is_closed
                or not find_openssh()
                or (self._thread is not None and self._thread.is_alive())
            ):
                return
            self._thread = threading.Thread(target=self._make, name="aml-forward-client", daemon=True)
            self._thread.start()

    def _make(self) -> None:
        try:
            self._place = str(self._client.forward(self._there))
        except ComputeTargetException as error:
            self._not_before = time.monotonic() + PAUSE
            if error.message != self._why:
                log.warning("the socket %s goes over our own connection: %s", self._there, error.message)
            self._why = error.message
        if self._is_closed:
            self._client.close()

    def close(self) -> None:
        """End it, and what goes over it."""
        with self._lock:
            self._is_closed = True
        self._place = None
        self._client.close()

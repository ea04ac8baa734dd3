"""Let a Unix socket of this machine lead to one of another machine, over a connection of its own that is made when it is used.

Of several processes that want the same one, one listens; the next takes over when it ends. Who cannot be led on is
answered in HTTP, which is what is spoken at an engine's socket, with the reason.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aml_jupyter.errors import AmlError
from aml_jupyter.transports.engine_ways import FAILED
from aml_jupyter.transports.openssh_forward import ClientForward, LedSocket
from aml_jupyter.transports.ssh import SshConnection
from aml_jupyter.transports.ssh_sockets import connect_socket

if TYPE_CHECKING:
    import paramiko

__all__ = ["SocketForward"]

IDLE_SECONDS: Final = 60.0
"""How long a connection is kept over which nothing goes."""

PAUSE: Final = 1.0
"""Seconds between two tries of what cannot be reached."""

TURN: Final = 0.2
"""Seconds between two looks whether the place is free, or this is to end."""

_BLOCK: Final = 1 << 16

log = logging.getLogger("aml_jupyter.service")


class SocketForward:
    """Own one way; `start` it, and `close` it.

    Parameters
    ----------
    here : Path
        The socket of this machine; its folder is the user's alone.
    ssh : SshConnection
        The connection to the other machine, used for nothing else.
    there : str
        The socket of that machine.
    """

    def __init__(self, here: Path, ssh: SshConnection, there: str) -> None:
        self._here = here
        self._ssh = ssh
        self._there = there
        self._is_closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._failed: tuple[AmlError | None, float] = (None, 0.0)
        self._count = 0
        self._used = time.monotonic()
        self._client = ClientForward(ssh, there)

    def start(self) -> None:
        """Listen, now or when whoever listens has ended; a second call changes nothing."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="aml-forward", daemon=True)
                self._thread.start()

    def wait(self, seconds: float = 10.0) -> None:
        """Return when somebody listens at the socket, or the time is over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._is_closed.is_set():
            with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
                probe.settimeout(1.0)
                probe.connect(str(self._here))
                return
            time.sleep(0.02)

    def close(self) -> None:
        """Give the place up, and cut what goes over it."""
        self._is_closed.set()
        thread = self._thread
        if thread is not None:
            thread.join(5.0)
        self._client.close()
        self._ssh.close()

    # -- in the thread ------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        lock = os.open(f"{self._here}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _is_taken(lock):
                if self._is_closed.wait(TURN):
                    return
            with socket.socket(socket.AF_UNIX) as door:
                self._here.unlink(missing_ok=True)
                door.bind(str(self._here))
                door.listen(64)
                door.settimeout(TURN)
                self._serve(door)
                self._here.unlink(missing_ok=True)
        except OSError:
            log.exception("the socket %s cannot be made", self._here)
        finally:
            os.close(lock)

    def _serve(self, door: socket.socket) -> None:
        while not self._is_closed.is_set():
            try:
                connection, _ = door.accept()
            except TimeoutError:
                if self._count == 0 and time.monotonic() - self._used > IDLE_SECONDS and self._ssh.is_connected:
                    self._ssh.close()
                continue
            with self._lock:
                self._count += 1
            threading.Thread(target=self._lead, args=(connection,), name="aml-forwarded", daemon=True).start()

    def _lead(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(None)
                if not _says_something(connection):
                    return  # it was only looked whether somebody is here
                led = self._client.connect()
                try:
                    channel = led or self._connect()
                except AmlError as error:
                    _refuse(connection, error.message)
                    return
                with contextlib.closing(channel):
                    _join(connection, channel, self._explain)
        except Exception:
            log.exception("what goes to %s of %s broke", self._there, self._ssh.address)
        finally:
            with self._lock:
                self._count -= 1
                self._used = time.monotonic()

    def _explain(self, connection: socket.socket) -> None:
        """Answer with what is in the way: nothing came over the client's, which does not say why."""
        try:
            self._connect().close()
        except AmlError as error:
            _refuse(connection, error.message)

    def _connect(self) -> paramiko.Channel:
        """Connect to the other machine's socket; one that was not to be had a moment ago is not tried again."""
        with self._connecting:
            failed, at = self._failed
            if failed is not None and time.monotonic() - at < PAUSE:
                raise failed
            try:
                self._ssh.connect()
                began = time.monotonic()
                channel = connect_socket(self._ssh, self._there)
                self._client.offer(time.monotonic() - began)
                return channel
            except AmlError as error:
                self._failed = (error, time.monotonic())
                raise


def _is_taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _says_something(connection: socket.socket) -> bool:
    with contextlib.suppress(OSError):
        return bool(connection.recv(1, socket.MSG_PEEK))
    return False


def _refuse(connection: socket.socket, reason: str) -> None:
    """Answer what was asked in place of the engine."""
    body = json.dumps({"message": reason}).encode()
    head = (
        f"HTTP/1.1 502 Bad Gateway\r\n{FAILED}: 1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    with contextlib.suppress(OSError):
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(2.0)
        while connection.recv(_BLOCK):  # what is still on its way is read, or the answer would be lost with it
            pass


def _join(
    connection: socket.socket,
    channel: paramiko.Channel | LedSocket,
    explain: Callable[[socket.socket], None],
) -> None:
    """Pass on what either side says until both have ended."""
    back = threading.Thread(target=_back, args=(channel, connection, explain), name="aml-forwarded-back", daemon=True)
    back.start()
    with contextlib.suppress(OSError):
        while data := connection.recv(_BLOCK):
            channel.sendall(data)
        channel.shutdown_write()
    back.join()


def _back(
    channel: paramiko.Channel | LedSocket, connection: socket.socket, explain: Callable[[socket.socket], None]
) -> None:
    heard = is_over = False
    try:
        with contextlib.suppress(OSError):
            while data := channel.recv(_BLOCK):
                heard = True
                connection.sendall(data)
            is_over = True
        if isinstance(channel, LedSocket) and not heard:
            explain(connection)
    finally:
        with contextlib.suppress(OSError):
            if isinstance(channel, LedSocket):
                connection.shutdown(socket.SHUT_WR)
                if is_over:
                    channel.wait_closed()
                connection.shutdown(socket.SHUT_RDWR)
            else:
                connection.shutdown(socket.SHUT_RDWR if channel.closed else socket.SHUT_WR)

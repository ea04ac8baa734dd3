"""Hold one SSH connection to one host, for all that is done there: run commands, stream, and come back after the link was cut.

A passing fault (`HostUnreachable`) is another thing than a refusal that needs a person (`HostKeyRefused`, `LoginRefused`): who
waits may try again after the first, never after the second.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.transports.ssh_address import SshAddress
from aml_jupyter.transports.ssh_faults import CONNECT_SECONDS, explained
from aml_jupyter.transports.ssh_host_keys import Confirm, check_host_key, known_kinds
from aml_jupyter.transports.ssh_login import Credentials, Hop, Login, LoginRefused, log_in
from aml_jupyter.transports.ssh_proxy import ProxyProcess

if TYPE_CHECKING:
    import paramiko

__all__ = ["Answer", "HostUnreachable", "SshConnection"]

MOST_CHANNELS: Final = 8
"""Servers allow ten sessions on a connection unless told otherwise (MaxSessions); some are the user's own."""

WINDOW: Final = 1 << 24
"""Bytes of a channel that may be on their way to us: a round trip brings no more than that (OpenSSH's client has 2 MB)."""

KEEPALIVE_SECONDS: Final = 5
SILENCE_SECONDS: Final = 20.0
"""How long a server may be silent before the link counts as cut."""

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
"""Seconds between two attempts to connect: doubled after each failure, never longer than this."""

_BLOCK: Final = 1 << 16


logging.getLogger("paramiko").addHandler(logging.NullHandler())  # what went wrong is said once, in our words


class HostUnreachable(ComputeTargetException):
    """Say that a host cannot be reached now; a later try may find it."""


@dataclass(frozen=True)
class Answer:
    """Say how a command ended: its exit code (-1 for a signal), and what it wrote."""

    code: int
    out: bytes
    error: bytes

    @property
    def text(self) -> str:
        """Return its output as text."""
        return self.out.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """Return the end of what it wrote to standard error, in one line."""
        return " ".join(self.error.decode("utf-8", "replace").split())[-500:]


class SshConnection:
    """Own the connection to one host. All threads may use it; it is made when it is first needed, and again when it broke.

    Parameters
    ----------
    address : SshAddress
        Where, and as whom.
    credentials : Credentials, optional
        A password or passphrase.
    fingerprint : str, optional
        The host key that is believed, instead of known hosts.
    confirm : callable, optional
        Asks a person about an unknown key.
    """

    def __init__(
        self,
        address: SshAddress,
        credentials: Credentials | None = None,
        fingerprint: str | None = None,
        confirm: Confirm | None = None,
    ) -> None:
        self.address = address
        self.fingerprint = fingerprint
        self._login = Login("")
        self._credentials = credentials or Credentials()
        self._confirm = confirm
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._channels = threading.BoundedSemaphore(MOST_CHANNELS)
        self._transport: paramiko.Transport | None = None
        self._jumps: list[SshConnection] = []
        self._proxy: ProxyProcess | None = None
        self._failures = 0
        self._not_before = 0.0
        self._why = ""

    # -- life -----------------------------------------------------------------------------------------------------

    def connect(self) -> paramiko.Transport:
        """Connect and log in, unless that is done; return the connection as the library has it.

        Raises
        ------
        HostUnreachable
            When the host does not answer, or did not a moment ago: it is not asked again before the pause is over.
        HostKeyRefused, LoginRefused
            When a person has to act.
        """
        return self._connected()

    @property
    def login(self) -> str:
        """Return what let us in, in words."""
        return self._login.words

    def route(self) -> list[Hop]:
        """Return the hosts that the connection goes through, the last one its own; raises as `connect`."""
        key = self._connected().get_remote_server_key()
        before = [hop for jump in self._jumps for hop in jump.route()]
        return [*before, Hop(self.address, f"{key.get_name()} {key.get_base64()}", self._login)]

    @property
    def server(self) -> str:
        """Return what the server calls itself; empty while there is no connection."""
        return "" if self._transport is None else str(self._transport.remote_version)

    @property
    def is_connected(self) -> bool:
        """Say whether the connection stands, as far as is known."""
        return self._transport is not None and self._transport.is_active()

    def close(self) -> None:
        """Close it; a later call connects again."""
        with self._lock:
            self._drop()

    def __enter__(self) -> SshConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drop(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
        proxy, self._proxy = self._proxy, None
        if proxy is not None:
            proxy.close()
        for jump in reversed(self._jumps):
            jump.close()
        self._jumps = []

    def _connected(self) -> paramiko.Transport:
        with self._lock:
            if self._transport is not None and self._transport.is_active():
                return self._transport
            left = self._not_before - time.monotonic()
            if left > 0:
                raise HostUnreachable(f"{self._why} The next try is in {left:.0f} s.", "address")
            self._drop()
            try:
                self._transport = self._open()
            except HostUnreachable as error:
                self._failures += 1
                self._not_before = time.monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures - 1))
                self._why = error.message
                self._drop()
                raise
            except BaseException:
                self._drop()
                raise
            self._failures = 0
            return self._transport

    def _open(self) -> paramiko.Transport:
        import paramiko

        transport: paramiko.Transport | None = None
        try:
            transport = paramiko.Transport(self._socket(), default_window_size=WINDOW)
            transport.banner_timeout = transport.auth_timeout = CONNECT_SECONDS
            options = transport.get_security_options()
            options.ciphers = sorted(options.ciphers, key=lambda name: "gcm" not in name)  # the quickest ones first
            kinds = [kind for kind in known_kinds(self.address) if kind in transport._preferred_keys]
            if kinds and self.fingerprint is None:  # the server shows a key that is known, if it has one
                signed = [kind for known in kinds for kind in _signatures(known, options.key_types)]
                options.key_types = [
                    *dict.fromkeys(signed),
                    *(each for each in options.key_types if each not in signed),
                ]
            transport.start_client(timeout=CONNECT_SECONDS)
            if not transport.initial_kex_done:  # it comes back without a word when the time is over
                raise TimeoutError("timed out" if transport.remote_version else "banner timed out")
            self.fingerprint = check_host_key(
                self.address, transport.get_remote_server_key(), self.fingerprint, self._confirm
            )
            transport.set_keepalive(KEEPALIVE_SECONDS)
            self._login = log_in(transport, self.address, self._credentials)
            return transport
        except BaseException as error:
            if transport is not None:
                transport.close()
            if isinstance(error, ComputeTargetException):
                raise
            if isinstance(error, paramiko.AuthenticationException):
                raise LoginRefused(f"{self.address} lets nobody in: {error}", "username") from error
            if isinstance(error, (paramiko.SSHException, EOFError, OSError)):
                raise HostUnreachable(explained(error, self.address, self._proxy), "address") from error
            raise

    def _socket(self) -> Any:
        address = self.address
        if address.proxy_command:
            self._proxy = ProxyProcess(address.proxy_command)
            return self._proxy.socket
        if address.jumps:
            before = None
            for each in address.jumps:
                # A host on the way is told no password: that is another machine's.
                keys = Credentials(passphrase=self._credentials.passphrase)
                jump = _Through(each, keys, before) if before is not None else SshConnection(each, keys)
                self._jumps.append(jump)
                before = jump
            assert before is not None
            return before.forward(address.host, address.port)
        try:
            made = socket.create_connection((address.host, address.port), timeout=CONNECT_SECONDS)
        except UnicodeError as error:
            raise ComputeTargetException(f"{address.host!r} is no name of a host: {error}.", "address") from error
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # what is sent and not acknowledged for so long means a cut link
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SILENCE_SECONDS * 1000))
        return made

    def forward(self, host: str, port: int) -> paramiko.Channel:
        """Return a connection from the host on to `host` and `port`, as a socket."""
        transport = self._connected()
        with self._explained_errors():
            return transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=CONNECT_SECONDS)

    # -- what is done over it ------------------------------------------------------------------------------------

    def run(self, command: str, data: bytes | Iterable[bytes] = b"", seconds: float | None = 60.0) -> Answer:
        """Run a command of the far side's shell to its end.

        Parameters
        ----------
        command : str
            For a POSIX shell; arguments are quoted by the caller (`shlex.quote`).
        data : bytes or iterable of bytes
            Its standard input.
        seconds : float, optional
            How long it may take; None sets no bound.

        Raises
        ------
        HostUnreachable
            When the link is cut, or the time is over. Whether the command ran is not known then.
        """
        with self.stream(command) as channel, self._explained_errors():
            out, error = bytearray(), bytearray()
            until = None if seconds is None else time.monotonic() + seconds
            sender = threading.Thread(target=_send, args=(channel, data), daemon=True)
            sender.start()
            while True:
                heard = _receive(channel, out, error)
                if (
                    not heard
                    and channel.exit_status_ready()
                    and not channel.recv_ready()
                    and not channel.recv_stderr_ready()
                ):
                    break
                if not heard:
                    self._check_alive(channel, until, seconds)
            code = channel.recv_exit_status()
            if code == -1 and (self._transport is None or not self._transport.is_active()):
                raise HostUnreachable(f"The connection to {self.address} was cut.", "address")
            channel.close()
            sender.join(5)
            return Answer(code, bytes(out), bytes(error))

    @contextlib.contextmanager
    def stream(self, command: str) -> Iterator[paramiko.Channel]:
        """Give the channel of a command that goes on; at most `MOST_CHANNELS` at a time, others wait.

        Raises
        ------
        HostUnreachable
            When the host cannot be reached, or opens no session.
        """
        if not self._channels.acquire(timeout=CONNECT_SECONDS * 4):
            raise HostUnreachable(
                f"{self.address}: {MOST_CHANNELS} commands run there, and none of them ended.", "address"
            )
        channel = None
        try:
            with self._explained_errors():
                channel = self._session()
                channel.exec_command(command)
            yield channel
        finally:
            if channel is not None:
                channel.close()
            self._channels.release()

    def _session(self) -> paramiko.Channel:
        """Open a session, waiting a little where the server allows fewer at a time than we do."""
        import paramiko

        until = time.monotonic() + CONNECT_SECONDS
        while True:
            transport = self._connected()
            try:
                with self._opening:  # of two that are opened at once, the library may give one's refusal to the other
                    return transport.open_session(timeout=CONNECT_SECONDS)
            except paramiko.ChannelException as error:
                if time.monotonic() > until:
                    raise HostUnreachable(
                        f"{self.address} opens no further session ({error}); its MaxSessions may be small.", "address"
                    ) from error
                time.sleep(0.1)

    def _check_alive(self, channel: paramiko.Channel, until: float | None, seconds: float | None) -> None:
        transport = self._transport
        if (channel.closed and not channel.exit_status_ready()) or transport is None or not transport.is_active():
            raise HostUnreachable(f"The connection to {self.address} was cut.", "address")
        if until is not None and time.monotonic() > until:
            raise HostUnreachable(f"A command on {self.address} gave no answer in {seconds:.0f} s.", "address")

    @contextlib.contextmanager
    def _explained_errors(self) -> Iterator[None]:
        import paramiko

        try:
            yield
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise HostUnreachable(explained(error, self.address, self._proxy), "address") from error


class _Through(SshConnection):
    """Reach a host through another one."""

    def __init__(self, address: SshAddress, credentials: Credentials, before: SshConnection) -> None:
        super().__init__(address, credentials)
        self._before = before

    def _socket(self) -> Any:
        return self._before.forward(self.address.host, self.address.port)


def _signatures(kind: str, known: Iterable[str]) -> list[str]:
    """Return the ways to sign with a kind of key: RSA keys have newer ones than their name."""
    return [each for each in known if each == kind or (kind == "ssh-rsa" and each.startswith("rsa-sha2-"))]


def _send(channel: paramiko.Channel, data: bytes | Iterable[bytes]) -> None:
    with contextlib.suppress(OSError):  # the command may end before it has read everything
        for part in (data,) if isinstance(data, bytes) else data:
            left = memoryview(part)
            while left:
                with contextlib.suppress(TimeoutError):  # the far side has no room yet
                    left = left[channel.send(left) :]
        channel.shutdown_write()


def _receive(channel: paramiko.Channel, out: bytearray, error: bytearray) -> bool:
    """Take what has come, waiting a moment for something; say whether anything did."""
    channel.settimeout(0.2)
    heard = False
    while channel.recv_stderr_ready():
        error += channel.recv_stderr(_BLOCK)
        heard = True
    try:
        part = channel.recv(_BLOCK)
    except TimeoutError:
        return heard
    out += part
    if not part and not heard and not channel.exit_status_ready():
        channel.status_event.wait(0.2)  # its output is closed, and it goes on
    return heard or bool(part)

"""Move big data with OpenSSH's client, where there is one: in a process of its own, beside a connection that is held already.

The client is told to believe the host keys that were believed, and to log in with the key that let us in; where that took
a password or a passphrase, it is not used. One of its connections is shared by all that is done (ControlMaster); it ends by
itself soon after the last use, also when this process was killed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aml_jupyter.supervisor.far_place import runtime_folder
from aml_jupyter.transports.openssh_config import CONTROL, FORWARD, LAST, NotForOpenSsh, write_config
from aml_jupyter.transports.ssh import HostUnreachable, SshConnection
from aml_jupyter.transports.ssh_faults import CONNECT_SECONDS

__all__ = ["NEAR", "ChildChannel", "OpenSsh", "find_openssh", "openssh_from"]

NEAR: Final = 0.01
"""Seconds of a round trip over which what comes here does so over our own connection: it has a larger window."""

_PATIENCE: Final = 2.0
_BUFFER: Final = 1 << 18
_GUARD: Final = 'read -r _ || kill -s TERM -- "-$0"; read -r _; exec "$@"'
"""A shell that ends the client when this process was killed, and so its input is closed: a client that still connects, which
may take for ever with a ProxyCommand, with all that it has started; later its connection, which else lasts a while."""

_OWN_FAULT: Final = 255
"""The client's exit code when it is the connection that failed, not the command."""


def find_openssh() -> str:
    """Return the path of OpenSSH's client; empty where there is none, or ``AML_OPENSSH`` is ``never``."""
    if os.environ.get("AML_OPENSSH") == "never" or os.name != "posix":
        return ""
    return shutil.which("ssh") or ""


def openssh_from(size: int) -> int:
    """Return the bytes from which on the client is connected: what ``AML_OPENSSH`` says in MB (10^6 bytes), or else `size`."""
    said = os.environ.get("AML_OPENSSH", "")
    return int(said) * 10**6 if said.isascii() and said.isdecimal() else size


class OpenSsh:
    """Own one connection of OpenSSH's client to the host of `ssh`; made when it is first needed, and again when it ended.

    Parameters
    ----------
    ssh : SshConnection
        The connection that stands; it says which way to go.
    """

    def __init__(self, ssh: SshConnection) -> None:
        self.address = ssh.address
        self._ssh = ssh
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._command: list[str] = []
        self._guard: subprocess.Popen[bytes] | None = None

    def obstacle(self) -> str:
        """Return why it cannot be used for this host, and connect where it can; empty then."""
        try:
            self.connect()
        except HostUnreachable as error:
            return str(error.__cause__ or error.message)
        return ""

    def connect(self) -> None:
        """Connect, unless that is done.

        Raises
        ------
        HostUnreachable
            When there is no client, or it cannot be used for this host, or does not get there; the message says why.
        """
        with self._lock:
            if self._folder is None or not self._is_connected():
                self._drop()
                try:
                    self._connect()
                except (NotForOpenSsh, OSError) as error:
                    self._drop()
                    raise HostUnreachable(
                        f"OpenSSH's client is not used for {self.address}: {error}", "address"
                    ) from error
                except BaseException:
                    self._drop()
                    raise

    def _connect(self) -> None:
        program = find_openssh()
        if not program:
            raise NotForOpenSsh("there is no ssh here, or AML_OPENSSH is never")
        self._folder = _make_folder()
        with _one:
            _standing.append(self)
        self._command = [program, "-F", str(write_config(self._folder, self._ssh.route()))]
        with tempfile.TemporaryFile() as said:  # the connection keeps it open: a pipe would not end
            master = subprocess.Popen(
                [*self._command, "-M", "-N", "-f", LAST],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,  # an interrupt at the terminal is not for it
            )
            self._guard = subprocess.Popen(
                ["sh", "-c", _GUARD, str(master.pid), *self._command, "-O", "exit", LAST],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                code = master.wait(2 * CONNECT_SECONDS)
                _tell(self._guard)
            except BaseException as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(master.pid, signal.SIGKILL)  # with its ProxyCommand
                master.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise NotForOpenSsh(f"it did not get there in {2 * CONNECT_SECONDS:.0f} s") from error
                raise
            if code:
                said.seek(0)
                words = " ".join(said.read().decode("utf-8", "replace").replace("@", "").split())
                raise NotForOpenSsh(f"it ended with exit code {code}: {words[-400:]}")

    def _is_connected(self) -> bool:
        return self._control("check")

    def _control(self, what: str, *arguments: str) -> bool:
        """Ask the standing connection for something; say whether it did it."""
        asked = [*self._command, "-O", what, *arguments, LAST]
        nothing = subprocess.DEVNULL
        with contextlib.suppress(subprocess.TimeoutExpired):
            return (
                subprocess.run(asked, stdin=nothing, stdout=nothing, stderr=nothing, timeout=_PATIENCE).returncode == 0
            )
        return False

    @contextlib.contextmanager
    def stream(self, command: str) -> Iterator[ChildChannel]:
        """Give the channel of a command that goes on; raises as `connect`."""
        self.connect()
        channel = ChildChannel([*self._command, LAST, command])
        try:
            yield channel
        finally:
            channel.end()

    def forward(self, there: str) -> Path:
        """Return a socket of this machine that leads to the socket `there` of the host while it is connected.

        Raises
        ------
        HostUnreachable
            As `connect`, and when the client makes no such socket.
        """
        self.connect()
        with self._lock:
            here = None if self._folder is None else self._folder / FORWARD
            if here is not None and (here.exists() or self._control("forward", "-L", f"{here}:{there}")):
                return here
        raise HostUnreachable(
            f"OpenSSH's client is not used for {self.address}: it leads to no socket there", "address"
        )

    def close(self) -> None:
        """Close it; a later call connects again."""
        with self._lock:
            self._drop()

    def close_soon(self) -> None:
        """Close it; one that is just being made ends by itself."""
        if self._lock.acquire(timeout=_PATIENCE):
            try:
                self._drop()
            finally:
                self._lock.release()

    def _drop(self) -> None:
        folder, self._folder = self._folder, None
        with _one, contextlib.suppress(ValueError):
            _standing.remove(self)
        if folder is not None:
            if (folder / CONTROL).exists():
                self._control("exit")
            shutil.rmtree(folder, ignore_errors=True)
        self._command = []
        guard, self._guard = self._guard, None
        if guard is not None:
            with guard:  # which closes its input, too
                guard.kill()


class ChildChannel:
    """Own one process of the client, whose input and output are a channel as the library's channels are.

    Parameters
    ----------
    command : list of str
        What is run.
    """

    def __init__(self, command: list[str]) -> None:
        self._socket, theirs = socket.socketpair()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - its complaints; a pipe could fill up
        self._told = 0
        self.closed = False
        with theirs:
            for end in (self._socket, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            self._process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._said, start_new_session=True
            )

    def settimeout(self, seconds: float | None) -> None:
        """Set how long `recv` and `send` wait."""
        self._socket.settimeout(seconds)

    def recv(self, size: int) -> bytes:
        """Return what has come, at most `size` bytes; none when it has ended. Raises TimeoutError."""
        try:
            return self._socket.recv(size)
        except TimeoutError:
            raise
        except OSError:
            return b""

    def send(self, data: bytes | memoryview) -> int:
        """Send some of `data`, and return how many bytes; raises TimeoutError, OSError when it has ended."""
        return self._socket.send(data)

    def sendall(self, data: bytes) -> None:
        """Send `data`; raises as `send`."""
        self._socket.sendall(data)

    def exit_status_ready(self) -> bool:
        """Tell whether it has ended."""
        return self._process.poll() is not None

    def recv_exit_status(self) -> int:
        """Return the command's exit code, when it has ended; -1 when the connection was cut."""
        code = self._process.wait()
        return -1 if code == _OWN_FAULT or code < 0 else code

    def recv_stderr_ready(self) -> bool:
        """Tell whether it wrote to standard error what was not read yet."""
        return os.fstat(self._said.fileno()).st_size > self._told

    def recv_stderr(self, size: int) -> bytes:
        """Return what it wrote to standard error."""
        data = os.pread(self._said.fileno(), size, self._told)
        self._told += len(data)
        return data

    def close(self) -> None:
        """Cut it; any thread may."""
        self.closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Cut it, and see its process end; only who owns it may."""
        self.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._socket.close()
        self._said.close()


def _tell(guard: subprocess.Popen[bytes]) -> None:
    """Tell the guard that the client has connected."""
    assert guard.stdin is not None
    with contextlib.suppress(OSError):
        guard.stdin.write(b"\n")
        guard.stdin.flush()


def _make_folder() -> Path:
    """Make a folder for the files of one connection, and remove those of processes that are gone."""
    parent = Path(runtime_folder(), "ssh")
    parent.mkdir(mode=0o700, exist_ok=True)
    for old in parent.iterdir():
        pid = old.name.partition("-")[0]
        if pid.isdigit() and not _lives(int(pid)):
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _end_all() -> None:
    for each in list(_standing):
        each.close_soon()


_one: Final = threading.Lock()
_standing: Final[list[OpenSsh]] = []
atexit.register(_end_all)

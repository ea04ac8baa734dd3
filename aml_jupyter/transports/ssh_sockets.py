"""Connect to a Unix socket of a host over SSH, as `ssh -L` does: a channel of the kind ``direct-streamlocal@openssh.com``.

Such a channel is no session, so a server's MaxSessions does not count it.
"""

from __future__ import annotations

import logging
import shlex
import threading
import time
from typing import TYPE_CHECKING, Final

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.transports.ssh import HostUnreachable, SshConnection
from aml_jupyter.transports.ssh_faults import CONNECT_SECONDS

if TYPE_CHECKING:
    import paramiko

__all__ = ["SocketRefused", "connect_socket"]

_KIND: Final = "direct-streamlocal@openssh.com"
_LOG: Final = "paramiko.sockets"
logging.getLogger(_LOG).setLevel(logging.CRITICAL)  # it writes a line for each socket that nobody listens at
_CONNECT: Final = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


class SocketRefused(ComputeTargetException):
    """Say why nobody at a host's socket can be talked to; the host itself answers."""


def connect_socket(ssh: SshConnection, path: str) -> paramiko.Channel:
    """Return a connection to the Unix socket `path` of the host, as a socket.

    Parameters
    ----------
    ssh : SshConnection
        The way there; it is connected when it is not yet.
    path : str
        The socket, absolute.

    Raises
    ------
    HostUnreachable
        When the host cannot be reached.
    HostKeyRefused, LoginRefused
        When a person has to act.
    SocketRefused
        When there is no such socket, nobody listens at it, this user has no right to it, or the server forwards none.
    """
    import paramiko

    transport = ssh.connect()
    transport.set_log_channel(_LOG)
    try:
        return _open(transport, path)
    except paramiko.ChannelException as error:
        raise SocketRefused(_why(ssh, path), "engine") from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise HostUnreachable(f"The connection to {ssh.address} was cut: {error}.", "address") from error


def _open(transport: paramiko.Transport, path: str) -> paramiko.Channel:
    """Open the channel. The library's own `open_channel` cannot say which socket is meant; this is what it does otherwise."""
    import paramiko
    from paramiko.common import cMSG_CHANNEL_OPEN

    with transport.lock:
        number = transport._next_channel()
        channel = paramiko.Channel(number)
        transport._channels.put(number, channel)
        transport.channel_events[number] = opened = threading.Event()
        transport.channels_seen[number] = True
        channel._set_transport(transport)
        channel._set_window(transport.default_window_size, transport.default_max_packet_size)
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_OPEN)
    message.add_string(_KIND)
    message.add_int(number)
    message.add_int(transport.default_window_size)
    message.add_int(transport.default_max_packet_size)
    message.add_string(path)
    message.add_string("")  # both reserved by OpenSSH (PROTOCOL, section 2.4)
    message.add_int(0)
    transport._send_user_message(message)
    until = time.monotonic() + CONNECT_SECONDS
    while not opened.wait(0.1):
        if not transport.is_active() or time.monotonic() > until:
            raise transport.get_exception() or paramiko.SSHException("it gave no answer")
    if transport._channels.get(number) is None:
        raise transport.get_exception() or paramiko.SSHException("it gave no reason")
    return channel


def _why(ssh: SshConnection, path: str) -> str:
    """Return why the server opened no channel: its own word is the same for all reasons, so the host is asked."""
    name = shlex.quote(path)
    script = (
        f"[ -e {name} ] || exit 3; [ -r {name} ] && [ -w {name} ] || exit 4; "
        f"python3 -c {shlex.quote(_CONNECT)} {name} 2>/dev/null || exit 5; exit 6"
    )
    found = ssh.run(f"exec sh -c {shlex.quote(script)}").code
    if found == 3:
        return (
            f"{ssh.address} has no Docker engine at {path}. Start it there (sudo systemctl start docker), or name its socket: "
            "--engine PATH."
        )
    if found == 4:
        return (
            f"{ssh.address.user} has no rights on {path} of {ssh.address}. Add the user to the socket's group there (often: sudo "
            f"usermod -aG docker {ssh.address.user}, then connect anew), or use an engine of its own (rootless Docker)."
        )
    if found == 6:
        return (
            f"The SSH server of {ssh.address} does not lead to the Docker engine at {path}: have AllowStreamLocalForwarding (and "
            "AllowTcpForwarding) set to yes in its sshd_config."
        )
    return f"No Docker engine answers at {path} of {ssh.address}. Start it there (sudo systemctl start docker, or dockerd)."

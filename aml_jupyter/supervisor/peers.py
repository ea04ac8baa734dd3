"""Speak over a Unix socket of the user's: one JSON object a line, with descriptors beside it; check who is there."""

import array
import json
import os
import socket
import struct
import sys
from typing import Any, Dict, List, Sequence, Tuple

from .faults import fault_point

__all__ = ["is_same_user", "listen", "receive", "send"]

LIMIT = 65536
MAX_DESCRIPTORS = 250


def listen(path: str, backlog: int, point: str) -> socket.socket:
    """Return a non-blocking socket at `path`, in place of what a process before left there, for this user alone.

    Raises
    ------
    OSError
        When the name cannot be taken.
    """
    with fault_point(point):
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            door.bind(path)
        finally:
            os.umask(mask)
        door.listen(backlog)
    door.setblocking(False)
    return door


def is_same_user(connection: socket.socket) -> bool:
    """Tell whether the process at the other end belongs to this process's user."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return bool(struct.unpack("3i", credentials)[1] == os.getuid())
    if sys.platform == "darwin":
        # LOCAL_PEERCRED: struct xucred begins with its version and the user's id.
        return bool(struct.unpack("2I", connection.getsockopt(0, 1, 76)[:8])[1] == os.getuid())
    return True


def send(connection: socket.socket, message: Dict[str, Any], fds: Sequence[int] = ()) -> None:
    """Send `message` and copies of the descriptors `fds`."""
    data = json.dumps(message).encode("utf-8") + b"\n"
    if len(data) > LIMIT or len(fds) > MAX_DESCRIPTORS:
        raise ValueError("the message has %d bytes and %d descriptors: too many" % (len(data), len(fds)))
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sent = connection.sendmsg([data], ancillary)
    if sent < len(data):  # nothing at all would still fail when the other end has answered and closed already
        connection.sendall(data[sent:])


def receive(connection: socket.socket) -> Tuple[Dict[str, Any], List[int]]:
    """Return the next message and the descriptors that came with it, close-on-exec.

    Raises
    ------
    ConnectionError
        When the other end closed, or sent what is no message.
    """
    data = b""
    fds = array.array("i")
    room = socket.CMSG_LEN(MAX_DESCRIPTORS * fds.itemsize)
    try:
        while not data.endswith(b"\n"):
            part, ancillary, _, _ = connection.recvmsg(LIMIT, room, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
            data += part
            if not part or len(data) > LIMIT:
                raise ConnectionError("the connection ended in the middle of a message")
        for fd in fds:
            os.set_inheritable(fd, False)
        message = json.loads(data.decode("utf-8"))
        if not isinstance(message, dict):
            raise ConnectionError("a JSON object was expected")
        return message, list(fds)
    except BaseException as error:
        for fd in fds:
            os.close(fd)
        if isinstance(error, ValueError):
            raise ConnectionError("what came is no message: %s" % error) from error
        raise

"""Wake the service: one line to its socket, or a byte into the pipe that leads out of a container; best effort."""

import os
import socket
import stat
from typing import Optional

__all__ = ["open_pipe", "wake_service"]


def wake_service(path: Optional[str]) -> None:
    """Tell the service at the Unix socket or pipe `path` to look; when nobody listens, it looks by itself later."""
    if not path:
        return
    pipe = open_pipe(path)
    if pipe is not None:
        try:
            os.write(pipe, b"w")
        except OSError:
            pass  # it is full: whoever reads it looks anyway
        finally:
            os.close(pipe)
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.setblocking(False)
        try:
            door.connect(path)
            door.send(b'{"op":"wake"}\n')
        except OSError:
            pass


def open_pipe(path: str) -> Optional[int]:
    """Return a descriptor of the pipe at `path`, to write to; None when there is none, or nobody reads it."""
    try:
        if not stat.S_ISFIFO(os.stat(path).st_mode):
            return None
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None

"""Wake the service: one line to its socket, best effort."""

import socket
from typing import Optional

__all__ = ["wake_service"]


def wake_service(path: Optional[str]) -> None:
    """Tell the service at the Unix socket `path` to look; when nobody listens, it looks by itself later."""
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.setblocking(False)
        try:
            door.connect(path)
            door.send(b'{"op":"wake"}\n')
        except OSError:
            pass

"""Say by which socket of this machine an engine is talked to that is another machine's: ``ssh://user@host:port/its/socket``.

Whoever holds the way there listens at that socket (`SocketForward`); all processes of the user find it by the engine's address
alone, so that a build, which is a process of its own, goes through the connection that the service holds.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aml_jupyter.supervisor.far_place import runtime_folder

__all__ = ["FAILED", "far_engine", "far_socket", "is_far"]

SCHEME: Final = "ssh"
FAILED: Final = "X-AML-No-Way"
"""Header of an answer that is not the engine's: there is no way to it, and the answer says why."""


def far_engine(user: str, host: str, port: int, socket: str) -> str:
    """Return the address of an engine that listens at `socket` of another machine."""
    name = f"[{host}]" if ":" in host else host
    return f"{SCHEME}://{user}@{name}:{port}{socket}"


def is_far(engine: str) -> bool:
    """Tell whether an engine's address is one that a connection over SSH leads to."""
    parts = urlsplit(engine)
    return parts.scheme == SCHEME and parts.path not in ("", "/")


def far_socket(engine: str) -> Path:
    """Return the socket of this machine that leads to a far engine; it is there while somebody holds the way.

    Raises
    ------
    OSError
        When the user's folder for sockets cannot be made.
    """
    folder = Path(runtime_folder(), "engines")
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{hashlib.sha256(os.fsencode(engine)).hexdigest()[:12]}.sock"

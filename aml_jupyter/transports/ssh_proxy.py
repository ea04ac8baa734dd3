"""Run the command whose input and output are the connection to a host (``ProxyCommand``)."""

from __future__ import annotations

import contextlib
import socket
import subprocess

__all__ = ["ProxyProcess"]

_PATIENCE = 2.0


class ProxyProcess:
    """Own the process of a proxy command.

    Parameters
    ----------
    command : str
        For the shell, with every ``%h`` and the like replaced.
    """

    def __init__(self, command: str) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt at the terminal is not for it
            )

    def close(self) -> None:
        """End it."""
        self.socket.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

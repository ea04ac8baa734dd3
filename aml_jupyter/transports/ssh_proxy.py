"""Run the command whose input and output are the connection to a host (``ProxyCommand``)."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile

__all__ = ["ProxyProcess"]

_PATIENCE = 2.0
_GRACE = 0.5
"""Seconds that a command which closed the connection has, to end and to say why."""

_MOST_SAID = 500


class ProxyProcess:
    """Own the process of a proxy command.

    Parameters
    ----------
    command : str
        For the shell, with every ``%h`` and the like replaced.
    """

    def __init__(self, command: str) -> None:
        self.command = command
        self.socket, theirs = socket.socketpair()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - its complaints; a pipe could fill up
        with theirs:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._said,
                start_new_session=True,  # an interrupt at the terminal is not for it
            )

    def complaint(self) -> str:
        """Return how it ended and the end of what it said, in one line; empty while it runs and said nothing."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - _MOST_SAID))
        said = " ".join(self._said.read().decode("utf-8", "replace").split())
        code = self._process.returncode
        ended = "" if code is None else f"ended with exit code {code}" if code >= 0 else f"was ended by signal {-code}"
        return ": ".join(each for each in (ended, said) if each)

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
        self._said.close()

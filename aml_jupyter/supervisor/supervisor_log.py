"""Own ``control/supervisor_log.txt``: what the supervisor itself has to say, one line each."""

import os
import time

from .protocol import SUPERVISOR_LOG

__all__ = ["SupervisorLog"]


class SupervisorLog:
    """Append lines to the supervisor's log of one attempt.

    Parameters
    ----------
    control : str
        The attempt's control folder.
    """

    def __init__(self, control: str) -> None:
        self._path = os.path.join(control, SUPERVISOR_LOG)

    def say(self, text: str) -> None:
        """Append a line with the time; on a full disk it is lost, and nothing else is."""
        line = "%s supervisor %d: %s\n" % (time.strftime("%Y-%m-%dT%H:%M:%S%z"), os.getpid(), text)
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.write(fd, line.encode("utf-8", "replace"))
            finally:
                os.close(fd)
        except OSError:
            pass

"""Own the processes of an attempt: reap them, signal them all, and see to it that none is left.

The supervisor is a subreaper: a descendant that lost its parent becomes its child, also one with a session of its own.
So "no child left" means "no descendant left". Where there are no subreapers (macOS), the process group is looked at
besides; a descendant that left it and lost its parent is found by its marker only (see `identity`).
"""

import os
import signal
import sys
import time
from typing import Callable, Optional, Set

from .faults import fault_point
from .kernel import descendants
from .pulse import Pulse

__all__ = ["Family"]


class Family:
    """Own the user's process and all its descendants.

    Attributes
    ----------
    status : int or None
        How the user's process ended, as `os.wait4` says it; None while it runs.
    peak_memory : int
        Bytes; the highest of any of the processes that were reaped.
    cpu_time : float
        Seconds, user and system, of all the processes that were reaped.
    signalled : set of int
        The ids of all that a signal was sent to.
    """

    def __init__(self, main: int, pulse: Pulse) -> None:
        self.main = main
        self.status: Optional[int] = None
        self.peak_memory = 0
        self.cpu_time = 0.0
        self.signalled: Set[int] = set()
        self._pulse = pulse
        self._childless = False

    def reap(self) -> None:
        """Take in whichever processes have ended."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                self._childless = True
                return
            if pid == 0:
                self._childless = False
                return
            unit = 1 if sys.platform == "darwin" else 1024
            self.peak_memory = max(self.peak_memory, usage.ru_maxrss * unit)
            self.cpu_time += usage.ru_utime + usage.ru_stime
            if pid == self.main:
                self.status = status

    def is_gone(self) -> bool:
        """Tell whether no process is left."""
        self.reap()
        if not self._childless:
            return False
        if sys.platform.startswith("linux"):
            return True
        with fault_point("supervisor.probe"):
            try:
                os.killpg(self.main, 0)
            except (ProcessLookupError, PermissionError):
                return True
        return False

    def signal_all(self, *numbers: int) -> None:
        """Send the signals `numbers`, in this order, to the whole group and to every descendant outside it.

        Each process gets each signal once: a second TERM would end a script that is saving its work after the first.
        """
        found = descendants(os.getpid())
        outside = {pid for pid in found if not self._is_in_group(pid)}
        self.signalled |= found
        # A group that has a member of ours, or whose leader is not reaped yet, can be nobody else's.
        if self.status is None or found - outside:
            for number in numbers:
                _send(os.killpg, self.main, number)
        for pid in outside:
            for number in numbers:
                _send(os.kill, pid, number)

    def _is_in_group(self, pid: int) -> bool:
        try:
            return os.getpgid(pid) == self.main
        except OSError:
            return False

    def wait(self, seconds: float) -> bool:
        """Wait until no process is left; False when `seconds` have passed."""
        deadline = time.monotonic() + seconds
        while not self.is_gone():
            now = time.monotonic()
            if now >= deadline:
                return False
            self._pulse.pause(min(deadline - now, 0.1))
        return True

    def end(self, grace: float, bound: float = 60.0) -> bool:
        """End all: TERM, after `grace` seconds KILL until none is left; False after `bound` seconds of KILL."""
        # A stopped process gets its TERM when it goes on.
        self.signal_all(signal.SIGTERM, signal.SIGCONT)
        return self.wait(grace) or self.kill(bound)

    def kill(self, bound: float = 60.0) -> bool:
        """Send KILL to all until none is left; False after `bound` seconds."""
        deadline = time.monotonic() + bound
        while time.monotonic() < deadline:
            self.signal_all(signal.SIGKILL)
            if self.wait(0.05):
                return True
        return False


def _send(call: Callable[[int, int], None], target: int, number: int) -> None:
    with fault_point("supervisor.kill"):
        try:
            call(target, number)
        except (ProcessLookupError, PermissionError):
            pass  # It has ended, or it has become another user's; the wait that follows tells which.

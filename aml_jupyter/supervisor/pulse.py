"""Own the supervisor's waiting: wake at a signal or after a time, and touch the heartbeat meanwhile."""

import os
import select
import signal
import time
from typing import Any

from .protocol import HEARTBEAT

__all__ = ["TICK", "Pulse"]

TICK = 0.5
"""Seconds after which files that others write are looked at again, at the latest."""

BEAT = 5.0
"""Seconds between two touches of the heartbeat."""


class Pulse:
    """Wait, and show that the supervisor is alive.

    Attributes
    ----------
    asked_to_end : bool
        Whether SIGTERM has come.
    """

    def __init__(self, control: str) -> None:
        self.asked_to_end = False
        self._heartbeat = os.path.join(control, HEARTBEAT)
        self._next_beat = 0.0
        self._wakened, waker = os.pipe()
        os.set_blocking(self._wakened, False)
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, self._note)
        signal.signal(signal.SIGTERM, self._note)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    def _note(self, number: int, frame: Any) -> None:
        self.asked_to_end = self.asked_to_end or number == signal.SIGTERM

    def beat(self) -> None:
        """Touch the heartbeat when it is due."""
        now = time.monotonic()
        if now < self._next_beat:
            return
        self._next_beat = now + BEAT
        try:
            fd = os.open(self._heartbeat, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.utime(fd)
            finally:
                os.close(fd)
        except OSError:
            pass  # A full disk must not end a run; the next beat tries again.

    def pause(self, seconds: float = TICK) -> None:
        """Return after `seconds`, `TICK` at the most, or when a signal comes."""
        self.beat()
        select.select([self._wakened], [], [], max(0.0, min(seconds, TICK)))
        try:
            while os.read(self._wakened, 512):
                pass
        except BlockingIOError:
            pass

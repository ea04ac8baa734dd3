"""Own the supervisor's waiting: wake at a signal or after a time, and touch the heartbeat meanwhile."""

import os
import select
import signal
import time
from typing import Any, Set

from .protocol import HEARTBEAT

__all__ = ["TICK", "Pulse", "asked_to_end", "catch_signals", "forget_signals"]

TICK = 0.5
"""Seconds after which files that others write are looked at again, at the latest."""

FIRST_BEAT = 0.5
BEAT = 5.0
"""Seconds between two touches of the heartbeat."""


_seen: Set[int] = set()
_caught = False


def catch_signals() -> None:
    """Have every signal that would end or disturb this process do no more than wake it.

    They are caught, not ignored: a program that is executed later gets the defaults back by itself. Once for a process
    and all that are forked from it.
    """
    global _caught
    if not _caught:
        for name in ("SIGCHLD", "SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE", "SIGXFSZ"):
            signal.signal(getattr(signal, name), _note)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        _caught = True


def asked_to_end() -> bool:
    """Tell whether SIGTERM has come."""
    return signal.SIGTERM in _seen


def forget_signals() -> None:
    """Take what has come so far as said to somebody else."""
    _seen.clear()


def _note(number: int, frame: Any) -> None:
    _seen.add(number)


class Pulse:
    """Wait, and show that the supervisor is alive."""

    def __init__(self, control: str) -> None:
        self._heartbeat = os.path.join(control, HEARTBEAT)
        # A run that is over at once needs no heartbeat.
        self._next_beat = time.monotonic() + FIRST_BEAT
        self._wakened, self._waker = os.pipe()
        os.set_blocking(self._wakened, False)
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker)
        catch_signals()

    def close(self) -> None:
        """Give back what waiting takes; signals are still caught."""
        signal.set_wakeup_fd(-1)
        os.close(self._wakened)
        os.close(self._waker)

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

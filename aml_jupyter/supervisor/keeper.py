"""Keep, on the host, what a container cannot have: the slots of its attempt, and the way to the service's socket.

Forked by the warm parent in place of a supervisor, which then runs in the container. The two talk through the pipe
``control/wake`` and two files beside it (see `protocol`); the kernel closes the pipe when the supervisor has ended,
however it ended, and that frees the slots. Owns both ends of this talk.
"""

import os
import select
import time
from typing import Any, Dict, List, Optional, Sequence

from .faults import fault_point
from .protocol import SLOTS_GIVEN, SLOTS_UNUSED, WAKE, container_path, read_json
from .slots import HeldSlots
from .sole import become, is_somebody
from .supervisor_log import SupervisorLog
from .wake import open_pipe, wake_service

__all__ = ["DistantSlots", "is_kept", "keep", "let_go", "make_pipe", "read_place"]

PATIENCE = 120.0
"""Seconds that a container has to come up: an engine under load takes some."""

TICK = 0.5


def read_place(control: str) -> Optional[Dict[str, Any]]:
    """Return ``container.json`` of an attempt; None when it does not run in a container."""
    try:
        return read_json(container_path(control))
    except (OSError, ValueError):
        return None


def make_pipe(control: str) -> str:
    """Make the pipe between the keeper and the container, unless it is there; return its path."""
    path = os.path.join(control, WAKE)
    with fault_point("container.pipe"):
        try:
            os.mkfifo(path, 0o600)
        except FileExistsError:
            pass
    return path


def is_kept(lock: str) -> bool:
    """Tell whether a keeper holds the lock of an attempt."""
    return is_somebody(lock)


def let_go(control: str) -> None:
    """Tell a keeper that nothing was started."""
    pipe = open_pipe(os.path.join(control, WAKE))
    if pipe is not None:
        try:
            os.write(pipe, b"q")
        except OSError:
            pass
        os.close(pipe)


def keep(control: str, place: Dict[str, Any], fds: Sequence[int]) -> int:
    """Hold the slots behind `fds` until the supervisor in the container has ended; return the exit code."""
    log = SupervisorLog(control)
    lock = os.open(str(place["lock"]), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not become(lock):
        return 0  # another one keeps them already
    held = HeldSlots.from_descriptors(fds)
    pipe = os.open(os.path.join(control, WAKE), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    deadline = time.monotonic() + PATIENCE
    heard = False
    while True:
        ready, _, _ = select.select([pipe], [], [], TICK)
        data = _read(pipe) if ready else b""
        heard = heard or b"h" in data
        if b"w" in data or b"h" in data:
            wake_service(place.get("wake"))
        if b"q" in data and not heard:
            break
        if b"f" in data:
            held.close()
        if ready and not data:
            # Nobody has it open for writing: not yet, or not any more.
            if heard:
                break
            if time.monotonic() > deadline:
                log.say("the container did not come up within %g s; its slots are free again" % PATIENCE)
                break
            time.sleep(0.05)
        _lend(control, held)
    held.close()
    wake_service(place.get("wake"))
    return 0


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, 4096)
    except BlockingIOError:
        return b"."


def _lend(control: str, held: HeldSlots) -> None:
    """Give up the cores while they are not used, and take them again before they are."""
    unused, given = os.path.join(control, SLOTS_UNUSED), os.path.join(control, SLOTS_GIVEN)
    if os.path.exists(unused):
        if not os.path.exists(given):
            _touch(given)
            if os.path.exists(unused):  # it may have been withdrawn before the answer could be seen
                held.give_up_cores()
    elif os.path.exists(given) and held.reacquire():
        _remove(given)


def _touch(path: str) -> None:
    with fault_point("keeper.touch"):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
        except OSError:
            pass  # a full disk: the next look tries again


def _remove(path: str) -> None:
    with fault_point("keeper.remove"):
        try:
            os.unlink(path)
        except OSError:
            pass


def _reach(path: str) -> Optional[int]:
    """Return the pipe to the keeper, which may be a moment behind the container; None when there is none."""
    for _ in range(40):
        pipe = open_pipe(path)
        if pipe is not None or not os.path.exists(path):
            return pipe
        time.sleep(0.05)
    return None


class DistantSlots:
    """Stand in a container for the slots that the keeper holds.

    Parameters
    ----------
    control : str
        The attempt's control folder.
    """

    def __init__(self, control: str, log: SupervisorLog) -> None:
        self._unused, self._given = (os.path.join(control, name) for name in (SLOTS_UNUSED, SLOTS_GIVEN))
        self._pipe = _reach(os.path.join(control, WAKE))
        if self._pipe is None:
            log.say("nobody on the host keeps the slots of this run: others may take them")
        else:
            self._say(b"h")

    @property
    def devices(self) -> List[str]:
        """Return no GPU by name: the engine shows those that the run has, and no others."""
        return []

    def give_up_cores(self) -> None:
        """Ask the keeper to free the cores."""
        if self._pipe is not None and not os.path.exists(self._unused):
            _touch(self._unused)
            self._say(b".")

    def reacquire(self) -> bool:
        """Tell whether the slots are held again."""
        if os.path.exists(self._unused):
            _remove(self._unused)
        # A keeper that was killed gives nothing back: the run goes on without slots.
        return not os.path.exists(self._given) or not self._say(b".")

    def close(self) -> None:
        """Free all slots for good; the pipe stays open, since the service is still to be woken through it."""
        self._say(b"f")

    def _say(self, word: bytes) -> bool:
        """Tell the keeper; False when there is none any more."""
        if self._pipe is None:
            return False
        try:
            os.write(self._pipe, word)
        except BlockingIOError:
            pass  # it is full of words that are still to be read
        except OSError:
            return False
        return True

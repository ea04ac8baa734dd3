"""Own the slots of an attempt: give them up while the user's code waits for a run of its own, then take them again.

``control/waiting/<pid>`` is kept in place by a process that waits; ``<pid>.go`` answers its removal, and ``<pid>.back``, by
which one asks that may have waited too shortly to be noticed. The slots are held while nobody waits: with two processes of
one run, of which one goes on, the run goes on without slots, since it could block itself otherwise.
"""

import os
from typing import List, Sequence, Set, Union

from .faults import fault_point
from .identity import start_time
from .keeper import DistantSlots, read_place
from .protocol import WAITING
from .slots import HeldSlots
from .supervisor_log import SupervisorLog

__all__ = ["AttemptSlots"]


class AttemptSlots:
    """Own the slots that one supervisor holds for its run.

    Parameters
    ----------
    control : str
        The attempt's control folder.
    fds : sequence of int
        The descriptors of the lock files, as the service passed them.
    """

    def __init__(self, control: str, fds: Sequence[int], log: SupervisorLog) -> None:
        self._folder = os.path.join(control, WAITING)
        # In a container, a lock of the host means nothing: its keeper has the slots.
        inside = read_place(control) is not None
        self._held: Union[HeldSlots, DistantSlots] = (
            DistantSlots(control, log) if inside else HeldSlots.from_descriptors(fds)
        )
        self._log = log
        self._waiting: Set[str] = set()
        self._to_answer: Set[str] = set()

    @property
    def devices(self) -> List[str]:
        """Return the names of the GPUs that the run has."""
        return self._held.devices

    def look(self) -> None:
        """Follow what ``control/waiting`` says now."""
        try:
            names = set(os.listdir(self._folder))
        except FileNotFoundError:
            names = set()
        if not names and not self._waiting and not self._to_answer:
            return
        waiting = {name for name in names if name.isdigit() and start_time(int(name)) is not None}
        back = {name[: -len(".back")] for name in names if name.endswith(".back")}
        self._to_answer |= self._waiting - waiting
        self._to_answer |= {name for name in back if name + ".go" not in names}
        self._waiting = waiting
        # A process that waits a second time is answered a second time.
        self._to_answer -= waiting
        if waiting:
            self._held.give_up_cores()
        elif not self._held.reacquire():
            return
        for name in sorted(self._to_answer):
            self._answer(name)

    def close(self) -> None:
        """Free all slots for good."""
        self._held.close()

    def _answer(self, name: str) -> None:
        with fault_point("supervisor.go"):
            try:
                fd = os.open(os.path.join(self._folder, name + ".go"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
                os.close(fd)
            except OSError as error:
                self._log.say("cannot tell process %s to go on: %s" % (name, error))
                return
        self._to_answer.discard(name)

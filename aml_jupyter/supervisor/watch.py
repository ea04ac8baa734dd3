"""Follow the user's process until nothing of it is left: cancel requests, the time limit, slots, left-over children."""

import os
import signal
import time
from typing import TYPE_CHECKING, NamedTuple, Optional

from .family import Family
from .launch import Launch
from .protocol import CANCEL, read_json
from .pulse import TICK, Pulse, asked_to_end
from .supervisor_log import SupervisorLog
from .waiting import AttemptSlots
from .wake import wake_service

if TYPE_CHECKING:
    from .memory import MemoryLimit

__all__ = ["Ending", "watch"]

ANNOUNCE = 0.05
"""Seconds after which the service is told that the run has started; one that is over sooner is told of once, at its end."""

SETTLE = 0.5
"""Seconds that helpers (resource trackers, pool workers) have to end by themselves after the user's process."""

SHUT_DOWN = "the supervisor was asked to end (SIGTERM), as when the machine is shut down"


class Ending(NamedTuple):
    """Say what the supervisor did to the processes.

    `reason` is empty when the user's process ended by itself; `complete` is False when some process could not be ended.
    """

    reason: str
    message: str
    complete: bool


def watch(
    launch: Launch,
    family: Family,
    pulse: Pulse,
    slots: AttemptSlots,
    log: SupervisorLog,
    released: float,
    memory: "Optional[MemoryLimit]" = None,
) -> Ending:
    """Return when the user's process and all its descendants have ended.

    Parameters
    ----------
    released : float
        When the process was released (`time.monotonic`); ``max_seconds`` counts from here.
    memory : MemoryLimit, optional
        What the processes have to stay within.
    """
    deadline = released + launch.max_seconds if launch.max_seconds is not None else None
    announced = False
    cancel = os.path.join(launch.control, CANCEL)
    while True:
        family.reap()
        excess = memory.excess() if memory is not None else ""
        if excess:
            log.say("%s: KILL" % excess)
            return Ending("out of memory", excess, family.kill())
        if family.status is not None:
            return _end_leftovers(launch, family, log)
        now = time.monotonic()
        if os.path.exists(cancel):
            grace, reason = _read_cancel(cancel, launch.grace_seconds)
            log.say("cancel is asked for: TERM, after %g s KILL" % grace)
            return Ending("canceled", reason, family.end(grace))
        if deadline is not None and now >= deadline:
            log.say(
                "max_seconds (%g) have passed: TERM, after %g s KILL" % (launch.max_seconds or 0, launch.grace_seconds)
            )
            message = "it ran for %g s, which is its limit (max_run_duration_seconds)" % (launch.max_seconds or 0)
            return Ending("timeout", message, family.end(launch.grace_seconds))
        if asked_to_end():
            log.say("this supervisor got SIGTERM: the run is ended")
            return Ending("supervisor lost", SHUT_DOWN, family.end(launch.grace_seconds))
        slots.look()
        if not announced and now - released >= ANNOUNCE:
            announced = True
            wake_service(launch.wake)
        tick = TICK if announced else ANNOUNCE
        if memory is not None:
            tick = min(tick, memory.pause())
        pulse.pause(tick if deadline is None else min(tick, deadline - now))


def _end_leftovers(launch: Launch, family: Family, log: SupervisorLog) -> Ending:
    complete = family.is_gone() or family.wait(SETTLE)
    if not complete:
        complete = family.end(launch.grace_seconds)
        log.say("%d processes that the run had left behind were ended" % len(family.signalled))
    if asked_to_end() and family.status == signal.SIGTERM:
        # Whoever shuts the machine down sends the signal to both.
        return Ending("supervisor lost", SHUT_DOWN, complete)
    return Ending("", "", complete)


def _read_cancel(path: str, grace: float) -> "tuple[float, str]":
    """Return grace time and reason; a request that cannot be read is one all the same."""
    try:
        request = read_json(path) or {}
        return float(request.get("grace_seconds", grace)), str(request.get("reason") or "")
    except (OSError, ValueError, TypeError):
        return grace, ""

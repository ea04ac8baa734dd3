"""Look at the attempts that are under way, and write down what their files say."""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import TYPE_CHECKING

from aml_jupyter.service.active import ActiveRun
from aml_jupyter.service.isolation import MOST_FAILURES, on_its_own
from aml_jupyter.service.unstarted import end_unstarted
from aml_jupyter.supervisor.watch import ANNOUNCE
from aml_jupyter.targets import Handle, Observation, Target
from aml_jupyter.workspace import transition, update_attempt

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["any_to_write", "is_young", "watch", "write_states"]

STARTED = ("Running", "NotResponding", "Finalizing")
"""States that only an attempt has whose own word of its start was read."""

log = logging.getLogger("aml_jupyter.service")


def watch(service: Reconciler) -> None:
    """Observe all attempts, one round trip for each target; pass on cancel requests."""
    by_target: dict[int, tuple[Target, list[Handle]]] = {}
    runs: dict[Handle, ActiveRun] = {}
    for active in service.active.values():
        if active.ending is not None:
            continue
        runs[active.handle] = active
        by_target.setdefault(id(active.backend), (active.backend, []))[1].append(active.handle)
    for backend, handles in by_target.values():
        for handle, observation in backend.observe(handles).items():
            active = runs[handle]
            if observation.state == "absent" and active.run.status in STARTED:
                observation = Observation("lost", message="supervisor lost")  # its control files were removed
            active.seen = observation
            if active.run.status == "CancelRequested" and not active.cancel_sent:
                _pass_on_cancel(active, observation)


def _pass_on_cancel(active: ActiveRun, observation: Observation) -> None:
    """Tell the supervisor to end the run."""
    if observation.state not in ("running", "silent"):
        return
    grace = float(active.run.definition.get("grace_seconds", 10))
    try:
        active.backend.cancel(active.handle, grace, active.run.reason)
        active.cancel_sent = True
    except OSError as error:
        log.error("run %s cannot be told to end, trying again: %s", active.run.id, error)


def any_to_write(service: Reconciler) -> bool:
    """Tell whether there is a start, a silence or a cancellation to record."""
    return any(_news(active) for active in service.active.values())


def write_states(service: Reconciler, tx: sqlite3.Connection) -> None:
    """Record starts, silences, and cancellations of what had not started."""
    for active in list(service.active.values()):
        if _news(active):
            with on_its_own(active, tx):
                _write_state(service, active, tx)


def _news(active: ActiveRun) -> str:
    """Return what is to be recorded of a run: ``start``, ``silence`` or ``cancellation``; empty where there is nothing."""
    seen, status = active.seen, active.run.status
    if (
        seen is None
        or active.ending is not None
        or active.failures > MOST_FAILURES
        or time.monotonic() < active.again_at
    ):
        return ""
    if seen.state == "running" and status in ("Preparing", "Provisioning", "Starting", "NotResponding"):
        return "start" if seen.attempt is not None and "process" in seen.attempt and not is_young(active) else ""
    if seen.state == "silent" and status in ("Running", "Starting"):
        return "silence"
    is_told = active.starting is None or active.starting.done()
    return "cancellation" if seen.state == "absent" and status == "CancelRequested" and is_told else ""


def is_young(active: ActiveRun) -> bool:
    """Tell whether an attempt has just begun here and asks nothing: its supervisor wakes us when it takes longer."""
    if active.backend.is_remote or active.seen is None or active.seen.attempt is None or active.seen.requests:
        return False
    return 0 <= time.time() - float(active.seen.attempt.get("started") or 0) < ANNOUNCE


def _write_state(service: Reconciler, active: ActiveRun, tx: sqlite3.Connection) -> None:
    news = _news(active)
    if news == "start":
        _write_start(active, tx)
    elif news == "silence" and active.seen is not None:
        active.run = transition(tx, active.run, "NotResponding", active.seen.message)
    elif news == "cancellation":
        _cancel_unstarted(service, active, tx)


def _write_start(active: ActiveRun, tx: sqlite3.Connection) -> None:
    assert active.seen is not None and active.seen.attempt is not None
    attempt = active.seen.attempt
    started = float(attempt["started"])
    active.run = transition(tx, active.run, "Running", "", started=active.run.started or started)
    update_attempt(tx, active.run.id, active.handle.attempt, started=started, node=attempt.get("host"))


def _cancel_unstarted(service: Reconciler, active: ActiveRun, tx: sqlite3.Connection) -> None:
    """End a run whose attempt never started, after making sure that it never will."""
    if not active.backend.forbid(active.handle, "canceled"):
        return  # it has started in the meantime: the next look sees it
    active.backend.release(active.handle)
    end_unstarted(service, tx, active.run, "Canceled", active.run.reason)
    service.active.pop(active.run.id, None)
    service.queue_may_move = True

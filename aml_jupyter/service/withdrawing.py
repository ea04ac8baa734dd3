"""Put a run back into the queue whose attempt was claimed and cannot start, because the place where it runs is away."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

from aml_jupyter.service.active import ActiveRun
from aml_jupyter.service.launch import needs_of
from aml_jupyter.targets import Handle, Observation, Target
from aml_jupyter.workspace import RunRecord, get_run, take_back_attempt, taken_back, transition, update_run

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["already_begun", "next_handle", "put_back", "say", "withdraw"]


def next_handle(db: sqlite3.Connection, run: RunRecord) -> Handle:
    """Return the handle of the attempt that a waiting run begins with next: one that was taken back, else a new one."""
    again = bool(run.attempt) and bool(taken_back(db, run.id))
    return Handle(run.target, run.id, run.attempt if again else run.attempt + 1)


def already_begun(backend: Target, run: RunRecord, handle: Handle) -> Observation | None:
    """Return what is seen of an attempt that was taken back and has started all the same; it needs no more room."""
    if handle.attempt != run.attempt:
        return None
    seen = backend.observe([handle]).get(handle)
    return None if seen is None or seen.state == "absent" else seen


def withdraw(service: Reconciler, active: ActiveRun) -> bool:
    """Put a run back into the queue when its place is away and nothing of it started there; tell whether that was done.

    The attempt keeps its number: no retry is spent, and a start that was lost on its way is found when it is repeated.
    """
    reason = active.backend.withdraw(active.handle, needs_of(active.run.definition))
    if reason is None:
        return False
    put_back(service, active, reason)
    return True


def put_back(service: Reconciler, active: ActiveRun, reason: str) -> None:
    """Put a claimed run back into the queue, at its place; its attempt is the one that it begins with next."""
    if active.hold is not None:
        active.hold.close()
        active.hold = None
    with service.folder.store.transaction(epoch=service.lease.epoch) as tx:
        run = get_run(tx, active.run.id)
        if run.status not in ("Preparing", "Provisioning", "Starting"):
            return  # it was canceled in the meantime; the next look sees that
        transition(tx, run, "Queued", reason)
        take_back_attempt(tx, run.id, active.handle.attempt)
    service.active.pop(run.id, None)
    service.queue_may_move = True


def say(service: Reconciler, active: ActiveRun, reason: str) -> None:
    """Write down what a claimed run waits for, unless that stands there."""
    if active.run.reason != reason:
        with service.folder.store.transaction(epoch=service.lease.epoch) as tx:
            update_run(tx, active.run.id, reason=reason)
        active.run = replace(active.run, reason=reason)

"""Claim who is next on a busy target of this machine before there is room for it, so that a freed slot waits for no commit.

Only where runs end within moments: it is claimed for `PATIENCE` at the most, then it is back in the queue, at its place. It is
started like any other attempt, once it holds its slots.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from aml_jupyter.service import preparing
from aml_jupyter.service.active import ActiveRun
from aml_jupyter.service.isolation import is_nobodys_fault
from aml_jupyter.service.launch import needs_of
from aml_jupyter.service.withdrawing import next_handle, put_back
from aml_jupyter.workspace import RunRecord, TargetRecord, new_attempt, transition

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["claim_ahead", "is_closed", "note_end", "those_ahead", "those_with_room"]

SHORT = 0.25
"""Seconds that a run takes after which the next one is claimed ahead."""

PATIENCE = 0.5
"""Seconds for which a run stays claimed without room."""


def is_closed(record: TargetRecord) -> str | None:
    """Return why a target starts nothing at the moment, or None."""
    if record.type == "computeinstance" and record.provisioning_state != "Running":
        return f"waits until {record.name} is started (it is {record.provisioning_state})"
    return None


def note_end(service: Reconciler, active: ActiveRun) -> None:
    """Remember of a target whether its last run that ended was a short one."""
    result = (active.seen.result if active.seen else None) or {}
    began, ended = result.get("started"), result.get("ended")
    took = ended - began if began and ended else SHORT
    (service.quick.add if 0 <= took < SHORT else service.quick.discard)(active.run.target)


def claim_ahead(service: Reconciler, tx: sqlite3.Connection, record: TargetRecord, run: RunRecord) -> bool:
    """Claim `run`, the first in line, without room for it; tell whether that was done.

    One with which something unexpected is wrong is not claimed ahead again: it fails alone when it has room.
    """
    if record.name not in service.quick or run.id in service.suspects:
        return False
    try:
        return _claim(service, tx, run)
    except Exception as error:
        if not is_nobodys_fault(error):
            service.suspects.add(run.id)
        raise


def _claim(service: Reconciler, tx: sqlite3.Connection, run: RunRecord) -> bool:
    if preparing.recipe_key(run) is not None or run.definition.get("container"):
        return False
    handle = next_handle(tx, run)
    if handle.attempt == run.attempt:
        return False  # it was put back, and may have started all the same
    new_attempt(tx, run.id, service.lease.epoch, handle.as_dict())
    active = ActiveRun(replace(run, attempt=handle.attempt), handle, service.backend(run.target))
    active.ahead_since = time.monotonic()
    active.run = transition(tx, active.run, "Starting", "")
    service.active[run.id] = active
    return True


def those_ahead(service: Reconciler, target: str = "") -> list[ActiveRun]:
    """Return the attempts that are claimed and have no room yet, on one target or on all."""
    return [
        active
        for active in service.active.values()
        if active.ahead_since is not None and (not target or active.run.target == target)
    ]


def those_with_room(service: Reconciler) -> list[ActiveRun]:
    """Return the attempts that were claimed ahead and have got their slots now; put back those that have waited in vain."""
    found = []
    for active in those_ahead(service):
        if active.run.status != "Starting":
            continue  # it is to be canceled
        record = next((each for each in service.targets if each.name == active.run.target), None)
        is_open = record is not None and not is_closed(record)
        obstacle = active.backend.reserve(active.handle, needs_of(active.run.definition)) if is_open else "closed"
        if obstacle is None:
            active.ahead_since = None
            found.append(active)
        elif not is_open or time.monotonic() - (active.ahead_since or 0.0) > PATIENCE:
            service.quick.discard(active.run.target)
            put_back(service, active, f"waits for a free slot on {active.run.target}")
    return found

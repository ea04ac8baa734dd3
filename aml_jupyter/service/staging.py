"""Put the files of attempts in place: when they start, or ahead, while all slots are taken."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aml_jupyter.errors import AmlError
from aml_jupyter.service import preparing
from aml_jupyter.service.ahead import is_closed, those_ahead
from aml_jupyter.service.launch import build_launch
from aml_jupyter.service.withdrawing import next_handle
from aml_jupyter.targets import Handle, Target
from aml_jupyter.workspace import RunRecord

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["AHEAD", "is_quick", "stage", "stage_ahead"]

AHEAD = 2
"""How many waiting runs of a target are staged before they have a slot."""

QUICK = 0.02
"""Seconds within which files are staged ahead by the loop itself; slower ones would hold up the others."""

log = logging.getLogger("aml_jupyter.service")


def is_quick(service: Reconciler, run: RunRecord) -> bool:
    """Tell whether the files of a run were put in place within moments the last time."""
    return service.start_seconds.get(run.snapshot, QUICK) < QUICK


def stage_ahead(service: Reconciler) -> None:
    """Put the files of who is next in place while all slots are taken, so that a freed slot is used at once."""
    if service.wakeup.is_woken:
        return
    for run in service.sweeps.made_ahead():
        if (
            not service.backend(run.target).is_remote
            and preparing.recipe_key(run) is None
            and not _stage_one(service, run)
        ):
            return
        if service.wakeup.is_woken:
            return  # the others keep until the next turn
    for active in those_ahead(service):
        if active.handle not in service.staged:
            _stage_now(service, active.run, active.handle)
    if not service.somebody_waits:
        return
    for record in service.targets:
        for run in service.next_up.get(record.name, ())[:AHEAD] if not is_closed(record) else ():
            if service.backend(record.name).is_remote:
                break  # the loop does not wait for a link
            if preparing.recipe_key(run) is not None:
                preparing.build_ahead(service, run)  # its files are staged when it is known which Python it gets
            elif not _stage_one(service, run):
                return


def _stage_one(service: Reconciler, run: RunRecord) -> bool:
    """Stage a run that is next, unless that takes long; tell whether others can be staged, too."""
    if not is_quick(service, run):
        return True
    handle = next_handle(service.folder.store.read(), run)
    if handle in service.staged:
        return True
    return _stage_now(service, run, handle)


def _stage_now(service: Reconciler, run: RunRecord, handle: Handle) -> bool:
    try:
        stage(service, run, service.backend(run.target), handle)
    except (AmlError, OSError) as error:
        log.info("run %s could not be staged ahead: %s", run.id, error)
        return False
    if len(service.staged) > 1000:  # most are of runs that were canceled; the others are staged again
        service.staged.clear()
    service.staged.add(handle)
    return True


def stage(service: Reconciler, run: RunRecord, backend: Target, handle: Handle) -> None:
    """Put the files of an attempt in place; may be done again."""
    paths, kind, wake = backend.paths(handle), service.target_type(run), service.wake_path
    backend.stage(handle, build_launch(service.folder, run, handle, paths, kind, service.lease.epoch, wake))

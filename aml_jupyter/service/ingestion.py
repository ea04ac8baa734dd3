"""Read what running attempts wrote, by byte offset, into the run history: each byte exactly once."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from aml_jupyter.service.active import ActiveRun
from aml_jupyter.service.isolation import is_nobodys_fault
from aml_jupyter.service.watching import is_young
from aml_jupyter.supervisor import protocol
from aml_jupyter.workspace import WorkspaceFolder, cursor, ingest_events, report_shrunken

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["ingest", "ingest_all"]

log = logging.getLogger("aml_jupyter.service")

AGAIN_AFTER = 30.0
"""Seconds after which events that could not be taken in are tried again."""

PORTION = 4 * 2**20
"""Bytes taken from one file in one turn while a run goes on, so that one chatty run does not hold up the others."""


def ingest(service: Reconciler) -> None:
    """Take in one portion of every events file that grew."""
    for active in service.active.values():
        if active.ending is not None or active.seen is None or active.seen.state not in ("running", "silent"):
            continue
        if time.monotonic() < active.ingest_again_at or is_young(active):
            continue
        try:
            _ingest_attempt(service.folder, active, service.lease.epoch, to_the_end=False)
        except Exception as error:
            if is_nobodys_fault(error):
                raise
            active.ingest_again_at = time.monotonic() + AGAIN_AFTER
            log.exception("run %s: its events could not be taken in, trying again", active.run.id)


def ingest_all(folder: WorkspaceFolder, active: ActiveRun, epoch: int) -> None:
    """Take in everything that an ended attempt wrote."""
    _ingest_attempt(folder, active, epoch, to_the_end=True)


def _ingest_attempt(folder: WorkspaceFolder, active: ActiveRun, epoch: int, to_the_end: bool) -> None:
    control = Path(f"{folder.layout.runs}/{active.run.id}/attempts/{active.handle.attempt}/{protocol.CONTROL}")
    for name in _events_files(active, str(control)):
        try:
            _ingest_file(folder, active, epoch, to_the_end, control, name)
        except OSError as error:  # of reading: the script took it away, or its rights; writing raises our own classes
            if name not in active.unreadable:
                active.unreadable.add(name)
                log.warning("run %s: its events file %s cannot be read: %s", active.run.id, name, error)


def _events_files(active: ActiveRun, control: str) -> tuple[str, ...]:
    """Return the names of the attempt's events files; the folder is read again only when a name was added."""
    try:
        changed = os.stat(f"{control}/{protocol.EVENTS}").st_mtime_ns
    except OSError:
        return ()
    if active.events_changed != changed:
        active.events_files = tuple(protocol.events_files(control))
        # a file that is added within one tick of the clock would not be seen later
        active.events_changed = changed if time.time_ns() - changed > 10**9 else -1
    return active.events_files


def _ingest_file(
    folder: WorkspaceFolder, active: ActiveRun, epoch: int, to_the_end: bool, control: Path, name: str
) -> None:
    run_id, attempt = active.run.id, active.handle.attempt
    file = os.path.join(protocol.EVENTS, name)
    if name not in active.offsets:
        active.offsets[name] = cursor(folder.store.read(), run_id, attempt, name)
    portion = PORTION
    while True:
        offset, size = active.offsets[name], os.stat(control / file).st_size
        if size == offset:
            return
        if size < offset:
            if name not in active.shrunken:
                report_shrunken(folder.store, run_id, attempt, name, size, epoch=epoch)
                active.shrunken.add(name)
            return
        data = active.backend.read(active.handle, file, offset, portion)
        after = ingest_events(folder.store, run_id, attempt, name, offset, data, epoch=epoch)
        active.offsets[name] = after
        if after == offset:
            if len(data) < portion:
                return  # the last line is not whole yet, or never will be
            portion *= 2  # one line is longer than a portion
        elif not to_the_end:
            return

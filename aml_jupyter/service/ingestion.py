"""Read what running attempts wrote, by byte offset, into the run history: each byte exactly once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aml_jupyter.service.active import ActiveRun
from aml_jupyter.supervisor import protocol
from aml_jupyter.workspace import WorkspaceFolder, cursor, ingest_events

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["ingest", "ingest_all"]

PORTION = 4 * 2**20
"""Bytes taken from one file in one turn while a run goes on, so that one chatty run does not hold up the others."""


def ingest(service: Reconciler) -> None:
    """Take in one portion of every events file that grew."""
    for active in service.active.values():
        if active.ending is None and active.seen is not None and active.seen.state in ("running", "silent"):
            _ingest_attempt(service.folder, active, service.lease.epoch, to_the_end=False)


def ingest_all(folder: WorkspaceFolder, active: ActiveRun, epoch: int) -> None:
    """Take in everything that an ended attempt wrote."""
    _ingest_attempt(folder, active, epoch, to_the_end=True)


def _ingest_attempt(folder: WorkspaceFolder, active: ActiveRun, epoch: int, to_the_end: bool) -> None:
    control = folder.layout.run(active.run.id).attempt(active.handle.attempt).control
    for name in protocol.events_files(str(control)):
        file = os.path.join(protocol.EVENTS, name)
        while True:
            size = os.stat(control / file).st_size
            offset = active.offsets.get(name)
            if offset is None:
                offset = cursor(folder.store.read(), active.run.id, active.handle.attempt, name)
                active.offsets[name] = offset
            if size == offset:
                break
            data = active.backend.read(active.handle, file, offset, PORTION) if size > offset else b""
            after = ingest_events(
                folder.store, active.run.id, active.handle.attempt, name, offset, data, epoch=epoch, size=size
            )
            active.offsets[name] = after
            if after == offset or not to_the_end:
                break

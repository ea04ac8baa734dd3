"""Keep the lists of files of running runs up to date, so that a checkpoint is seen and downloaded while the run goes on.

One look costs a ``stat`` for each file. All runs together get a two-hundredth of the time, one run after the other, in a
thread of its own; a run whose files do not change is looked at less and less often. The end of a run lists its files in any case.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aml_jupyter.service.active import ActiveRun
from aml_jupyter.workspace import WorkspaceFolder, index_files
from aml_jupyter.workspace.outcome import watched_folders

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["Pace", "list_files"]

SOONEST: Final = 3.0
"""Seconds after its start, and between two looks at one run."""

LATEST: Final = 15.0
"""Seconds between two looks at a run whose files do not change."""

SHARE: Final = 200
"""The looks take one part in so many of the time."""

AGAIN_AFTER: Final = 30.0
"""Seconds before the next look at a run that could not be looked at."""

log = logging.getLogger("aml_jupyter.service")


@dataclass
class Pace:
    """Say when the next run is looked at, and hold the look that is under way."""

    due: float = 0.0
    looking: Future[None] | None = None


def list_files(service: Reconciler) -> None:
    """Have the runs looked at whose time has come."""
    pace, now = service.listing, time.monotonic()
    if now < pace.due or (pace.looking is not None and not pace.looking.done()):
        return
    due = [active for active in service.active.values() if active.listed_again_at <= now and _is_running(active)]
    if due:
        pace.looking = service.listings.submit(_look, service, pace, sorted(due, key=lambda each: each.listed_again_at))


def _is_running(active: ActiveRun) -> bool:
    if active.ending is not None or active.seen is None or active.seen.state != "running":
        return False
    return time.time() - float((active.seen.attempt or {}).get("started") or 0) >= SOONEST


def _look(service: Reconciler, pace: Pace, runs: list[ActiveRun]) -> None:
    """Look at one run after the other, until the time that all of them get for a second is used up."""
    began = time.thread_time()
    for active in runs:
        _list_one(service.folder, active, service.lease.epoch)
        if time.thread_time() - began > 1 / SHARE:
            break
    pace.due = time.monotonic() + SHARE * (time.thread_time() - began)


def _list_one(folder: WorkspaceFolder, active: ActiveRun, epoch: int) -> None:
    try:
        with active.listing:
            if active.is_over:
                return
            watch = watched_folders(active.run.definition)
            changed = index_files(folder, active.run.id, active.handle.attempt, watch=watch, epoch=epoch)
    except Exception:
        log.exception("run %s: its files could not be listed, trying again", active.run.id)
        active.listed_again_at = time.monotonic() + AGAIN_AFTER
        return
    pause = SOONEST if changed or not active.listing_pause else min(LATEST, 1.5 * active.listing_pause)
    active.listing_pause = pause
    active.listed_again_at = time.monotonic() + pause

"""Bring attempts to their end: take in the rest, index the files, and decide the run's last state."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.errors import AmlError
from aml_jupyter.service.active import ActiveRun, Ending
from aml_jupyter.service.ahead import note_end
from aml_jupyter.service.asked import discard_answers
from aml_jupyter.service.ingestion import ingest_all
from aml_jupyter.service.isolation import MOST_FAILURES, is_nobodys_fault, on_its_own
from aml_jupyter.service.unstarted import end_unstarted
from aml_jupyter.workspace import WorkspaceFolder, get_run, index_files, transition, update_attempt, update_run
from aml_jupyter.workspace.outcome import failure, outcome, watched_folders
from aml_jupyter.workspace.queue import runs_called

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["any_to_write", "begin_endings", "free_slots", "write_ends"]

AGAIN_AFTER = 1.0
"""Seconds after which an ending that failed is tried again; an error of this machine's doubles them each time."""

LONGEST_PAUSE = 30.0
"""Seconds to which they grow."""

MOST_TRIES = 8
"""How often files that cannot be kept here are fetched, before their run ends without them: for a minute and a half."""

_OF_THE_FILES: Final = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EBUSY,
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.EILSEQ,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENOTEMPTY,
        errno.EEXIST,
    }
)
"""Errors of names, rights and places, which do not pass by themselves as a full disk does."""

log = logging.getLogger("aml_jupyter.service")


def free_slots(service: Reconciler) -> None:
    """Let go of the slots of attempts that are over, so that who waits for them goes first and their ending follows."""
    for active in service.active.values():
        if active.slots_freed or not _is_over(active):
            continue
        service.last_end = time.monotonic()
        note_end(service, active)
        service.queue_may_move = True
        # A start that has not returned yet may still be sending the descriptors, and closes them itself.
        if active.starting is None or active.starting.done():
            active.backend.release(active.handle)
            active.slots_freed = True


def _is_over(active: ActiveRun) -> bool:
    return active.seen is not None and active.seen.state in ("ended", "lost")


def begin_endings(service: Reconciler) -> None:
    """Bring every attempt that is over to its end: here when little is left to do, else in the pool."""
    for active in service.active.values():
        if active.ending is not None or active.seen is None or not _is_over(active):
            continue
        if time.monotonic() < active.end_again_at:
            continue
        is_light = active.seen.state == "ended" and not active.backend.is_remote
        empty = _left_empty(service.folder, active) if is_light else None
        if empty is not None:
            active.ending = Future()
            try:
                active.ending.set_result(_end(service.folder, active, service.lease.epoch, False, empty))
            except Exception as error:
                active.ending.set_exception(error)
        else:
            pool = service.far_endings if active.backend.is_remote else service.endings
            active.ending = pool.submit(_end, service.folder, active, service.lease.epoch, index=True)
            active.ending.add_done_callback(lambda _: service.wakeup.wake())


_FILED: Final = ("work/outputs", "work/logs", "control/artifacts", "control/events")


def _left_empty(folder: WorkspaceFolder, active: ActiveRun) -> frozenset[str] | None:
    """Return which folders an attempt left empty, or None when it left so much behind that another thread should see to it."""
    attempt = f"{folder.layout.runs}/{active.run.id}/attempts/{active.handle.attempt}"
    count = size = 0
    empty = set(_FILED)
    for path in _FILED:
        try:
            with os.scandir(f"{attempt}/{path}") as entries:
                for entry in entries:
                    empty.discard(path)
                    count += 100 if entry.is_dir(follow_symlinks=False) else 1
                    size += entry.stat(follow_symlinks=False).st_size if path == "control/events" else 0
                    if count > 32 or size > 65536:
                        return None
        except OSError:
            continue
    watched = set(watched_folders(active.run.definition))
    return None if watched - {"outputs", "logs"} else frozenset(empty)


def _end(
    folder: WorkspaceFolder, active: ActiveRun, epoch: int, index: bool, empty: frozenset[str] = frozenset()
) -> Ending:
    """Do all that is needed before the last state can be written; may be done again from the start."""
    seen = active.seen
    assert seen is not None
    with active.listing:  # what was seen before the end is written before it
        active.is_over = True
    result = seen.result
    if result is None:
        result = active.backend.bury(active.handle, seen.message, _loss(seen.message, seen.attempt or {}))
    missing = _collect(active)
    discard_answers(folder, active.run.id, active.handle.attempt)
    try:
        if "control/events" not in empty:
            ingest_all(folder, active, epoch)
        if index:
            watch = watched_folders(active.run.definition)
            index_files(folder, active.run.id, active.handle.attempt, watch=watch, epoch=epoch)
    except Exception as error:
        if is_nobodys_fault(error) or active.failures < MOST_FAILURES:
            raise
        log.exception("run %s: its events or files are not all in the history", active.run.id)
        note = f"its metrics or files could not all be taken in: {type(error).__name__}: {error}"
        return Ending(result, False, note="; ".join(filter(None, [missing, note])))
    return Ending(result, not index, empty=empty, note=missing)


def _collect(active: ActiveRun) -> str:
    """Have all that the attempt made brought here; return what is missing when that was tried in vain for long."""
    try:
        active.backend.collect(active.handle)
    except OSError as error:
        if error.errno not in _OF_THE_FILES or active.end_tries < MOST_TRIES - 1:
            raise
        log.exception("run %s: not all of its files can be kept here", active.run.id)
        return f"not all of its files could be kept here ({_said(error)}); they stay on {active.backend.name}"
    return ""


def _said(error: OSError) -> str:
    where = f": {error.filename2 or error.filename}" if error.filename else ""
    return f"{error.strerror or error}{where}"


def _loss(reason: str, attempt: dict[str, Any]) -> str:
    if reason == "host rebooted":
        return f"The machine {attempt.get('host', '')} was rebooted while the run was under way."
    return "The run's supervisor ended without a result (it was killed, or the machine ran out of memory)."


def any_to_write(service: Reconciler) -> bool:
    """Tell whether there is a last state to write, or that an ending takes its time."""
    return any(
        active.ending is not None and (active.ending.done() or not active.finalizing_shown)
        for active in service.active.values()
    )


def write_ends(service: Reconciler, tx: sqlite3.Connection) -> None:
    """Write the last state of every attempt whose ending is ready."""
    for active in list(service.active.values()):
        if active.ending is not None and time.monotonic() >= active.again_at:
            with on_its_own(active, tx):
                _write_one(service, active, active.ending, tx)


def _write_one(service: Reconciler, active: ActiveRun, ending: Future[Ending], tx: sqlite3.Connection) -> None:
    if not ending.done():
        if not active.finalizing_shown and active.run.status in ("Running", "NotResponding"):
            active.run = transition(tx, active.run.id, "Finalizing", "")
        active.finalizing_shown = True
        return
    failure = ending.exception()
    if failure is not None:
        log.error("run %s: its end could not be written down, trying again", active.run.id, exc_info=failure)
        active.ending = None
        active.seen = None
        active.end_again_at = time.monotonic() + AGAIN_AFTER
        if isinstance(failure, AmlError):
            update_run(tx, active.run.id, reason=failure.message)
        elif isinstance(failure, OSError):
            active.end_again_at += min(AGAIN_AFTER * 2.0 ** min(active.end_tries, 10), LONGEST_PAUSE) - AGAIN_AFTER
            active.end_tries += 1
            update_run(tx, active.run.id, reason=f"waits to be ended: {_said(failure)}")
        elif not is_nobodys_fault(failure):
            active.failures += 1
        return
    if active.failures > MOST_FAILURES and active.failure is not None:
        _give_up(service, active, active.failure, tx)
        again = False
    else:
        again = _write_end(service.folder, active, ending.result(), tx)
    service.active.pop(active.run.id, None)
    released = not again and service.sweeps.release_next(tx, active.run.parent)
    if again or released:
        service.queue_may_move = True


def _give_up(service: Reconciler, active: ActiveRun, failure: Exception, tx: sqlite3.Connection) -> None:
    """End a run whose last state cannot be written as it is, with the cause."""
    run = get_run(tx, active.run.id)
    reason = f"its end could not be written down: {type(failure).__name__}: {failure}"
    error = {"type": type(failure).__name__, "message": f"{reason}. The service's log has more."}
    after = "Canceled" if run.cancel_requested is not None else "Failed"
    end_unstarted(service, tx, run, after, reason, error if after == "Failed" else None)


def _write_end(folder: WorkspaceFolder, active: ActiveRun, ending: Ending, tx: sqlite3.Connection) -> bool:
    """Write the end of one attempt; tell whether its run goes back into the queue."""
    (run,) = runs_called(tx, [active.run.id], labels=False)
    result = ending.result
    started = run.started or result.get("started")
    ended = float(result.get("ended") or time.time())
    if ending.index:
        watch = watched_folders(run.definition)
        index_files(folder, run.id, active.handle.attempt, watch=watch, tx=tx, empty=ending.empty)
    host = ((active.seen.attempt if active.seen else None) or {}).get("host")  # a short run's start was not written
    update_attempt(
        tx,
        run.id,
        active.handle.attempt,
        **({"node": host} if host else {}),
        started=result.get("started"),
        ended=ended,
        exit_code=result.get("exit_code"),
        signal=result.get("signal"),
        reason=result.get("reason"),
        peak_memory=result.get("peak_memory"),
        cpu_time=result.get("cpu_time"),
    )
    if run.status in ("Starting", "Preparing", "Provisioning") and result["reason"] != "start failed":
        run = transition(tx, run, "Running", "", started=started)
    if run.status == "NotResponding":
        run = transition(tx, run, "Finalizing", "")
    after, reason = outcome(result, run.reason if run.cancel_requested is not None else "")
    reason = "; ".join(filter(None, [reason, ending.note]))
    if after == "Failed" and run.attempt <= run.max_retries and run.cancel_requested is None:
        again = f"attempt {run.attempt} of {run.max_retries + 1} ended: {reason}; trying again"
        transition(tx, run, "Queued", again, error=None)
        return True
    error = None
    if after == "Failed":
        place = folder.layout.run(run.id).attempt(active.handle.attempt)
        error = failure(place, result, reason, run.error, run.definition)
    transition(
        tx,
        run,
        after,
        reason,
        ended=ended,
        started=started,
        exit_code=result.get("exit_code"),
        error=error,
    )
    return False

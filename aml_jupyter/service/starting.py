"""Take runs from the queue, in order, and get their attempts started."""

from __future__ import annotations

import errno
import logging
import sqlite3
import time
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

from aml_jupyter.errors import AmlError
from aml_jupyter.service import ahead, preparing
from aml_jupyter.service.active import ActiveRun, Full
from aml_jupyter.service.ahead import is_closed
from aml_jupyter.service.ingestion import ingest_all
from aml_jupyter.service.isolation import is_nobodys_fault
from aml_jupyter.service.launch import needs_of
from aml_jupyter.service.staging import AHEAD, is_quick, stage
from aml_jupyter.service.unstarted import end_unstarted, fail
from aml_jupyter.service.withdrawing import already_begun, next_handle, say, withdraw
from aml_jupyter.supervisor.nurse import NurseError
from aml_jupyter.targets import FarRefusal, Handle
from aml_jupyter.targets.container_start import ContainerKilled
from aml_jupyter.transports.docker_engine import EngineUnavailable
from aml_jupyter.transports.docker_images import ImageGone
from aml_jupyter.transports.ssh import HostUnreachable
from aml_jupyter.workspace import (
    RunRecord,
    TargetRecord,
    find_target,
    new_attempt,
    repeat_attempt,
    transition,
    update_run,
)
from aml_jupyter.workspace.queue import next_in_line, queued_targets

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["claim", "handle_of", "launch_ahead", "launch_claimed", "may_claim"]

NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)
START_AGAIN_AFTER = 2.0
"""Seconds after which a start that left no trace is repeated, doubled each time; it cannot run twice: see the attempt's link."""

MOST_STARTS = 5
"""How often a start is tried for which no supervisor could be had."""

MOST_PASSED = 50
"""How many waiting runs of a target, whose engine is away, may be passed by those behind them; each costs a look."""

FULL_FOR = 0.2
"""Seconds for which slots that were taken are believed to be, unless a run of ours has ended."""

log = logging.getLogger("aml_jupyter.service")


def handle_of(run: RunRecord) -> Handle:
    """Return the handle of the run's present attempt: a pure function of its row."""
    return Handle(run.target, run.id, run.attempt)


def may_claim(service: Reconciler) -> bool:
    """Tell whether a look at the queue is worth a transaction: it may have moved, or there may be room now."""
    service.look_again_soon = False
    return service.queue_may_move or not all(_is_believed_full(service, name) for name in service.waiting_on)


def claim(service: Reconciler, tx: sqlite3.Connection) -> None:
    """Give free room to the first in line of every target; the order within a target is strict."""
    service.look_again_soon = False
    waiting = []
    for name in queued_targets(tx) if service.queue_may_move else service.waiting_on:
        if not service.queue_may_move and _is_believed_full(service, name):
            waiting.append(name)
            continue
        record = next((each for each in service.targets if each.name == name), None) or find_target(tx, name)
        if record is None:
            _give_up(service, tx, name)
        elif _claim_on(service, tx, record):
            waiting.append(name)
    service.waiting_on, service.queue_may_move = waiting, False


def _give_up(service: Reconciler, tx: sqlite3.Connection, target: str) -> None:
    """End the runs that wait for a target which is not there any more."""
    while batch := next_in_line(tx, target, limit=100):
        for run in batch:
            end_unstarted(service, tx, run, "Canceled", f"compute target {target} was deleted")


def _claim_on(service: Reconciler, tx: sqlite3.Connection, record: TargetRecord) -> bool:
    """Claim runs of one target until its room is used up; tell whether some still wait for it.

    A run whose engine is away could not use a free slot: those behind it go first, and it keeps its place.
    """
    passed = claimed = 0
    if ahead.those_ahead(service, record.name):
        return _rest(service, record.name, next_in_line(tx, record.name, limit=AHEAD))
    while batch := next_in_line(tx, record.name, limit=passed + AHEAD + 1)[passed:]:
        while batch:
            obstacle = is_closed(record) or _still_full(service, batch[0])
            if obstacle is None and (claimed or record.name in service.quick) and _is_surely_full(service, record):
                if is_quick(service, batch[0]) and ahead.claim_ahead(service, tx, record, batch[0]):
                    return _rest(service, record.name, batch[1:])
                # Its turn comes soon: what it waits for is looked at, and said, if it is still there after a moment.
                service.full[record.name] = Full(
                    batch[0].id, f"waits for a free slot on {record.name}", time.monotonic()
                )
                service.next_up[record.name] = batch
                service.look_again_soon = True
                return True
            if obstacle is None:
                obstacle = _claim_safely(service, tx, batch[0])
                if obstacle and passed < MOST_PASSED and _lets_pass(service, batch[0]):
                    _explain(tx, batch.pop(0), obstacle)
                    passed += 1
                    continue
                if obstacle and not service.backend(record.name).is_remote:
                    service.full[record.name] = Full(batch[0].id, obstacle, time.monotonic())
            if obstacle:
                _explain(tx, batch[0], obstacle)
                service.next_up[record.name] = batch
                return not is_closed(record)  # a change of the target's row wakes us
            del batch[0]
            claimed += 1
    service.next_up.pop(record.name, None)
    return passed > 0


def _rest(service: Reconciler, target: str, batch: list[RunRecord]) -> bool:
    """Note who comes after the one that was claimed ahead; tell that somebody waits."""
    service.next_up[target] = batch
    return True


def _is_surely_full(service: Reconciler, record: TargetRecord) -> bool:
    """Tell whether the runs of ours that are under way on a target take all that it gives."""
    most = service.backend(record.name).max_parallel
    if most is None:
        return False
    ours = [active for active in service.active.values() if active.run.target == record.name and not active.slots_freed]
    return sum(active.run.cores for active in ours) >= most


def _lets_pass(service: Reconciler, run: RunRecord) -> bool:
    """Tell whether a run waits for something of its own, which the runs behind it need not have."""
    return service.backend(run.target).is_away(needs_of(run.definition))


def _still_full(service: Reconciler, run: RunRecord) -> str | None:
    """Return what the run was told a moment ago, when no slot of ours was freed since; looking again costs more."""
    full = service.full.get(run.target)
    return full.obstacle if full and full.first == run.id and _is_believed_full(service, run.target) else None


def _is_believed_full(service: Reconciler, target: str) -> bool:
    """Tell whether a target had no room a moment ago, and no slot of ours was freed since."""
    full = service.full.get(target)
    if full is None or service.last_end >= full.since or time.monotonic() - full.since >= FULL_FOR:
        return False
    service.look_again_soon = True
    return True


def _claim_safely(service: Reconciler, tx: sqlite3.Connection, run: RunRecord) -> str | None:
    """Claim a run; one with which something unexpected is wrong loses the turn once, and then fails alone."""
    if run.id not in service.suspects:
        try:
            return _claim_one(service, tx, run)
        except Exception as error:
            if not is_nobodys_fault(error):
                service.suspects.add(run.id)
            raise
    tx.execute("SAVEPOINT one_claim")
    try:
        obstacle = _claim_one(service, tx, run)
    except Exception as error:
        if is_nobodys_fault(error):
            raise
        log.exception("run %s could not be claimed", run.id)
        tx.execute("ROLLBACK TO one_claim")
        message = f"{type(error).__name__}: {error}"
        end_unstarted(service, tx, run, "Failed", message, {"type": type(error).__name__, "message": message})
        obstacle = None
    tx.execute("RELEASE one_claim")
    return obstacle


def _claim_one(service: Reconciler, tx: sqlite3.Connection, run: RunRecord) -> str | None:
    """Take room for `run` and mark it as starting, or return what it waits for."""
    try:
        backend = service.backend(run.target)
    except AmlError as error:
        text = {"type": type(error).__name__, "message": error.message}
        end_unstarted(service, tx, run, "Failed", error.message, text)
        return None
    handle = next_handle(tx, run)
    seen = already_begun(backend, run, handle)
    obstacle = None if seen else backend.reserve(handle, needs_of(run.definition))
    if obstacle:
        return obstacle
    try:
        if handle.attempt == run.attempt:
            repeat_attempt(tx, run.id, handle.attempt, service.lease.epoch)
        else:
            new_attempt(tx, run.id, service.lease.epoch, handle.as_dict())
        active = ActiveRun(replace(run, attempt=handle.attempt), handle, backend, seen=seen)
        active.run = transition(tx, active.run, "Starting" if preparing.is_ready(active) else "Preparing", "")
    except BaseException:
        backend.release(handle)
        raise
    service.active[run.id] = active
    return None


def _explain(tx: sqlite3.Connection, run: RunRecord, reason: str) -> None:
    if run.reason != reason:
        update_run(tx, run.id, reason=reason)


def launch_claimed(service: Reconciler) -> None:
    """Stage and start, in the pool, every attempt that was claimed or lost on its way."""
    for active in list(service.active.values()):
        if active.starting is not None:
            if active.starting.done():
                _started(service, active)
            continue
        if active.run.status not in ("Preparing", "Provisioning", "Starting"):
            continue
        if active.seen is not None and active.seen.state != "absent":
            continue
        if not preparing.is_prepared(active):
            continue
        if active.ahead_since is not None:
            continue
        obstacle = active.backend.reserve(active.handle, needs_of(active.run.definition))
        if obstacle is None:
            _begin(service, active)
        elif not withdraw(service, active):
            say(service, active, obstacle)


def launch_ahead(service: Reconciler) -> None:
    """Start what was claimed ahead and has room now, before anything is written down."""
    for active in ahead.those_with_room(service):
        service.queue_may_move = True
        _begin(service, active)


def _begin(service: Reconciler, active: ActiveRun) -> None:
    active.started_at = time.monotonic()
    active.starts += 1
    active.starting = _start_at_once(service, active) or _start_in_pool(service, active)
    active.starting.add_done_callback(lambda future: _wake_on_failure(service, future))


def _start_in_pool(service: Reconciler, active: ActiveRun) -> Future[None]:
    pool = service.far_starts if active.backend.is_remote else service.starts
    return pool.submit(_stage_and_start, service, active)


def _start_at_once(service: Reconciler, active: ActiveRun) -> Future[None] | None:
    """Start what is staged and takes a moment only: handing it to another thread would take longer."""
    if active.handle not in service.staged:
        return None
    starting: Future[None] = Future()
    try:
        if not active.backend.start_at_once(active.handle):
            return None
        starting.set_result(None)
    except Exception as error:
        starting.set_exception(error)
    service.staged.discard(active.handle)
    return starting


def _wake_on_failure(service: Reconciler, future: Future[None]) -> None:
    """Have a failed start looked at; one that went well is seen by the supervisor's own word."""
    if future.exception() is not None:
        service.wakeup.wake()


def _stage_and_start(service: Reconciler, active: ActiveRun) -> None:
    run, backend, handle = active.run, active.backend, active.handle
    begin = time.monotonic()
    if handle in service.staged:
        service.staged.discard(handle)
        backend.start(handle)
        active.started_at = time.monotonic()  # an engine may have taken its time
        return
    stage(service, run, backend, handle)
    preparing.keep_lock(service, active)
    backend.start(handle, (active.hold.descriptor,) if active.hold is not None else ())
    active.started_at = time.monotonic()
    active.hold = None
    if len(service.start_seconds) > 1000:
        service.start_seconds.clear()
    service.start_seconds[run.snapshot] = time.monotonic() - begin


def _started(service: Reconciler, active: ActiveRun) -> None:
    """Look at how staging and starting went."""
    assert active.starting is not None
    error = active.starting.exception()
    if error is not None and active.seen is not None and active.seen.state != "absent":
        active.starting = None  # it was started, though the word of it was lost
        return
    if error is None:
        if (active.seen is None or active.seen.state == "absent") and _has_waited(active):
            log.warning(
                "run %s: no trace of its start, starting attempt %d again", active.run.id, active.handle.attempt
            )
            active.starting = None
        return
    active.backend.release(active.handle)
    if isinstance(error, ImageGone) and active.starts < MOST_STARTS:
        preparing.prepare_again(active)
        active.starting = None
    elif _is_passing(error, active):
        _start_later(service, active, error)
    elif not active.backend.forbid(active.handle, str(error)):
        active.starting = None  # it has started after all
    else:
        log.error("run %s could not be started", active.run.id, exc_info=error)
        ingest_all(service.folder, active, service.lease.epoch)  # what was known of it before it was to start
        fail(service, active.run, error)


def _is_passing(error: BaseException, active: ActiveRun) -> bool:
    """Tell whether a start that failed may go well later: no room or no right to write, no process or no engine to be had."""
    causes = (error, error.__cause__)
    if any(isinstance(each, OSError) and each.errno in (errno.ENOSPC, errno.EDQUOT) for each in causes):
        return True
    if isinstance(error, FarRefusal) and isinstance(error.__cause__, OSError) and error.__cause__.errno in NO_RIGHT:
        return True  # a disk that was mounted anew, read-only; nothing can be forbidden there either
    if isinstance(error, EngineUnavailable | HostUnreachable):
        return True
    is_gone = isinstance(error, NurseError | ContainerKilled)
    could_not_fork = isinstance(error, FarRefusal) and error.kind == "nurse"
    return (is_gone or could_not_fork) and active.starts < MOST_STARTS


def _start_later(service: Reconciler, active: ActiveRun, error: BaseException) -> None:
    """Say what a run waits for, and start it again after a while."""
    say(service, active, f"waits to be started again: {error}")
    if _has_waited(active):
        active.starting = None


def _has_waited(active: ActiveRun) -> bool:
    """Tell whether the time has passed after which a start is repeated, longer for each one before."""
    return time.monotonic() - active.started_at > START_AGAIN_AFTER * 2.0 ** min(active.starts - 1, 5)

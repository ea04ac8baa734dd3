"""Bring attempts to their end: take in the rest, index the files, and decide the run's last state."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aml_jupyter.service.active import ActiveRun, Ending
from aml_jupyter.service.ingestion import ingest_all
from aml_jupyter.supervisor import protocol
from aml_jupyter.workspace import WorkspaceFolder, get_run, index_files, transition, update_attempt

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["begin_endings", "write_ends"]

LOG_TAIL_LINES = 20

log = logging.getLogger("aml_jupyter.service")


def begin_endings(service: Reconciler) -> None:
    """Bring every attempt that is over to its end: here when little is left to do, else in the pool."""
    for active in service.active.values():
        if active.ending is not None or active.seen is None or active.seen.state not in ("ended", "lost"):
            continue
        # Its start may not have returned yet, while the supervisor, whose slots they are, is through already.
        active.backend.release(active.handle)
        service.last_end = time.monotonic()
        if active.seen.state == "ended" and _is_small(service.folder, active):
            active.ending = Future()
            try:
                active.ending.set_result(_end(service.folder, active, service.lease.epoch))
            except Exception as error:
                active.ending.set_exception(error)
        else:
            active.ending = service.pool.submit(_end, service.folder, active, service.lease.epoch)
            active.ending.add_done_callback(lambda _: service.wakeup.wake())


def _is_small(folder: WorkspaceFolder, active: ActiveRun) -> bool:
    """Tell whether an attempt left so little behind that handing it to another thread would cost more."""
    attempt = f"{folder.layout.runs}/{active.run.id}/attempts/{active.handle.attempt}"
    count = size = 0
    for path in ("work/outputs", "work/logs", "control/artifacts", "control/events"):
        try:
            with os.scandir(f"{attempt}/{path}") as entries:
                for entry in entries:
                    count += 100 if entry.is_dir(follow_symlinks=False) else 1
                    size += entry.stat(follow_symlinks=False).st_size if path == "control/events" else 0
                    if count > 32 or size > 65536:
                        return False
        except OSError:
            continue
    return not [name for name in _watched(active.run.definition) if name not in ("outputs", "logs")]


def _end(folder: WorkspaceFolder, active: ActiveRun, epoch: int) -> Ending:
    """Do all that is needed before the last state can be written; may be done again from the start."""
    seen = active.seen
    assert seen is not None
    result = seen.result
    if result is None:
        result = active.backend.bury(active.handle, seen.message, _loss(seen.message, seen.attempt or {}))
    active.backend.collect(active.handle)
    ingest_all(folder, active, epoch)
    watch = _watched(active.run.definition)
    index_files(folder, active.run.id, active.handle.attempt, watch=watch)
    return Ending(result, _error(folder, active, result))


def _loss(reason: str, attempt: dict[str, Any]) -> str:
    if reason == "host rebooted":
        return f"The machine {attempt.get('host', '')} was rebooted while the run was under way."
    return "The run's supervisor ended without a result (it was killed, or the machine ran out of memory)."


def _watched(definition: dict[str, Any]) -> tuple[str, ...]:
    """Return the folders whose files are kept: outputs, and what the run configuration's history section names."""
    history = (definition.get("run_config") or {}).get("history") or {}
    return ("outputs", *(str(name) for name in history.get("directoriesToWatch") or ["logs"]))


def write_ends(service: Reconciler, tx: sqlite3.Connection) -> None:
    """Write the last state of every attempt whose ending is ready."""
    for active in list(service.active.values()):
        if active.ending is None:
            continue
        if not active.ending.done():
            if not active.finalizing_shown and active.run.status in ("Running", "NotResponding"):
                active.run = transition(tx, active.run.id, "Finalizing", "")
                active.finalizing_shown = True
            continue
        failure = active.ending.exception()
        if failure is not None:
            log.error("run %s: its end could not be written down, trying again", active.run.id, exc_info=failure)
            active.ending = None
            active.seen = None
            continue
        _write_end(active, active.ending.result(), tx)
        service.active.pop(active.run.id, None)
        service.queue_may_move = True


def _write_end(active: ActiveRun, ending: Ending, tx: sqlite3.Connection) -> None:
    run = get_run(tx, active.run.id)
    result = ending.result
    started = run.started or result.get("started")
    ended = float(result.get("ended") or time.time())
    update_attempt(
        tx,
        run.id,
        active.handle.attempt,
        started=result.get("started"),
        ended=ended,
        exit_code=result.get("exit_code"),
        signal=result.get("signal"),
        reason=result.get("reason"),
        peak_memory=result.get("peak_memory"),
        cpu_time=result.get("cpu_time"),
    )
    if run.status in ("Starting", "Preparing", "Provisioning") and result["reason"] != "start failed":
        run = transition(tx, run.id, "Running", "", started=started)
    if run.status != "Finalizing":
        run = transition(tx, run.id, "Finalizing", "")
    after, reason = _outcome(run.cancel_requested is not None, run.reason, result)
    if after == "Failed" and run.attempt <= run.max_retries:
        transition(
            tx, run.id, "Queued", f"attempt {run.attempt} of {run.max_retries + 1} ended: {reason}; trying again"
        )
        return
    transition(
        tx,
        run.id,
        after,
        reason,
        ended=ended,
        started=started,
        exit_code=result.get("exit_code"),
        error={**(ending.error or {}), "message": reason} if after == "Failed" else None,
    )


def _outcome(cancel_requested: bool, cancel_reason: str, result: dict[str, Any]) -> tuple[str, str]:
    """Return the last state and why.

    What the supervisor wrote decides: a process that ended by itself before the cancel reached it keeps its own outcome.
    """
    reason, code, message = result["reason"], result.get("exit_code"), str(result.get("message") or "")
    if reason == "canceled":
        return "Canceled", message or cancel_reason or "canceled"
    if reason == "exit" and code == 0:
        return "Completed", ""
    texts = {
        "exit": f"the process ended with exit code {code}",
        "signal": f"the process was ended by signal {result.get('signal')}",
        "timeout": "the run took longer than max_run_duration_seconds and was ended",
        "out of memory": "the process was killed because the machine ran out of memory",
        "start failed": "the process could not be started",
        "supervisor lost": "the run's supervisor was lost",
        "host rebooted": "the host was rebooted",
    }
    text = texts.get(reason, reason)
    return "Failed", f"{text}: {message}" if message and reason != "exit" else text


def _error(folder: WorkspaceFolder, active: ActiveRun, result: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a failed run has to show: the end of its log, and where the log is."""
    if result["reason"] == "exit" and result.get("exit_code") == 0:
        return None
    path = folder.layout.run(active.run.id).attempt(active.handle.attempt).control / protocol.LOG
    return {"type": result["reason"], "log_tail": _tail(path), "log_path": str(path)}


def _tail(path: Path, size: int = 16384) -> str:
    """Return the last lines of a log, reading only its end."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - size))
            text = stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])

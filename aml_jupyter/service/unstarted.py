"""End runs that never started, for which no supervisor has written a result."""

from __future__ import annotations

import sqlite3
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aml_jupyter.errors import AmlError
from aml_jupyter.workspace import RunRecord, append_change, transition
from aml_jupyter.workspace.outcome import log_tail

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["end_unstarted", "fail"]


def fail(
    service: Reconciler,
    run: RunRecord,
    error: BaseException,
    tx: sqlite3.Connection | None = None,
    log_path: Path | None = None,
) -> None:
    """End a run that could not be started, in the transaction `tx` or in one of its own; `log_path` tells more."""
    message = error.message if isinstance(error, AmlError) else f"{type(error).__name__}: {error}"
    after = "Canceled" if run.cancel_requested else "Failed"
    text: dict[str, Any] | None = None
    if after != "Canceled":
        text = {"type": type(error).__name__, "message": message}
        if log_path is not None:
            text |= {"log_tail": log_tail(log_path), "log_path": str(log_path)}
    with nullcontext(tx) if tx is not None else service.folder.store.transaction(epoch=service.lease.epoch) as writer:
        end_unstarted(service, writer, run, after, message, text)
    service.active.pop(run.id, None)
    service.queue_may_move = True


def end_unstarted(
    service: Reconciler,
    tx: sqlite3.Connection,
    run: RunRecord,
    after: str,
    reason: str,
    error: dict[str, Any] | None = None,
) -> None:
    """Write the end of a run that no ``result.json`` explains."""
    now = time.time()
    change = {"op": "end", "status": after, "reason": reason, "ended": now, "error": error}
    append_change(service.folder, run.id, change)
    transition(tx, run.id, after, reason, ended=now, error=error)

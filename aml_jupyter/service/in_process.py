"""End interactive runs (``start_logging``) whose process is gone: nothing else would ever end them."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from aml_jupyter.supervisor import identity
from aml_jupyter.workspace import WorkspaceFolder, append_change, open_runs, transition

__all__ = ["describe_process", "end_lost_runs"]


def describe_process() -> dict[str, Any]:
    """Return what `end_lost_runs` needs to know about this process; it is kept in the run's definition."""
    return {
        "host": socket.gethostname(),
        "boot_id": identity.boot_id(),
        "pid_namespace": identity.pid_namespace(),
        "supervisor": identity.describe(os.getpid()),
    }


def end_lost_runs(folder: WorkspaceFolder) -> list[str]:
    """Fail the interactive runs whose process has ended without saying so, and return their ids.

    A process of another host or pid namespace cannot be judged from here; its runs stay as they are.
    """
    lost = [run for run in open_runs(folder.store.read()) if _is_lost(run.definition.get("process"))]
    for run in lost:
        reason = "the process that it ran in ended without run.complete() or run.fail()"
        now = time.time()
        with folder.store.transaction() as tx:
            transition(tx, run.id, "Failed", reason, ended=now, error={"type": "ProcessLost", "message": reason})
        append_change(folder, run.id, {"op": "end", "status": "Failed", "reason": reason, "ended": now})
    return [run.id for run in lost]


def _is_lost(process: dict[str, Any] | None) -> bool:
    if process is None or process["host"] != socket.gethostname():
        return False
    if process["boot_id"] == identity.boot_id() and process["pid_namespace"] != identity.pid_namespace():
        return False
    return not identity.is_alive(process)

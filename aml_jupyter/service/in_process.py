"""Own what the service's loop does not do for interactive runs (``start_logging``), whose process is the user's own.

Takes in what they log, and ends those whose process is gone: nothing else would.
"""

from __future__ import annotations

import os
import time
from typing import Any

from aml_jupyter.supervisor import identity, protocol
from aml_jupyter.workspace import WorkspaceFolder, append_change, cursor, get_run, ingest_events, transition
from aml_jupyter.workspace.queue import open_in_process_runs
from aml_jupyter.workspace.states import FINAL

__all__ = ["LOST", "describe_process", "end_lost_runs", "ingest_in_process"]

LOST = "the process that it ran in ended without run.complete() or run.fail()"


def describe_process() -> dict[str, Any]:
    """Return what `end_lost_runs` needs to know about this process; it is kept in the run's definition."""
    return {**identity.here(), "supervisor": identity.describe(os.getpid())}


def ingest_in_process(folder: WorkspaceFolder, run_id: str) -> None:
    """Take what the run has logged since the last time into the run history."""
    control = folder.layout.run(run_id).attempt(1).control
    for name in protocol.events_files(str(control)):
        offset = cursor(folder.store.read(), run_id, 1, name)
        with open(control / protocol.EVENTS / name, "rb") as stream:
            stream.seek(offset)
            data = stream.read()
        if data:
            ingest_events(folder.store, run_id, 1, name, offset, data)


def end_lost_runs(folder: WorkspaceFolder) -> list[str]:
    """Fail the interactive runs whose process has ended without saying so, and return their ids.

    A process of another host or pid namespace cannot be judged from here; its runs stay as they are.
    """
    ended = []
    for run in open_in_process_runs(folder.store.read()):
        if not _is_lost(run.definition.get("process")):
            continue
        ingest_in_process(folder, run.id)
        now = time.time()
        error = {"type": "ProcessLost", "message": LOST}
        with folder.store.transaction() as tx:
            if get_run(tx, run.id).status in FINAL:  # somebody else has just found it
                continue
            append_change(
                folder, run.id, {"op": "end", "status": "Failed", "reason": LOST, "ended": now, "error": error}
            )
            transition(tx, run.id, "Failed", LOST, ended=now, error=error)
        ended.append(run.id)
    return ended


def _is_lost(process: dict[str, Any] | None) -> bool:
    if process is None or identity.is_elsewhere(process):
        return False
    if process["boot_id"] == identity.boot_id() and process["pid_namespace"] != identity.pid_namespace():
        return False
    return not identity.is_alive(process)

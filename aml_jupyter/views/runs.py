"""Own the list of runs, and the fields of a run in JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aml_jupyter.supervisor import protocol
from aml_jupyter.views.formats import clock_text, duration_text, iso_time, json_value
from aml_jupyter.views.metrics import brief_metrics
from aml_jupyter.views.text import Column
from aml_jupyter.views.view import TableView
from aml_jupyter.workspace import find_runs, places_in_line
from aml_jupyter.workspace.states import WAITING

if TYPE_CHECKING:
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["RunRow", "progress_text", "run_fields", "run_rows", "state_text"]

COLUMNS = (
    Column("run"),  # never cut: it is copied from here
    Column("name", least=8),
    Column("experiment", least=8),
    Column("status"),
    Column("target", least=6),
    Column("created"),
    Column("took", right=True),
    Column("remark", least=10),
)


@dataclass(frozen=True)
class RunRow:
    """Describe one run in a list."""

    run: RunRecord
    metric_values: Mapping[str, Any]
    place: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the same fields as the view of the run."""
        return run_fields(self.run, self.metric_values, self.place)

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column."""
        run = self.run
        name = "" if run.display_name in ("", f"run_{run.id}") else run.display_name
        took = duration_text((run.ended or time.time()) - run.started) if run.started is not None else ""
        remark = progress_text(run) or (run.error or {}).get("message", "") or run.reason
        if self.place is not None:
            remark = f"no. {self.place} in line" + (f": {run.reason}" if run.reason else "")
        first = str(remark).strip().splitlines()
        return (
            run.id,
            name,
            run.experiment,
            run.status,
            run.target,
            clock_text(run.created),
            took,
            first[0] if first and run.status != "Completed" else "",
        )


def run_rows(folder: WorkspaceFolder, with_metrics: bool = True, **filters: Any) -> TableView[RunRow]:
    """Return the runs that `filters` leave, the newest first.

    Parameters
    ----------
    with_metrics : bool
        Read the runs' metrics too (JSON has them, the table does not).
    filters
        What `workspace.find_runs` takes: experiment, status, target, parent, tags, include_hidden, children, last,
        before_seq.
    """
    db = folder.store.read()
    found = find_runs(db, **filters)
    places = places_in_line(db) if any(run.status in WAITING for run in found) else {}
    rows = tuple(
        RunRow(
            run,
            brief_metrics(db, run.id) if with_metrics else {},
            places.get(run.id),
        )
        for run in found
    )
    is_filtered = any(filters.get(name) for name in ("experiment", "status", "target", "parent", "tags", "before_seq"))
    empty = "no such runs" if is_filtered else "no runs; submit one with: aml submit SCRIPT.py"
    return TableView(rows, COLUMNS, empty)


def _logged_parameters(run: RunRecord) -> dict[str, str]:
    """Return the parameters that the run has logged with MLflow."""
    begin = protocol.LOGGED_PARAMETER
    return {name[len(begin) :]: value for name, value in run.properties.items() if name.startswith(begin)}


def run_fields(run: RunRecord, metrics: Mapping[str, Any], place: int | None) -> dict[str, Any]:
    """Return a run's fields under their stable names; metrics have SDK v1's shape."""
    definition = run.definition
    return {
        "id": run.id,
        "parent": run.parent,
        "experiment": run.experiment,
        "status": run.status,
        "target": run.target,
        "attempt": run.attempt,
        "exit_code": run.exit_code,
        "start_time": iso_time(run.started),
        "end_time": iso_time(run.ended),
        "metrics": dict(metrics),
        "parameters": json_value({**(definition.get("parameters") or {}), **_logged_parameters(run)}),
        "snapshot": run.snapshot,
        "error": json_value(run.error),
        "display_name": run.display_name,
        "number": run.number,
        "kind": run.kind,
        "reason": run.reason,
        "place_in_line": place,
        "progress": json_value(run.progress),
        "priority": run.priority,
        "cores": run.cores,
        "gpus": definition.get("gpus") or 0,
        "memory": definition.get("memory") or 0,
        "created_time": iso_time(run.created),
        "queued_time": iso_time(run.queued),
        "cancel_requested_time": iso_time(run.cancel_requested),
        "script": definition.get("script"),
        "command": definition.get("command"),
        "arguments": definition.get("arguments") or [],
        "source_directory": definition.get("source_directory"),
        "max_retries": run.max_retries,
        "tags": dict(run.tags),
        "properties": {
            name: value for name, value in run.properties.items() if not name.startswith(protocol.LOGGED_PARAMETER)
        },
        "hidden": run.hidden,
        "seq": run.seq,
    }


def progress_text(run: RunRecord) -> str:
    """Return how far the run is, for example ``cell 7 of 12``; empty when it does not say, or has ended well."""
    progress = run.progress or {}
    if "done" not in progress or run.status == "Completed":
        return ""
    unit = progress.get("unit") or "step"
    total = progress.get("total")
    said = f"{unit} {progress['done']} of {total}" if total else f"{unit} {progress['done']}"
    message = str(progress.get("message") or "")
    if message.startswith(f"{unit} "):
        return message  # it counts by itself
    return said + (f": {message}" if message else "")


def state_text(run: RunRecord, place: int | None) -> str:
    """Return the state with its reason and, for a run that waits, its place in line."""
    parts = [run.status]
    if place is not None:
        parts.append(f"no. {place} in line on {run.target}")
    if run.reason and not (run.status == "Failed" and run.error):
        parts.append(run.reason)
    return ", ".join(parts)

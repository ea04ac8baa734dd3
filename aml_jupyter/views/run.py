"""Own the view of one run: everything that a page about it shows, read in one go."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.environments import python_of
from aml_jupyter.errors import UserErrorException
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.control_files import read_attempt
from aml_jupyter.views.formats import iso_time, json_value
from aml_jupyter.views.logs import LogTail, read_tail
from aml_jupyter.views.metrics import MetricView, artifact_names, brief_metrics, metric_views
from aml_jupyter.views.run_html import run_html
from aml_jupyter.views.run_text import run_text
from aml_jupyter.views.runs import RunRow, run_fields
from aml_jupyter.views.typed_charts import TypedChart, typed_charts
from aml_jupyter.workspace import (
    artifact_path,
    attempts,
    count_children,
    find_runs,
    get_run,
    list_artifacts,
    place_in_line,
    transitions,
)
from aml_jupyter.workspace.files_there import files_there
from aml_jupyter.workspace.states import FINAL, WAITING

if TYPE_CHECKING:
    from aml_jupyter.views.sweep import SweepView
    from aml_jupyter.workspace import ArtifactRecord, AttemptRecord, RunRecord, TransitionRecord, WorkspaceFolder

__all__ = ["RUN_TYPE", "RunView", "brief_run_view", "log_path", "outputs_of", "run_view"]


RUN_TYPE: Final = "application/vnd.aml.run.v1+json"
"""MIME type of an output that the JupyterLab extension shows live."""


@dataclass(frozen=True)
class RunView:
    """Describe one run as it stood at `as_of` (Unix seconds)."""

    run: RunRecord
    as_of: float
    workspace: str
    workspace_root: Path
    place: int | None
    """Place in line from 1; None when the run does not wait."""
    attempts: tuple[AttemptRecord, ...]
    timeline: tuple[TransitionRecord, ...]
    log: LogTail | None
    metrics: tuple[MetricView, ...]
    metric_values: dict[str, Any]
    images: tuple[tuple[str, Path], ...]
    """The images that the run logged: metric and file."""
    charts: tuple[TypedChart, ...]
    """The typed charts that the run logged and whose files are there."""
    outputs: tuple[ArtifactRecord, ...]
    children: tuple[RunRow, ...]
    child_count: int = 0
    gpus: tuple[str, ...] = ()
    """The GPUs that the newest attempt has or had."""
    sweep: SweepView | None = None
    """What it samples and what its children reached, where it is a sweep."""

    @property
    def final(self) -> bool:
        """Tell whether the run has ended."""
        return self.run.status in FINAL

    @property
    def node(self) -> str | None:
        """Return the machine that the newest attempt runs on."""
        return self.attempts[-1].node if self.attempts else None

    @property
    def python(self) -> str:
        """Return which Python runs the run, and why that one; empty where none is known."""
        return python_of(self.run.definition)

    @property
    def elapsed(self) -> float | None:
        """Return how many seconds the run has run, or has waited for its start; None when it never started."""
        if self.run.started is not None:
            return (self.run.ended or self.as_of) - self.run.started
        return None if self.final else self.as_of - (self.run.queued or self.run.created)

    @property
    def command(self) -> str:
        """Return the command that shows the run as it is now."""
        return f"aml run show {self.run.id}"

    def as_json(self) -> dict[str, Any]:
        """Return the run's fields, `id, parent, experiment, status, target, attempt, exit_code` and so on first."""
        return {
            **run_fields(self.run, self.metric_values, self.place),
            "as_of": iso_time(self.as_of),
            "workspace": self.workspace,
            "node": self.node,
            "python": self.python or None,
            "gpu_list": list(self.gpus),
            "log_path": str(self.log.path) if self.log else None,
            "log_tail": self.log.plain() if self.log else [],
            "outputs": [
                {"name": artifact.name, "size": artifact.size, "modified": iso_time(artifact.modified)}
                for artifact in self.outputs
            ],
            "children": [child.run.id for child in self.children],
            "child_count": self.child_count,
            "sweep": None if self.sweep is None else self.sweep.as_json(),
            "attempts": [_attempt_json(attempt) for attempt in self.attempts],
            "timeline": [
                {
                    "time": iso_time(change.time),
                    "attempt": change.attempt,
                    "before": change.before,
                    "after": change.after,
                    "reason": change.reason,
                }
                for change in self.timeline
            ],
        }

    def as_text(self, width: int = 80) -> str:
        """Return the run for a terminal."""
        return run_text(self, width)

    def as_bundle(self, files_url: str | None = None) -> dict[str, Any]:
        """Return what a notebook keeps of the run: what it is for a front end that asks the server, HTML, and text.

        Parameters
        ----------
        files_url : str, optional
            As for `as_html`.
        """
        return {
            RUN_TYPE: {"version": 1, "workspace": self.workspace, "run_id": self.run.id},
            "text/html": self.as_html(files_url),
            "text/plain": self.as_text(),
        }

    def as_html(self, files_url: str | None = None) -> str:
        """Return the run for a notebook.

        Parameters
        ----------
        files_url : str, optional
            Where the run's files are served, with a slash at the end; outputs become links then.
        """
        return run_html(self, files_url)


def brief_run_view(folder: WorkspaceFolder, run_id: str) -> RunView:
    """Return the run `run_id` without what has a page of its own: log, metrics, outputs, children.

    Raises
    ------
    UserErrorException
        When there is no such run.
    """
    db = folder.store.read()
    run = get_run(db, run_id)
    return RunView(
        run=run,
        as_of=time.time(),
        workspace=folder.id,
        workspace_root=Path(folder.root),
        place=place_of(db, run),
        attempts=tuple(attempts(db, run_id)),
        timeline=tuple(transitions(db, run_id)),
        log=None,
        metrics=(),
        metric_values={},
        images=(),
        charts=(),
        outputs=(),
        children=(),
        child_count=count_children(db, run_id),
        gpus=_gpus(folder, run),
    )


def run_view(folder: WorkspaceFolder, run_id: str, log_lines: int = 20) -> RunView:
    """Return the run `run_id` with the last `log_lines` lines of its log.

    Raises
    ------
    UserErrorException
        When there is no such run.
    """
    db = folder.store.read()
    run = get_run(db, run_id)
    path = log_path(folder, run)
    metrics = metric_views(db, run_id)
    children = find_runs(db, parent=run_id, include_hidden=True, children=True)
    return replace(
        brief_run_view(folder, run_id),
        log=read_tail(path, log_lines) if path is not None else None,
        metrics=metrics,
        metric_values=brief_metrics(db, run_id),
        images=tuple(_images(folder, metrics)),
        charts=typed_charts(folder, metrics),
        outputs=tuple(outputs_of(folder, run_id)),
        children=tuple(RunRow(child, {}) for child in children),
        sweep=_sweep(folder, run),
    )


def outputs_of(folder: WorkspaceFolder, run_id: str) -> Iterator[ArtifactRecord]:
    """Yield the files of a run's current attempt, with where those are that stayed on another machine."""
    away = files_there(folder, run_id)
    for record in list_artifacts(folder.store.read(), run_id):
        file = away.get(record.name)
        yield record if file is None else replace(record, target=file.target, sha256=file.sha256)


def log_path(folder: WorkspaceFolder, run: RunRecord, attempt: int | None = None) -> Path | None:
    """Return where the log of the run's newest (or the given) attempt lies; None before its first attempt.

    Until the script has started that is the log of its environment's build, where there is one.
    """
    number = run.attempt if attempt is None else attempt
    if not number:
        return None
    control = Path(folder.layout.run(run.id).attempt(number).control)
    log, build = control / protocol.LOG, control / protocol.BUILD_LOG
    return build if not log.exists() and build.exists() else log


def place_of(db: sqlite3.Connection, run: RunRecord) -> int | None:
    """Return the run's place in line, or None when it does not wait."""
    return place_in_line(db, run.id) if run.status in WAITING else None


def _gpus(folder: WorkspaceFolder, run: RunRecord) -> tuple[str, ...]:
    if not run.definition.get("gpus") or not run.attempt:
        return ()
    told = (read_attempt(str(folder.layout.run(run.id).attempt(run.attempt).control)) or {}).get("gpus")
    return tuple(map(str, told)) if isinstance(told, list) else ()


def _sweep(folder: WorkspaceFolder, run: RunRecord) -> SweepView | None:
    if "sweep" not in run.definition:
        return None
    from aml_jupyter.views.sweep import sweep_view  # here: other runs need nothing of it

    return sweep_view(folder, run)


def _images(folder: WorkspaceFolder, metrics: tuple[MetricView, ...]) -> Iterator[tuple[str, Path]]:
    for metric in metrics:
        for name in artifact_names(metric.record) if metric.record.kind == "image" else ():
            with suppress(UserErrorException):  # logged, but its file is not there (any more)
                yield metric.record.name, artifact_path(folder, metric.record.run, name)


def _attempt_json(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "node": attempt.node,
        "start_time": iso_time(attempt.started),
        "end_time": iso_time(attempt.ended),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "reason": attempt.reason,
        "peak_memory": attempt.peak_memory,
        "cpu_time": json_value(attempt.cpu_time),
    }

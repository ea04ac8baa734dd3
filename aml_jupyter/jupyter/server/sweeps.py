"""Answer for sweeps that run: pause and go on, give them more, add a child by hand. A child is stopped as any run is canceled."""

from __future__ import annotations

from typing import Any, Literal

from aml_jupyter.service.sweep_actions import add_to_sweep, extend_sweep, pause_sweep
from aml_jupyter.service.sweeps import KIND
from aml_jupyter.views import as_json, brief_run_view, sweep_settings
from aml_jupyter.workspace import RunRecord, WorkspaceFolder
from aml_jupyter.workspace.states import FINAL

from .answers import RunAnswer, SweepAnswer
from .base import Handler
from .bodies import NoBody, SweepChildBody, SweepLimitsBody
from .endpoint import endpoint
from .errors import Conflict, NotFound
from .runs import existing_run

__all__ = ["SweepChildren", "SweepLimits", "SweepPause", "SweepSettings", "added", "extended", "paused", "settings_of"]


class SweepSettings(Handler):
    """``runs/{id}/sweep``: what can be changed about a sweep."""

    @endpoint(SweepAnswer)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """Show its limits, whether it is paused, and the axes of its parameters."""
        folder = await self.folder(workspace_id)
        self.answer(folder, run=run_id, sweep=await self.call(settings_of, folder, run_id))


class SweepPause(Handler):
    """``runs/{id}/sweep/pause`` and ``resume``: start no more children, or go on."""

    @endpoint(RunAnswer, 202, body=NoBody)
    async def post(self, workspace_id: str, run_id: str, action: Literal["pause", "resume"]) -> None:
        """Do it; children that run are left alone."""
        folder = await self.folder(workspace_id)
        self.answer(folder, run=await self.call(paused, folder, run_id, action == "pause"))


class SweepLimits(Handler):
    """``runs/{id}/sweep/limits``: more runs, more time, more at once."""

    @endpoint(RunAnswer, 202, body=SweepLimitsBody)
    async def post(self, workspace_id: str, run_id: str) -> None:
        """Set limits. A sweep that has ended stays as it is: the answer is a new one that goes on with its results."""
        body = self.body(SweepLimitsBody)
        folder = await self.folder(workspace_id)
        self.answer(folder, run=await self.call(extended, folder, run_id, body))


class SweepChildren(Handler):
    """``runs/{id}/sweep/children``: children that a person adds."""

    @endpoint(RunAnswer, 202, body=SweepChildBody)
    async def post(self, workspace_id: str, run_id: str) -> None:
        """Add a child with chosen parameters; it is the next one that the sweep starts."""
        body = self.body(SweepChildBody)
        folder = await self.folder(workspace_id)
        self.answer(folder, run=await self.call(added, folder, run_id, body))


def settings_of(folder: WorkspaceFolder, run_id: str) -> dict[str, Any]:
    """Return what can be changed about a sweep."""
    return sweep_settings(folder, _sweep(folder, run_id)).as_json()


def paused(folder: WorkspaceFolder, run_id: str, pause: bool) -> dict[str, Any]:
    """Let a sweep start no more children, or go on, and return its run."""
    return _shown(folder, pause_sweep(folder, _open_sweep(folder, run_id).id, pause).id)


def extended(folder: WorkspaceFolder, run_id: str, body: SweepLimitsBody) -> dict[str, Any]:
    """Give a sweep other limits, and return its run, or that of the sweep that goes on."""
    after = extend_sweep(
        folder,
        _sweep(folder, run_id).id,
        max_total_runs=body.max_total_runs,
        max_concurrent_runs=body.max_concurrent_runs,
        max_duration_minutes=body.max_duration_minutes,
    )
    return _shown(folder, after.id)


def added(folder: WorkspaceFolder, run_id: str, body: SweepChildBody) -> dict[str, Any]:
    """Add a child to a sweep, and return the sweep's run."""
    return _shown(folder, add_to_sweep(folder, _open_sweep(folder, run_id).id, body.parameters).id)


def _sweep(folder: WorkspaceFolder, run_id: str) -> RunRecord:
    run = existing_run(folder, run_id)
    if run.kind != KIND:
        raise NotFound(f"Run {run.id} is not a sweep but of kind {run.kind!r}.", "run")
    return run


def _open_sweep(folder: WorkspaceFolder, run_id: str) -> RunRecord:
    run = _sweep(folder, run_id)
    if run.status in FINAL:
        raise Conflict(
            f"Sweep {run.id} has ended ({run.status}). Extending it makes a sweep that goes on where it ended.", "run"
        )
    return run


def _shown(folder: WorkspaceFolder, run_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = as_json(brief_run_view(folder, run_id))
    return shown

"""Answer for what the page of a run reads on demand: children, details, snapshot; and for runs side by side."""

from __future__ import annotations

from typing import Any, Final

from aml_jupyter.errors import UserErrorException
from aml_jupyter.views import as_json, children_view, run_comparison, run_details, snapshot_files
from aml_jupyter.workspace import WorkspaceFolder

from .answers import ChildrenAnswer, ComparisonAnswer, DetailsAnswer, PageAnswer, SnapshotAnswer
from .base import Handler
from .bodies import ChildrenQuery, CompareQuery, SnapshotQuery
from .endpoint import endpoint
from .runs import existing_run

__all__ = ["Compare", "RunChildren", "RunDetails", "RunPage", "RunSnapshot", "listed_ids", "sweep_page"]

COMPARED: Final = 20
"""How many runs stand side by side at the most."""
LISTED: Final = 500
"""How many children may be named in one question."""


class RunChildren(Handler):
    """``runs/{id}/children``: the runs that a run has started."""

    @endpoint(ChildrenAnswer, query=ChildrenQuery)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """List them as columns, oldest first."""
        query = self.query(ChildrenQuery)
        folder = await self.folder(workspace_id)
        await self.call(existing_run, folder, run_id)
        only = listed_ids(query)
        self.answer(folder, run=run_id, children=(await self.call(children_view, folder, run_id, only)).as_json())


class RunDetails(Handler):
    """``runs/{id}/details``: what the run was told to do."""

    @endpoint(DetailsAnswer)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """Show its configuration and the lock of its environment."""
        folder = await self.folder(workspace_id)
        await self.call(existing_run, folder, run_id)
        self.answer(folder, run=run_id, **(await self.call(run_details, folder, run_id)).as_json())


class RunPage(Handler):
    """``runs/{id}/page``: a sweep's facts and charts, beside what its live view draws itself."""

    @endpoint(PageAnswer)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """Draw it."""
        folder = await self.folder(workspace_id)
        await self.call(existing_run, folder, run_id)
        self.answer(folder, run=run_id, html=await self.call(sweep_page, folder, run_id))


class RunSnapshot(Handler):
    """``runs/{id}/snapshot``: the files that the run was submitted with."""

    @endpoint(SnapshotAnswer, query=SnapshotQuery)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """List the files, and what differs from another run's."""
        query = self.query(SnapshotQuery)
        folder = await self.folder(workspace_id)
        await self.call(existing_run, folder, run_id)
        self.answer(folder, run=run_id, **(await self.call(snapshot_files, folder, run_id, query.other)).as_json())


class Compare(Handler):
    """``compare``: runs side by side."""

    @endpoint(ComparisonAnswer, query=CompareQuery)
    async def get(self, workspace_id: str) -> None:
        """Compare what the runs were given and what came out."""
        query = self.query(CompareQuery)
        folder = await self.folder(workspace_id)
        self.answer(folder, comparison=await self.call(_compared, folder, query))


def sweep_page(folder: WorkspaceFolder, run_id: str) -> str:
    """Return what a live view shows of a sweep beside what it draws itself, as script-free HTML; empty for any other run."""
    from aml_jupyter.views.sweep import sweep_view
    from aml_jupyter.views.sweep_page import sweep_html

    run = existing_run(folder, run_id)
    return str(sweep_html(sweep_view(folder, run), is_live=True)) if "sweep" in run.definition else ""


def listed_ids(query: ChildrenQuery) -> list[str]:
    """Return the children that a query names; none means all."""
    return _ids(query.run, "run", LISTED) if query.run is not None else []


def _compared(folder: WorkspaceFolder, query: CompareQuery) -> dict[str, Any]:
    ids = _ids(query.runs, "runs", COMPARED)
    if len(ids) < 2:
        raise UserErrorException("runs: give the ids of two runs or more, with commas between them.", "runs")
    for run_id in ids:
        existing_run(folder, run_id)
    shown: dict[str, Any] = as_json(run_comparison(folder, ids, query.only_differences))
    return shown


def _ids(written: str, field: str, most: int) -> list[str]:
    ids = list(dict.fromkeys(part.strip() for part in written.split(",") if part.strip()))
    if not ids or len(ids) > most:
        raise UserErrorException(f"{field}: {len(ids)} ids were given; give at least one and at most {most}.", field)
    return ids

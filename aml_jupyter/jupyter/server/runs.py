"""Answer for runs: list, submit, show, cancel, resubmit, tag."""

from __future__ import annotations

from typing import Any

from aml_jupyter.errors import UserErrorException, nearest
from aml_jupyter.service import cancel_run, resubmit_run, submit, tag_run
from aml_jupyter.views import as_json, brief_run_view, run_rows, run_view
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run
from aml_jupyter.workspace.states import FINAL, RUN_STATES

from .answers import RunAnswer, RunsAnswer, SubmittedAnswer
from .base import Handler
from .bodies import CancelBody, NoBody, RunQuery, RunsQuery, SubmitBody, TagsBody
from .endpoint import endpoint
from .errors import Conflict, NotFound
from .submitting import request_of

__all__ = ["RunCancel", "RunDetail", "RunResubmit", "RunTags", "Runs", "existing_run", "page_of"]


def existing_run(folder: WorkspaceFolder, run_id: str) -> RunRecord:
    """Return the run that a URL names.

    Raises
    ------
    NotFound
        When there is none.
    """
    try:
        return get_run(folder.store.read(), run_id)
    except UserErrorException as error:
        raise NotFound(error.message, error.field) from error


class Runs(Handler):
    """``runs``: the run history, and its entrance."""

    @endpoint(RunsAnswer, query=RunsQuery)
    async def get(self, workspace_id: str) -> None:
        """List runs, the newest first, a page at a time; ``next`` is the `before` of the next page."""
        query = self.query(RunsQuery)
        folder = await self.folder(workspace_id)
        rows, following = await self.call(page_of, folder, query)
        self.answer(folder, runs=rows, next=following)

    @endpoint(SubmittedAnswer, 201, body=SubmitBody)
    async def post(self, workspace_id: str) -> None:
        """Submit a run; it is durable when the answer (201) comes."""
        body = self.body(SubmitBody)
        folder = await self.folder(workspace_id)
        request = await self.call(request_of, body, folder, self.state.root)
        submission = await self.call(submit, folder, request)
        view = await self.call(run_view, folder, submission.run.id)
        self.set_header("Location", f"{self.request.path.rstrip('/')}/{submission.run.id}")
        self.answer(folder, run=as_json(view), notes=list(submission.notes))


class RunDetail(Handler):
    """``runs/{id}``: one run."""

    @endpoint(RunAnswer, query=RunQuery)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """Show everything about the run, with the end of its log; ``brief`` leaves out what has a page of its own."""
        query = self.query(RunQuery)
        folder = await self.folder(workspace_id)
        await self.call(existing_run, folder, run_id)
        view = await self.call(brief_run_view if query.brief else run_view, folder, run_id)
        self.answer(folder, run=as_json(view))


class RunCancel(Handler):
    """``runs/{id}/cancel``: the way to an early end."""

    @endpoint(RunAnswer, 202, body=CancelBody)
    async def post(self, workspace_id: str, run_id: str) -> None:
        """End the run: a waiting one at once, a running one with TERM."""
        folder = await self.folder(workspace_id)
        run = await self.call(existing_run, folder, run_id)
        if run.status in FINAL:
            raise Conflict(f"Run {run.id} has ended already: it is {run.status}.", "run")
        await self.call(cancel_run, folder, run.id, self.body(CancelBody).reason)
        self.answer(folder, run=as_json(await self.call(run_view, folder, run.id)))


class RunResubmit(Handler):
    """``runs/{id}/resubmit``: the same once more."""

    @endpoint(RunAnswer, 201, body=NoBody)
    async def post(self, workspace_id: str, run_id: str) -> None:
        """Queue a new run with the same snapshot and settings."""
        folder = await self.folder(workspace_id)
        run = await self.call(existing_run, folder, run_id)
        submission = await self.call(resubmit_run, folder, run.id)
        self.answer(folder, run=as_json(await self.call(run_view, folder, submission.run.id)))


class RunTags(Handler):
    """``runs/{id}/tags``: the labels of a run."""

    @endpoint(RunAnswer, body=TagsBody)
    async def post(self, workspace_id: str, run_id: str) -> None:
        """Set tags, or remove them with null."""
        folder = await self.folder(workspace_id)
        run = await self.call(existing_run, folder, run_id)
        await self.call(tag_run, folder, run.id, self.body(TagsBody).tags)
        self.answer(folder, run=as_json(await self.call(run_view, folder, run.id)))


def page_of(folder: WorkspaceFolder, query: RunsQuery) -> tuple[list[dict[str, Any]], int | None]:
    """Return a page of runs, and the `before` of the next one."""
    states = [state for state in (query.status or "").split(",") if state]
    for state in states:
        if state not in RUN_STATES:
            raise UserErrorException(
                f"status={state!r} is no state of a run; {nearest(state, list(RUN_STATES))}.", "status"
            )
    rows: list[dict[str, Any]] = as_json(
        run_rows(
            folder,
            experiment=query.experiment,
            status=states or None,
            target=query.target,
            parent=query.parent,
            children=query.children,
            include_hidden=query.hidden,
            last=query.limit + 1,
            before_seq=query.before,
        )
    )
    page = rows[: query.limit]
    return page, page[-1]["seq"] if len(rows) > len(page) else None

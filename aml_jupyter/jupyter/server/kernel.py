"""Answer in a kernel what a run view asks, where no server does: the same paths, the same words, without HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from aml_jupyter.service import cancel_run, resubmit_run
from aml_jupyter.views import as_json, brief_run_view, children_view, run_details, run_view, snapshot_files
from aml_jupyter.workspace import WorkspaceFolder
from aml_jupyter.workspace.states import FINAL

from .bodies import (
    ChildrenQuery,
    LogQuery,
    MatchesQuery,
    MetricQuery,
    RunQuery,
    RunsQuery,
    SnapshotQuery,
    SweepChildBody,
    SweepLimitsBody,
)
from .decode import decode, decode_query
from .errors import Conflict, NotFound, answer_to
from .logs import read_log, search_log
from .run_data import chart_of, files_of, image_of, metrics_of
from .run_parts import listed_ids, sweep_page
from .runs import existing_run, page_of
from .sweeps import added, extended, paused, settings_of

__all__ = ["answer_question"]

Answer = dict[str, Any]


def answer_question(folder: WorkspaceFolder, question: Mapping[str, Any]) -> tuple[int, Answer]:
    """Return status and body, as the HTTP API would.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace that the question is about.
    question : mapping
        ``method``, ``path`` (below the workspace), ``query``, ``body``.

    A body may have bytes under ``binary``: a chart's numbers, a picture.
    """
    try:
        method, path = str(question.get("method")), str(question.get("path"))
        query = {str(name): [str(value).encode()] for name, value in (question.get("query") or {}).items()}
        for wanted, pattern, answer in _ANSWERS:
            found = re.fullmatch(pattern, path)
            if found and wanted == method:
                given = query if method == "GET" else question.get("body") or {}
                body = answer(folder, given, *map(unquote, found.groups()))
                return 200, {"workspace": folder.id, **body}
        raise NotFound(f"There is nothing at {method} {path}.", "path")
    except Exception as error:  # as the server's handlers: every mistake has an answer
        status, refusal = answer_to(error, 500)
        return status, dict(refusal)


Query = Mapping[str, list[bytes]]


def _runs(folder: WorkspaceFolder, query: Query) -> Answer:
    rows, following = page_of(folder, decode_query(RunsQuery, query))
    return {"runs": rows, "next": following}


def _run(folder: WorkspaceFolder, query: Query, run: str) -> Answer:
    existing_run(folder, run)
    wanted = decode_query(RunQuery, query)
    return {"run": as_json((brief_run_view if wanted.brief else run_view)(folder, run))}


def _metric(folder: WorkspaceFolder, query: Query, run: str, name: str) -> Answer:
    return {"run": run, **chart_of(folder, run, name, decode_query(MetricQuery, query))}


def _children(folder: WorkspaceFolder, query: Query, run: str) -> Answer:
    existing_run(folder, run)
    return {
        "run": run,
        "children": children_view(folder, run, listed_ids(decode_query(ChildrenQuery, query))).as_json(),
    }


def _details(folder: WorkspaceFolder, _: Query, run: str) -> Answer:
    existing_run(folder, run)
    return {"run": run, **run_details(folder, run).as_json()}


def _snapshot(folder: WorkspaceFolder, query: Query, run: str) -> Answer:
    existing_run(folder, run)
    return {"run": run, **snapshot_files(folder, run, decode_query(SnapshotQuery, query).other).as_json()}


def _cancel(folder: WorkspaceFolder, _: Query, run: str) -> Answer:
    record = existing_run(folder, run)
    if record.status in FINAL:
        raise Conflict(f"Run {run} has ended already: it is {record.status}.", "run")
    cancel_run(folder, run, "canceled from its view")
    return {"run": as_json(brief_run_view(folder, run))}


def _resubmit(folder: WorkspaceFolder, _: Query, run: str) -> Answer:
    existing_run(folder, run)
    return {"run": as_json(brief_run_view(folder, resubmit_run(folder, run).run.id))}


_RUN = "runs/([^/]+)"
_ANSWERS: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", "runs", _runs),
    ("GET", _RUN, _run),
    ("GET", f"{_RUN}/logs", lambda folder, query, run: read_log(folder, run, decode_query(LogQuery, query))),
    (
        "GET",
        f"{_RUN}/logs/matches",
        lambda folder, query, run: search_log(folder, run, decode_query(MatchesQuery, query)),
    ),
    ("GET", f"{_RUN}/metrics", lambda folder, _, run: {"run": run, "metrics": metrics_of(folder, run)}),
    ("GET", f"{_RUN}/metrics/(.+)", _metric),
    ("GET", f"{_RUN}/files", lambda folder, _, run: {"run": run, "files": files_of(folder, run)}),
    ("GET", f"{_RUN}/files/(.+)", lambda folder, _, run, name: {"run": run, **image_of(folder, run, name)}),
    ("GET", f"{_RUN}/children", _children),
    ("GET", f"{_RUN}/details", _details),
    ("GET", f"{_RUN}/page", lambda folder, _, run: {"run": run, "html": sweep_page(folder, run)}),
    ("GET", f"{_RUN}/snapshot", _snapshot),
    ("GET", f"{_RUN}/sweep", lambda folder, _, run: {"run": run, "sweep": settings_of(folder, run)}),
    ("POST", f"{_RUN}/cancel", _cancel),
    ("POST", f"{_RUN}/sweep/pause", lambda folder, _, run: {"run": paused(folder, run, True)}),
    ("POST", f"{_RUN}/sweep/resume", lambda folder, _, run: {"run": paused(folder, run, False)}),
    (
        "POST",
        f"{_RUN}/sweep/limits",
        lambda folder, body, run: {"run": extended(folder, run, decode(SweepLimitsBody, body))},
    ),
    (
        "POST",
        f"{_RUN}/sweep/children",
        lambda folder, body, run: {"run": added(folder, run, decode(SweepChildBody, body))},
    ),
    ("POST", f"{_RUN}/resubmit", _resubmit),
]

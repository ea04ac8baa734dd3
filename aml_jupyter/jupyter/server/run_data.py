"""Answer for what a run left: its metrics and files; its logs are in `logs`."""

from __future__ import annotations

import mimetypes
import shlex
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from tornado.iostream import StreamClosedError

from aml_jupyter.errors import UserErrorException, nearest
from aml_jupyter.supervisor.plain import open_plain
from aml_jupyter.views.formats import iso_time, json_value
from aml_jupyter.views.run import outputs_of
from aml_jupyter.workspace import WorkspaceFolder, artifact_path, list_metrics, metric_chart

from .answers import ChartAnswer, FilesAnswer, MetricsAnswer
from .base import API_VERSION, Handler, to_json
from .bodies import DownloadQuery, MetricQuery
from .endpoint import endpoint
from .errors import NotFound
from .runs import existing_run
from .series import frame, packed

__all__ = [
    "RunFile",
    "RunFiles",
    "RunMetric",
    "RunMetrics",
    "chart_of",
    "file_of",
    "files_of",
    "image_of",
    "metrics_of",
]

CHUNK = 256 * 1024
LARGEST_IMAGE = 16_000_000
PASSIVE = {"application/json", "application/pdf", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/webp"}
"""Types that a browser may show; text is shown as plain text, and everything else is a download."""


class RunMetrics(Handler):
    """``runs/{id}/metrics``: what was logged, summarised."""

    @endpoint(MetricsAnswer)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """List the metrics."""
        folder = await self.folder(workspace_id)
        self.answer(folder, run=run_id, metrics=await self.call(metrics_of, folder, run_id))


class RunMetric(Handler):
    """``runs/{id}/metrics/{name}``: one metric, as a chart."""

    @endpoint(ChartAnswer, query=MetricQuery, binary=True)
    async def get(self, workspace_id: str, run_id: str, metric_name: str) -> None:
        """Return the points of the chart; minimum and maximum of each stretch are kept."""
        query = self.query(MetricQuery)
        folder = await self.folder(workspace_id)
        answer = await self.call(chart_of, folder, run_id, metric_name, query)
        data = answer.pop("binary", None)
        if data is None:
            self.answer(folder, run=run_id, **answer)
            return
        head = to_json({"api_version": API_VERSION, "workspace": folder.id, "run": run_id, **answer})
        self.finish(frame(head, data), set_content_type="application/octet-stream")


class RunFiles(Handler):
    """``runs/{id}/files``: the names of its files."""

    @endpoint(FilesAnswer)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """List outputs, logs and uploaded files."""
        folder = await self.folder(workspace_id)
        self.answer(folder, run=run_id, files=await self.call(files_of, folder, run_id))


class RunFile(Handler):
    """``runs/{id}/files/{path}``: one file, never of a kind that could act in the page."""

    @property
    def content_security_policy(self) -> str:
        """Let nothing in the file run or load anything."""
        return "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"

    @endpoint(bytes, query=DownloadQuery)
    async def get(self, workspace_id: str, run_id: str, path: str) -> None:
        """Send the file's bytes."""
        query = self.query(DownloadQuery)
        folder = await self.folder(workspace_id)
        found = await self.call(file_of, folder, run_id, path)
        stream = await self.call(_opened, found, run_id, path)
        try:
            await self._send(stream, found, query.download)
        finally:
            stream.close()

    async def _send(self, stream: BinaryIO, path: Path, download: bool) -> None:
        shown_as, is_shown = _shown_type(path)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", self.content_security_policy)
        self.set_header("Cache-Control", "no-cache")
        if download or not is_shown:
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(path.name, safe='')}")
        self.set_header("Content-Type", shown_as)
        try:
            while chunk := await self.call(stream.read, CHUNK):
                self.write(chunk)
                await self.flush()
        except StreamClosedError:
            return
        self.finish(set_content_type=shown_as)


def metrics_of(folder: WorkspaceFolder, run_id: str) -> list[dict[str, Any]]:
    """Return the metrics of a run, summarised."""
    existing_run(folder, run_id)
    return [
        {
            "name": metric.name,
            "kind": metric.kind,
            "count": metric.count,
            "last": json_value(metric.last),
            "minimum": json_value(metric.minimum),
            "maximum": json_value(metric.maximum),
            "has_steps": metric.has_steps,
            "value": json_value(metric.value),
        }
        for metric in list_metrics(folder.store.read(), run_id)
    ]


def chart_of(folder: WorkspaceFolder, run_id: str, name: str, query: MetricQuery) -> dict[str, Any]:
    """Return one metric of a run with its chart; the chart's numbers as bytes, under ``binary``, if the query wants them so."""
    known = {metric["name"]: metric for metric in metrics_of(folder, run_id)}
    if name not in known:
        raise NotFound(f"The run has no metric '{name}'; {nearest(name, list(known)) or 'it has logged none'}.", "name")
    chart = metric_chart(folder.store.read(), run_id, name, query.points, with_times=query.times)
    if query.binary:
        head, data = packed(chart)
        return {"metric": known[name], "chart": head, "binary": data}
    columns = {axis: [json_value(value) for value in getattr(chart, axis)] for axis in ("x", "y", "low", "high")}
    return {"metric": known[name], "chart": {**columns, "count": chart.count, "time": chart.time}}


def files_of(folder: WorkspaceFolder, run_id: str) -> list[dict[str, Any]]:
    """Return the files of a run; those that stayed on the machine where it ran say where, and how they are fetched."""
    existing_run(folder, run_id)
    return [
        {
            "name": file.name,
            "size": file.size,
            "attempt": file.attempt,
            "modified": iso_time(file.modified),
            "target": file.target or None,
            "sha256": file.sha256 or None,
            "command": f"aml run download {run_id} {shlex.quote(file.name)}" if file.target else None,
        }
        for file in outputs_of(folder, run_id)
    ]


def file_of(folder: WorkspaceFolder, run_id: str, name: str) -> Path:
    """Return where a file of a run lies.

    Raises
    ------
    NotFound
        When there is no such run or file.
    """
    existing_run(folder, run_id)
    try:
        path: Path = artifact_path(folder, run_id, name)
    except (UserErrorException, ValueError) as error:
        raise NotFound(str(error), "path") from error
    if not path.is_file():
        raise _gone(run_id, name)
    return path


def _gone(run_id: str, name: str) -> NotFound:
    return NotFound(f"The file '{name}' of run {run_id} is not there any more.", "path")


def _opened(path: Path, run_id: str, name: str) -> BinaryIO:
    """Open a file of a run, whose script may have removed it since, or put a pipe in its place."""
    try:
        return open_plain(path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise _gone(run_id, name) from error


def image_of(folder: WorkspaceFolder, run_id: str, name: str) -> dict[str, Any]:
    """Return a picture of a run with its type and, under ``binary``, its bytes: for a front end that has no address for it.

    Raises
    ------
    NotFound
        When there is no such picture, or it is no picture, or has more than `LARGEST_IMAGE` bytes.
    """
    path = file_of(folder, run_id, name)
    kind = _shown_type(path)[0]
    with _opened(path, run_id, name) as stream:
        data = stream.read(LARGEST_IMAGE + 1) if kind.startswith("image/") else b""
    if not kind.startswith("image/") or len(data) > LARGEST_IMAGE:
        raise NotFound(
            f"The file '{name}' of run {run_id} is not a picture of at most {LARGEST_IMAGE:,} bytes.", "path"
        )
    return {"name": name, "type": kind, "binary": data}


def _shown_type(path: Path) -> tuple[str, bool]:
    """Return the Content-Type to send and whether the browser may show it."""
    kind = mimetypes.guess_type(path.name)[0] or ""
    if kind in PASSIVE:
        return kind, True
    if kind in {"text/html", "text/javascript", "text/xml"}:
        return "application/octet-stream", False
    if kind.startswith("text/") or path.suffix in {".log", ".jsonl", ".yml", ".yaml", ".toml"}:
        return "text/plain; charset=utf-8", True
    return "application/octet-stream", False

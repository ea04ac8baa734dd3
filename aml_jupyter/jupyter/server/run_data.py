"""Answer for what a run left: its logs, metrics and files."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from tornado.iostream import StreamClosedError

from aml_jupyter.errors import UserErrorException, nearest
from aml_jupyter.supervisor.plain import open_plain
from aml_jupyter.views import log_path
from aml_jupyter.views.formats import iso_time, json_value
from aml_jupyter.workspace import WorkspaceFolder, artifact_path, list_artifacts, list_metrics, metric_chart
from aml_jupyter.workspace.states import FINAL

from .answers import ChartAnswer, FilesAnswer, LogAnswer, MetricsAnswer
from .base import Handler
from .bodies import DownloadQuery, LogQuery, MetricQuery
from .endpoint import endpoint
from .errors import NotFound
from .runs import existing_run

__all__ = ["RunFile", "RunFiles", "RunLogs", "RunMetric", "RunMetrics"]

CHUNK = 256 * 1024
PASSIVE = {"application/json", "application/pdf", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/webp"}
"""Types that a browser may show; text is shown as plain text, and everything else is a download."""


class RunLogs(Handler):
    """``runs/{id}/logs``: a log, by byte offset."""

    @endpoint(LogAnswer, query=LogQuery)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """Read a stretch; ``next_offset`` is the `offset` of the next one, ``complete`` says that no more will come."""
        query = self.query(LogQuery)
        folder = await self.folder(workspace_id)
        self.answer(folder, run=run_id, **await self.call(_read_log, folder, run_id, query))


class RunMetrics(Handler):
    """``runs/{id}/metrics``: what was logged, summarised."""

    @endpoint(MetricsAnswer)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """List the metrics."""
        folder = await self.folder(workspace_id)
        self.answer(folder, run=run_id, metrics=await self.call(_metrics, folder, run_id))


class RunMetric(Handler):
    """``runs/{id}/metrics/{name}``: one metric, as a chart."""

    @endpoint(ChartAnswer, query=MetricQuery)
    async def get(self, workspace_id: str, run_id: str, metric_name: str) -> None:
        """Return the points of the chart; minimum and maximum of each stretch are kept."""
        query = self.query(MetricQuery)
        folder = await self.folder(workspace_id)
        self.answer(folder, run=run_id, **await self.call(_chart, folder, run_id, metric_name, query.points))


class RunFiles(Handler):
    """``runs/{id}/files``: the names of its files."""

    @endpoint(FilesAnswer)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """List outputs, logs and uploaded files."""
        folder = await self.folder(workspace_id)
        self.answer(folder, run=run_id, files=await self.call(_files, folder, run_id))


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
        found = await self.call(_file, folder, run_id, path)
        stream = await self.call(open, found, "rb")
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


def _read_log(folder: WorkspaceFolder, run_id: str, query: LogQuery) -> dict[str, Any]:
    run = existing_run(folder, run_id)
    if query.attempt is not None and query.attempt > run.attempt:
        raise UserErrorException(f"attempt={query.attempt}: the run has had {run.attempt}.", "attempt")
    path = log_path(folder, run, query.attempt) if query.file is None else _file(folder, run_id, query.file)
    data, size = b"", 0
    if path is not None and path.is_file():
        with open_plain(path) as stream:
            size = stream.seek(0, 2)
            stream.seek(query.offset)
            data = _whole_characters(stream.read(query.limit))
    end = query.offset + len(data)
    return {
        "file": query.file or "user_logs/std_log.txt",
        "attempt": query.attempt or run.attempt,
        "text": data.decode("utf-8", "replace"),
        "offset": query.offset,
        "next_offset": end,
        "size": size,
        "complete": run.status in FINAL and end >= size,
    }


def _whole_characters(data: bytes) -> bytes:
    """Leave out a UTF-8 character that is not all there yet, so that the next stretch begins with it."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return data[:-back] if needed > back and len(data) > back else data
    return data


def _metrics(folder: WorkspaceFolder, run_id: str) -> list[dict[str, Any]]:
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


def _chart(folder: WorkspaceFolder, run_id: str, name: str, points: int) -> dict[str, Any]:
    known = {metric["name"]: metric for metric in _metrics(folder, run_id)}
    if name not in known:
        raise NotFound(f"The run has no metric '{name}'; {nearest(name, list(known)) or 'it has logged none'}.", "name")
    chart = metric_chart(folder.store.read(), run_id, name, points)
    columns = {axis: [json_value(value) for value in getattr(chart, axis)] for axis in ("x", "y", "low", "high")}
    return {"metric": known[name], "chart": {**columns, "count": chart.count}}


def _files(folder: WorkspaceFolder, run_id: str) -> list[dict[str, Any]]:
    existing_run(folder, run_id)
    return [
        {"name": file.name, "size": file.size, "attempt": file.attempt, "modified": iso_time(file.modified)}
        for file in list_artifacts(folder.store.read(), run_id)
    ]


def _file(folder: WorkspaceFolder, run_id: str, name: str) -> Path:
    existing_run(folder, run_id)
    try:
        path: Path = artifact_path(folder, run_id, name)
    except (UserErrorException, ValueError) as error:
        raise NotFound(str(error), "path") from error
    if not path.is_file():
        raise NotFound(f"The file '{name}' of run {run_id} is not there any more.", "path")
    return path


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

"""Answer for logs: a stretch by byte offset from either end, and a search; never a whole log at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Final

from aml_jupyter.errors import UserErrorException
from aml_jupyter.supervisor.plain import open_plain
from aml_jupyter.views import log_path
from aml_jupyter.workspace import RunRecord, WorkspaceFolder
from aml_jupyter.workspace.states import FINAL

from .answers import LogAnswer, MatchesAnswer
from .base import Handler
from .bodies import LogQuery, MatchesQuery
from .endpoint import endpoint
from .run_data import file_of
from .runs import existing_run

__all__ = ["RunLogMatches", "RunLogs", "read_log", "search_log"]

SEARCHED: Final = 32 * 1024 * 1024
"""Bytes that one search looks at, at the most."""
LONGEST: Final = 2_000
"""Bytes of a matching line that are told; a line that is longer than a search's block is searched in pieces."""
BLOCK: Final = 1024 * 1024


class RunLogs(Handler):
    """``runs/{id}/logs``: a log, by byte offset."""

    @endpoint(LogAnswer, query=LogQuery)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """Read a stretch; ``next_offset`` is the `offset` of the next one, ``complete`` says that no more will come."""
        query = self.query(LogQuery)
        folder = await self.folder(workspace_id)
        self.answer(folder, run=run_id, **await self.call(read_log, folder, run_id, query))


class RunLogMatches(Handler):
    """``runs/{id}/logs/matches``: where a text stands in a log."""

    @endpoint(MatchesAnswer, query=MatchesQuery)
    async def get(self, workspace_id: str, run_id: str) -> None:
        """Search the log from `offset` on; ``next_offset`` is where the next search goes on."""
        query = self.query(MatchesQuery)
        folder = await self.folder(workspace_id)
        self.answer(folder, run=run_id, **await self.call(search_log, folder, run_id, query))


def read_log(folder: WorkspaceFolder, run_id: str, query: LogQuery) -> dict[str, Any]:
    """Return a stretch of a log; the fields of `LogAnswer` but `run`."""
    run, path = _log_of(folder, run_id, query.file, query.attempt)
    data, size, begin = b"", 0, query.offset
    if path is not None and path.is_file():
        with open_plain(path) as stream:
            size = stream.seek(0, 2)
            if query.end is None:
                stream.seek(begin)
                data = _whole_characters(stream.read(query.limit))
            else:
                begin, data = _stretch_before(stream, min(query.end, size), query.limit)
    end = begin + len(data)
    return {
        "file": query.file or "user_logs/std_log.txt",
        "attempt": query.attempt or run.attempt,
        "text": data.decode("utf-8", "replace"),
        "offset": begin,
        "next_offset": end,
        "size": size,
        "complete": run.status in FINAL and end >= size,
    }


def _log_of(
    folder: WorkspaceFolder, run_id: str, file: str | None, attempt: int | None
) -> tuple[RunRecord, Path | None]:
    run = existing_run(folder, run_id)
    if attempt is not None and attempt > run.attempt:
        raise UserErrorException(f"attempt={attempt}: the run has had {run.attempt}.", "attempt")
    return run, log_path(folder, run, attempt) if file is None else file_of(folder, run_id, file)


def _stretch_before(stream: BinaryIO, end: int, limit: int) -> tuple[int, bytes]:
    """Return where a line begins, and the bytes from there up to `end`; within one long line, where a character begins."""
    begin = max(0, end - limit)
    stream.seek(begin)
    data = stream.read(end - begin)
    if begin == 0:
        return 0, data
    line = data.find(b"\n") + 1
    if line == 0 or line == len(data):
        line = next((place for place, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)
    return begin + line, data[line:]


def search_log(folder: WorkspaceFolder, run_id: str, query: MatchesQuery) -> dict[str, Any]:
    """Return the lines of a log that hold a text; the fields of `MatchesAnswer` but `run`."""
    if not query.text or "\n" in query.text:
        raise UserErrorException("text: give what to look for, on one line.", "text")
    _, path = _log_of(folder, run_id, query.file, query.attempt)
    found: list[dict[str, Any]] = []
    size, place = 0, query.offset
    if path is not None and path.is_file():
        with open_plain(path) as stream:
            size = stream.seek(0, 2)
            stream.seek(place)
            wanted = query.text.lower().encode("utf-8", "replace")
            last = min(size, place + SEARCHED)
            while place < last and len(found) < query.limit:
                line = stream.readline(BLOCK)
                if not line:
                    break
                at = line.lower().find(wanted)
                if at >= 0:
                    shown = line[max(0, at - LONGEST // 2) :][:LONGEST] if len(line) > LONGEST else line
                    found.append({"offset": place, "line": shown.decode("utf-8", "replace").rstrip("\r\n")})
                place += len(line)
    return {
        "file": query.file or "user_logs/std_log.txt",
        "matches": found,
        "next_offset": place,
        "size": size,
        "complete": place >= size,
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

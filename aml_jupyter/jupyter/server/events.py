"""Push the workspace's events over a WebSocket, resumable by sequence number.

``/aml/api/workspaces/{id}/events?since=SEQ&generation=GENERATION``. The server sends JSON objects:

``{"type": "hello", "api_version", "workspace", "generation", "seq"}``
    first; `seq` is the newest event there is.
``{"type": "reset", "generation", "seq", "reason"}``
    what the client knows is of another generation of the database, or lies too far back: read everything again over
    REST; the stream goes on after `seq`.
``{"type": "events", "workspace", "events": [{"seq", "time", "kind", "subject", "data"}, ...]}``
    in order, without gap or repetition.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

import tornado.web as web
import tornado.websocket as websocket
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.utils import ensure_async

from aml_jupyter.errors import AmlError, UserErrorException
from aml_jupyter.workspace import WorkspaceFolder

from .base import API_VERSION, AUTH_RESOURCE, ServerState, to_json
from .decode import decode_query
from .endpoint import declare
from .errors import answer_to
from .feed import PAGE, Feed, Page, read_page

__all__ = ["EventStream"]

FAR_BEHIND = 20 * PAGE
"""A client that lacks more events than this is told to read again instead."""


@dataclass(frozen=True)
class EventsQuery:
    """Describe the query string of the stream."""

    since: int | None = None
    """Sequence number of the last event that the client has seen; none: only what happens from now on."""
    generation: str | None = None
    """Generation of the database that `since` belongs to."""


class EventStream(WebSocketMixin, websocket.WebSocketHandler, JupyterHandler):  # type: ignore[misc]
    """Send the events of one workspace to one client, a page at a time, at the client's pace."""

    auth_resource = AUTH_RESOURCE

    def set_default_headers(self) -> None:
        """Set none: a WebSocket's answer has no body."""

    def get_compression_options(self) -> dict[str, Any]:
        """Compress: events of one kind are alike."""
        return {}

    @declare(None, 101, EventsQuery)
    @ws_authenticated  # type: ignore[untyped-decorator]
    async def get(self, workspace_id: str) -> None:
        """Upgrade to a WebSocket, once the user may read, the workspace is there and the query is right."""
        if not await ensure_async(self.authorizer.is_authorized(self, self.current_user, "read", AUTH_RESOURCE)):
            raise web.HTTPError(403)
        self.wanted = decode_query(EventsQuery, self.request.query_arguments)
        self.folder: WorkspaceFolder = await self.state.pool.run(self.state.workspaces.get, workspace_id)
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise UserErrorException("This is a WebSocket: ask for an upgrade to one.", "Upgrade")
        await super().get(workspace_id)

    @property
    def state(self) -> ServerState:
        """Return what the server's handlers share."""
        state: ServerState = self.settings["aml"]
        return state

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Refuse the upgrade with ``{message, field, reason}``."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        status, reply = answer_to(error, status_code)
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(to_json({"api_version": API_VERSION, **reply}))

    def log_exception(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Log a refusal in one line, anything else with its traceback."""
        if isinstance(error, AmlError):
            self.log.info("%s: %s", self.request.path, error)
        else:
            super().log_exception(kind, error, trace)

    def open(self, *_: str) -> None:
        """Start to send."""
        super().open()
        feeds: dict[str, Feed] = self.state.feeds
        feed = feeds.get(self.folder.id)
        if feed is None or feed.folder is not self.folder:
            feed = feeds[self.folder.id] = Feed(self.folder, asyncio.get_running_loop())
        self.feed = feed
        self.changed = asyncio.Event()
        self.feed.listen(self.changed)
        self.sender = asyncio.ensure_future(self._send())

    def on_message(self, message: str | bytes) -> None:
        """Pass over what a client says: the stream goes one way."""

    def on_close(self) -> None:
        """Stop sending; the polling thread ends with its last listener."""
        if hasattr(self, "feed"):
            self.feed.leave(self.changed)
            self.sender.cancel()
        super().on_close()

    async def _send(self) -> None:
        with contextlib.suppress(websocket.WebSocketClosedError, asyncio.CancelledError):
            try:
                await self._stream()
            except Exception as error:
                self.log.warning("aml: the event stream of workspace %s ends: %s", self.folder.name, error)
                self.close(1011, str(answer_to(error, 500)[1]["message"])[:100])

    async def _stream(self) -> None:
        page = await self.state.pool.run(read_page, self.folder, 0)
        await self._write("hello", seq=page.newest, generation=page.generation)
        generation = self.wanted.generation or page.generation
        position = page.newest if self.wanted.since is None else self.wanted.since
        while True:
            self.changed.clear()
            page = await self.state.pool.run(read_page, self.folder, position)
            lost = _what_was_lost(page, generation, position)
            if lost:
                await self._write("reset", seq=page.newest, generation=page.generation, reason=lost)
                generation, position = page.generation, page.newest
            elif page.events:
                rows = [
                    {
                        "seq": event.id,
                        "time": event.time,
                        "kind": event.kind,
                        "subject": event.subject,
                        "data": event.data,
                    }
                    for event in page.events
                ]
                await self._write("events", events=rows)
                position = page.events[-1].id
            else:
                await self.changed.wait()

    async def _write(self, kind: str, **fields: Any) -> None:
        message = {"type": kind, "api_version": API_VERSION, "workspace": self.folder.id, **fields}
        await self.write_message(to_json(message))


def _what_was_lost(page: Page, generation: str, position: int) -> str:
    """Say why a client at `position` of `generation` has to read everything again; empty when it has not."""
    if page.generation != generation:
        return "the database was built anew"
    if not 0 <= position <= page.newest:
        return "there is no such event"
    if page.newest - position > FAR_BEHIND:
        return "too many events were missed"
    return ""

"""Own what every endpoint shares: who may call it, where blocking work runs, how answers and refusals look."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from jupyter_server.base.handlers import APIHandler

from aml_jupyter.errors import AmlError
from aml_jupyter.workspace import WorkspaceFolder

from .decode import decode, decode_query, read_json
from .endpoint import Declared, endpoint
from .errors import NotFound, answer_to
from .hosting import ServiceHost
from .pool import Pool
from .workspaces import OpenWorkspaces

__all__ = ["API_VERSION", "AUTH_RESOURCE", "Handler", "ServerState", "methods_of", "to_json"]

API_VERSION = 1
AUTH_RESOURCE = "aml"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class ServerState:
    """Hold what lives as long as the server and is shared by the handlers (its web application's setting ``aml``)."""

    workspaces: OpenWorkspaces
    pool: Pool
    host: ServiceHost | None
    root: Path
    """Folder that submitted source directories must lie in: the server's root directory."""
    feeds: dict[str, Any]
    """Event feeds by workspace id, while somebody listens."""


class Handler(APIHandler):  # type: ignore[misc]  # jupyter_server is untyped to mypy
    """Answer one URL below ``/aml/api``."""

    auth_resource = AUTH_RESOURCE

    @property
    def state(self) -> ServerState:
        """Return what the server's handlers share."""
        state: ServerState = self.settings["aml"]
        return state

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the blocking `function` off the event loop."""
        return await self.state.pool.run(function, *args, **kwargs)

    async def folder(self, workspace_id: str) -> WorkspaceFolder:
        """Return the open workspace that the URL names."""
        return await self.call(self.state.workspaces.get, workspace_id)

    def take(self, declared: Declared) -> None:
        """Read what the client sent as the endpoint has declared it; called before the endpoint itself."""
        self._declared = declared
        self._query: Any = decode_query(declared.query, self.request.query_arguments)
        self._body: Any = None if declared.body is None else decode(declared.body, read_json(self.request.body))

    def query(self, kind: type[T]) -> T:
        """Return the query string, which the endpoint has declared to be the dataclass `kind`."""
        assert isinstance(self._query, kind)
        return self._query

    def body(self, kind: type[T]) -> T:
        """Return the JSON body, which the endpoint has declared to be the dataclass `kind`; none is an empty object."""
        assert isinstance(self._body, kind)
        return self._body

    def answer(self, folder: WorkspaceFolder | None, **payload: Any) -> None:
        """Send `payload` with the declared status, the API's version and the workspace it speaks of."""
        self.set_status(self._declared.status)
        head = {"api_version": API_VERSION, "workspace": folder.id if folder is not None else None}
        self.finish(to_json({**head, **payload}))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an exception with ``{message, field, reason}`` and the status that fits it."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        status, reply = answer_to(error, status_code)
        self.set_status(status)
        if status == 405:
            self.set_header("Allow", ", ".join(methods_of(type(self))))
        self.finish(to_json({"api_version": API_VERSION, **reply}))

    def log_exception(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Log a refusal in one line, anything else with its traceback."""
        if isinstance(error, AmlError):
            self.log.info("%s %s: %s", self.request.method, self.request.path, error)
        else:
            super().log_exception(kind, error, trace)


class Unknown(Handler):
    """Answer every other URL below ``/aml/api`` with JSON instead of a page."""

    async def _refuse(self) -> None:
        raise NotFound(f"There is nothing at {self.request.path}.", "path")

    def take(self, declared: Declared) -> None:
        """Read nothing."""

    @endpoint(None)
    async def get(self, *_: str) -> None:
        """Refuse."""
        await self._refuse()

    post = put = patch = delete = head = get


def methods_of(handler: type) -> list[str]:
    """Return the HTTP methods that a handler answers, in capitals."""
    return [
        name.upper()
        for name in ("get", "post", "put", "patch", "delete")
        if hasattr(getattr(handler, name, None), "declared")
    ]


def to_json(value: Any) -> str:
    """Return `value` as JSON that every reader takes: not-a-number and the infinities become strings."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value

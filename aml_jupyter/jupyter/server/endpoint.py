"""Declare what an endpoint takes and answers, and hold it to that: the server and its OpenAPI document read the same words."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import tornado.web as web
from jupyter_server.auth.decorator import authorized

from .bodies import NoQuery

__all__ = ["Declared", "Endpoint", "declare", "endpoint"]

Endpoint = Callable[..., Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Declared:
    """Say what one method of one URL takes and answers."""

    answer: Any
    """Typed dictionary of the JSON; `bytes` for a file's content, None for a WebSocket."""
    status: int
    query: type
    body: type | None
    binary: bool = False
    """It answers bytes in place of JSON where the query asks for them."""


def declare(answer: Any, status: int, query: type) -> Callable[[Endpoint], Endpoint]:
    """Say what a method that guards itself takes and answers."""

    def decorate(method: Endpoint) -> Endpoint:
        method.declared = Declared(answer, status, query, None)  # type: ignore[attr-defined]
        return method

    return decorate


def endpoint(
    answer: Any, status: int = 200, query: type = NoQuery, body: type | None = None, binary: bool = False
) -> Callable[[Endpoint], Endpoint]:
    """Let only an authenticated and authorized user call the method, with a query and a body as declared.

    Parameters
    ----------
    answer : type
        What it answers; see `Declared`.
    status : int
        HTTP status of that answer.
    query, body : type
        Dataclasses of what a client may send; a `body` of None is not read.
    binary : bool
        See `Declared`.
    """
    declared = Declared(answer, status, query, body, binary)

    def decorate(method: Endpoint) -> Endpoint:
        @functools.wraps(method)
        async def call(self: Any, *arguments: str) -> None:
            self.take(declared)
            await method(self, *arguments)

        guarded: Endpoint = web.authenticated(authorized(call))
        guarded.declared = declared  # type: ignore[attr-defined]
        return guarded

    return decorate

"""Say, in one place, which HTTP status and which words answer which exception."""

from __future__ import annotations

import errno
import sqlite3

from tornado.web import HTTPError

from aml_jupyter.errors import AmlError, UserErrorException

__all__ = ["Conflict", "NotFound", "answer_to"]


class NotFound(UserErrorException):
    """Say that what the URL names is not there."""


class Conflict(UserErrorException):
    """Say that what was asked does not fit the state of things."""


_STATUS: dict[type[AmlError], int] = {NotFound: 404, Conflict: 409}
_UNAVAILABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.EIO}


def answer_to(error: BaseException | None, status: int) -> tuple[int, dict[str, str | None]]:
    """Return the HTTP status and the body ``{message, field, reason}`` that answer `error`.

    Parameters
    ----------
    error : BaseException, optional
        What a handler raised.
    status : int
        What tornado would answer (500 for any exception it does not know).
    """
    if isinstance(error, HTTPError):
        message = error.log_message or error.reason or _phrase(status)
        return status, {"message": message, "field": None, "reason": error.reason or _phrase(status)}
    if isinstance(error, AmlError):
        status = _STATUS.get(type(error), 400 if isinstance(error, UserErrorException) else 503)
        field = error.field and error.field.removeprefix("RunConfiguration.")
        return status, {"message": str(error), "field": field, "reason": type(error).__name__}
    if isinstance(error, sqlite3.Error) or (isinstance(error, OSError) and error.errno in _UNAVAILABLE):
        message = f"The workspace cannot be read or written now: {error}."
        return 503, {"message": message, "field": None, "reason": "WorkspaceException"}
    return status, {
        "message": "The server made a mistake; its log says more.",
        "field": None,
        "reason": _phrase(status),
    }


def _phrase(status: int) -> str:
    from http.client import responses

    return responses.get(status, "Unknown")

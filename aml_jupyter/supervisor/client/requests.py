"""Ask the workspace's service from inside a run: one file with the question, one with the answer.

Owns the client's half of ``requests/`` and ``replies/`` (see ``protocol``). Every wait has a bound.
"""

import json
import os
import time
from typing import Any, Dict, Optional

from .. import protocol
from ..durable import write_json
from ..faults import fault_point
from .errors import ServiceException, error_from_reply

__all__ = ["NoAnswer", "Requests", "reply_seconds"]


_silent_until = 0.0  # time.monotonic() until which the service is taken to be away


class NoAnswer(ServiceException):
    """Say that no service answered within the bound."""


def reply_seconds(default: float = 30.0) -> float:
    """Return how long to wait for an answer, in seconds: ``AML_REPLY_SECONDS``, else `default`."""
    try:
        return float(os.environ["AML_REPLY_SECONDS"])
    except (KeyError, ValueError):
        return default


class Requests:
    """Put questions of one attempt to the service.

    Parameters
    ----------
    control : str
        Path of the attempt's control folder.
    """

    def __init__(self, control: str) -> None:
        self.control = control
        self.wake = os.environ.get("AML_WAKE") or _wake_of(control)

    def ask(self, op: str, args: Dict[str, Any], seconds: Optional[float] = None) -> Any:
        """Return the service's answer.

        Parameters
        ----------
        op : str
            One of the operations of ``protocol``.
        args : dict
            Its arguments.
        seconds : float, optional
            How long to wait; see `reply_seconds`. Left out, a service that was silent lately gets 2 s.

        Raises
        ------
        NoAnswer
            When no service answered in time; the question is withdrawn.
        AmlError
            The service's refusal, as the class that it names.
        """
        from uuid import uuid4

        global _silent_until
        bound = seconds if seconds is not None else reply_seconds()
        if seconds is None and time.monotonic() < _silent_until:
            bound = min(bound, 2.0)
        name = uuid4().hex + ".json"
        request = os.path.join(self.control, protocol.REQUESTS, name)
        reply = os.path.join(self.control, protocol.REPLIES, name)
        for path in (request, reply):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        write_json(request, {"op": op, "args": args, "time": time.time()}, point="client.request")
        self._poke()
        answer = _wait_for(reply, bound)
        _remove(request)
        if answer is None:
            answer = protocol.read_json(reply)  # it may have come while the question was withdrawn
        if answer is None:
            _silent_until = time.monotonic() + 60.0
            raise NoAnswer(
                "the workspace's service did not answer %r within %g s: it is stopped, or cannot reach this machine. "
                "`aml serve` in a terminal starts it; AML_REPLY_SECONDS sets how long a run waits" % (op, bound)
            )
        _remove(reply)
        _silent_until = 0.0
        if not answer.get("ok"):
            error = answer.get("error") or {}
            raise error_from_reply(str(error.get("type")), str(error.get("message", "the service refused %r" % op)))
        return answer.get("value")

    def written(self) -> Dict[str, int]:
        """Return how many bytes each events file of the attempt has, for ``after``."""
        folder = os.path.join(self.control, protocol.EVENTS)
        return {name: os.path.getsize(os.path.join(folder, name)) for name in protocol.events_files(self.control)}

    def _poke(self) -> None:
        """Wake the service where its socket is known; it also looks by itself."""
        from ..wake import wake_service

        wake_service(self.wake)


def _wake_of(control: str) -> Optional[str]:
    """Return the path of the service's socket, where it is on this machine."""
    try:
        launch = protocol.read_json(os.path.join(control, protocol.LAUNCH)) or {}
    except (OSError, ValueError):
        return None
    return launch.get("wake")


def _wait_for(path: str, seconds: float) -> Optional[Dict[str, Any]]:
    """Return the JSON object at `path` as soon as it is there, or None after `seconds`."""
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        try:
            answer = protocol.read_json(path)
        except json.JSONDecodeError:
            answer = None  # a shared folder can show a name before its content
        if answer is not None or time.monotonic() >= end:
            return answer
        time.sleep(min(pause, max(end - time.monotonic(), 0.0)))
        pause = min(pause * 1.5, 0.1)


def _remove(path: str) -> None:
    with fault_point("client.remove_request"):
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass

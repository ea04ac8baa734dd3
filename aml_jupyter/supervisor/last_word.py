"""Say the last word on an attempt for which no supervisor can: it never starts, or it is over."""

import os
import time
from typing import Any, Dict, List

from . import identity, protocol
from .control_files import DAMAGED, read_attempt, read_result
from .durable import link_json, write_json

__all__ = ["StillThere", "abandon", "bury", "forbid"]


class StillThere(Exception):
    """Say what is in the way of an attempt's end: processes that cannot be ended, or a folder in a file's place."""


def forbid(control: str, reason: str) -> bool:
    """Take the attempt's name, so that no supervisor can; False when one already has.

    Raises
    ------
    OSError
        When the control folder cannot be written.
    """
    os.makedirs(control, exist_ok=True)
    path = os.path.join(control, protocol.ATTEMPT)
    has_started = os.path.exists(protocol.started_path(control))
    refused = {"format": protocol.FORMAT, "refused": reason}
    if not has_started and link_json(path, refused, point="target.forbid"):
        return True
    standing = read_attempt(control) or {}
    return "refused" in standing


def abandon(control: str, token: str, message: str) -> None:
    """Write the result of an attempt of which nobody will hear any more, unless there is one.

    Raises
    ------
    OSError
        When the control folder cannot be written.
    """
    os.makedirs(control, exist_ok=True)
    written = _result(control, token, "canceled", message)
    written["abandoned"] = True
    link_json(os.path.join(control, protocol.RESULT), written, point="remote.abandon")


def bury(control: str, token: str, reason: str, message: str) -> Dict[str, Any]:
    """End what a lost supervisor left behind, write the result that it could not write, and return the one that stands.

    Raises
    ------
    StillThere
        When something of it cannot be ended.
    OSError
        When the control folder cannot be written.
    """
    left: List[int] = identity.end_survivors(token, 2.0)
    if left:
        raise StillThere("Processes %s of run %s could not be ended." % (left, token.split("/")[1]))
    path = os.path.join(control, protocol.RESULT)
    written = _result(control, token, reason, message)
    os.makedirs(control, exist_ok=True)  # the script may have removed it
    if read_result(control) is DAMAGED:
        if os.path.isdir(path):
            raise StillThere("%s is a folder; remove it, and the run can end." % path)
        write_json(path, written, point="target.bury")
    else:
        link_json(path, written, point="target.bury")
    return read_result(control) or written


def _result(control: str, token: str, reason: str, message: str) -> Dict[str, Any]:
    attempt = read_attempt(control) or {}
    return {
        "format": protocol.FORMAT,
        "token": token,
        "exit_code": None,
        "signal": None,
        "reason": reason,
        "message": message,
        "started": attempt.get("started"),
        "ended": time.time(),
        "peak_memory": None,
        "cpu_time": None,
        "leftovers": 0,
    }

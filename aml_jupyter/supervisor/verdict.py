"""Decide what an attempt's end is called, from how its process ended and what the supervisor did before."""

import os
import signal
from typing import Dict, NamedTuple, Optional

from .family import Family
from .kernel import oom_kills
from .watch import Ending

__all__ = ["Verdict", "judge"]


class Verdict(NamedTuple):
    """Describe the part of ``result.json`` that says what happened."""

    exit_code: Optional[int]
    signal: Optional[int]
    reason: str
    message: str
    note: str = ""  # what explains an exit code


def judge(family: Family, ending: Ending, counted: Dict[str, int], limit: int = 0) -> Verdict:
    """Return the verdict on an attempt.

    Parameters
    ----------
    family : Family
        Its processes, as far as they have ended.
    ending : Ending
        What the supervisor did.
    counted : dict
        `oom_kills` from before the start.
    limit : int
        Bytes that the container of the attempt may have, where it runs in one with a limit.
    """
    code, number = _split(family.status)
    message = "; ".join(filter(None, [ending.message, "" if ending.complete else _left_over(family)]))
    if ending.reason:
        return Verdict(code, number, ending.reason, message)
    starved = (number is not None or code) and any(n > counted.get(p, n) for p, n in oom_kills().items())
    if starved and limit:
        may_have = "its container may have %s of memory, and went over it" % size_text(limit)
        if number is None:
            note = "the kernel ended a process of the run for lack of memory: %s" % may_have
            return Verdict(code, None, "exit", message, note)
        if number == signal.SIGKILL:
            return Verdict(None, number, "out of memory", "; ".join(filter(None, [message, may_have])))
    if number is None:
        note = "the kernel ended a process of this machine for lack of memory while the run went on" if starved else ""
        return Verdict(code, None, "exit", "; ".join(filter(None, [message, note])))
    if number == signal.SIGKILL and starved:
        note = "the kernel ended the process, since the machine had no memory left"
        return Verdict(None, number, "out of memory", "; ".join(filter(None, [message, note])))
    note = "the process was ended by %s" % _signal_name(number)
    return Verdict(None, number, "signal", "; ".join(filter(None, [message, note])))


def size_text(size: int) -> str:
    """Return a number of bytes, for people."""
    return "%.3g GB" % (size / 1e9) if size >= 10**9 else "%.3g MB" % (size / 1e6)


def _split(status: Optional[int]) -> "tuple[Optional[int], Optional[int]]":
    if status is None:
        return None, None
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status)
    return os.WEXITSTATUS(status), None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def _left_over(family: Family) -> str:
    return "%d processes of the run could not be ended, at least" % max(1, len(family.signalled - {family.main}))

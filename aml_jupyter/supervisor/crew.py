"""Keep supervisors whose attempt has ended for the next one: a new process for each costs more than all that it does.

The warm parent owns a `Crew`. Each supervisor that it forked is at the other end of a socket, serves one attempt after the
other (`work`), and says ``i`` (idle) between them, or ``q`` when it has waited in vain and would leave. One that anything
unusual has happened to leaves; so does one that has served `MOST`, since it collects no garbage.
"""

import os
import select
import socket
import sys
import time
import traceback
from typing import Any, Dict, List, Optional, Sequence, Tuple

from . import faults
from .keeper import keep, read_place
from .peers import receive, send
from .pulse import asked_to_end, forget_signals
from .supervise import supervise_wholly
from .supervisor_log import SupervisorLog

__all__ = ["Crew", "work"]

MOST = 64
"""How many attempts one process serves."""

IDLE = 0.5
"""Seconds that an idle supervisor waits for the next attempt."""

LOOK = 0.25
"""Seconds after which an idle supervisor sees that it was asked to end."""

PATIENCE = 30.0
"""Seconds that it waits for the parent's answer to its leave."""


class Crew:
    """Own the parent's ends of the supervisors' sockets."""

    def __init__(self) -> None:
        self._members: Dict[int, socket.socket] = {}
        self._pids: Dict[int, int] = {}
        self._idle: List[int] = []

    def add(self, connection: socket.socket, pid: int) -> None:
        """Take in a supervisor that has just been given its first attempt."""
        connection.setblocking(False)
        self._members[connection.fileno()] = connection
        self._pids[connection.fileno()] = pid

    def descriptors(self) -> List[int]:
        """Return the descriptors that may have something to say."""
        return list(self._members)

    def hear(self, descriptors: Sequence[int]) -> None:
        """Take note of what supervisors say, or that they have gone."""
        for fd in descriptors:
            if fd in self._members:
                self._hear(fd)

    def _hear(self, fd: int) -> None:
        try:
            word = self._members[fd].recv(16)
        except BlockingIOError:
            return
        except OSError:
            word = b""
        if word.endswith(b"i"):
            self._idle.append(fd)
        else:
            self._forget(fd)

    def give(self, request: Dict[str, Any], fds: Sequence[int]) -> Optional[int]:
        """Hand an attempt to an idle supervisor and return its id, or None when there is none."""
        while self._idle:
            fd = self._idle.pop()
            if select.select([fd], [], [], 0)[0]:  # it is about to leave
                self._forget(fd)
                continue
            try:
                send(self._members[fd], request, fds)
                return self._pids[fd]
            except OSError:
                self._forget(fd)
        return None

    def close(self) -> None:
        """Close the parent's ends: in a forked process, or when the parent leaves."""
        for fd in list(self._members):
            self._forget(fd)

    def _forget(self, fd: int) -> None:
        self._members.pop(fd).close()
        del self._pids[fd]
        if fd in self._idle:
            self._idle.remove(fd)


def work(parent: socket.socket, control: str, fds: Sequence[int]) -> None:
    """Supervise the attempt in `control`, then whatever the warm parent at the other end of `parent` asks for."""
    for served in range(1, MOST + 1):
        try:
            place = read_place(control)
            if place is not None:
                keep(control, place, fds)
                return
            _, whole = supervise_wholly(control, fds)
        except BaseException:
            failure = "".join(traceback.format_exception(*sys.exc_info()))
            SupervisorLog(control).say("this supervisor failed:\n" + failure)
            return
        if not whole or served == MOST or _has_children() or asked_to_end():
            return  # without a word: whoever says that it is idle is given the next attempt
        following = _next(parent)
        if following is None:
            return
        request, fds = following
        control = request["control"]
        faults.rearm(request.get("faults") or {})


def _next(parent: socket.socket) -> Optional[Tuple[Dict[str, Any], List[int]]]:
    """Return the next request and the descriptors of its slots, or None when it is time to leave."""
    try:
        parent.sendall(b"i")
        deadline = time.monotonic() + IDLE
        is_wanted = False
        while not is_wanted and not asked_to_end() and time.monotonic() < deadline:
            is_wanted = bool(select.select([parent], [], [], LOOK)[0])
        forget_signals()  # whoever asked an idle process to end did not mean an attempt that comes after
        if not is_wanted:
            # The parent closes its end, unless it has sent a request meanwhile.
            parent.settimeout(PATIENCE)
            parent.sendall(b"q")
        return receive(parent)
    except OSError:
        return None


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True

"""Be the warm parent: a tiny detached process that forks a supervisor for each request, and outlives who asked.

``python -I -S <archive> nurse <socket>``. It imports what a supervisor needs once, so that a start costs a fork, or less
where a supervisor of its is idle (see `crew`). It
owns the socket and ``<socket>.lock``, reaps what it forked, and leaves when nothing was asked for a minute and no supervisor
of its is left. Killing it harms no run.
"""

import fcntl
import gc
import os
import resource  # noqa: F401 (os.wait4 would import it anew in every supervisor)
import select
import signal
import socket
import time
from typing import Any, Dict, List, Set

from . import faults
from .crew import Crew, work
from .faults import fault_point
from .kernel import oom_kills
from .peers import is_same_user, listen, receive, send
from .pulse import asked_to_end, catch_signals

__all__ = ["serve"]

IDLE = 60.0
"""Seconds without a request or a supervisor after which the parent leaves."""

PATIENCE = 2.0
"""Seconds that a client has to say what it wants."""


def serve(path: str) -> int:
    """Listen at the socket `path` until idle; return 0 at once when another parent does so already.

    The calling process returns as soon as a detached one listens.
    """
    lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    door = listen(path, 128, point="nurse.listen")
    with fault_point("nurse.detach"):
        if os.fork():
            os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    _WarmParent(path, door, lock).run()
    return 0


class _WarmParent:
    def __init__(self, path: str, door: socket.socket, lock: int) -> None:
        self._path = path
        self._door = door
        self._lock = lock
        self._inode = os.stat(path).st_ino
        self._children: Set[int] = set()
        self._crew = Crew()
        self._wakened, self._waker = os.pipe()
        os.set_blocking(self._wakened, False)
        os.set_blocking(self._waker, False)

    def run(self) -> None:
        """Answer requests until there have been none for `IDLE` seconds and no child is left."""
        # What a supervisor would do first is done once for all of them.
        signal.set_wakeup_fd(self._waker)
        catch_signals()
        oom_kills()
        gc.collect()
        gc.disable()
        if hasattr(gc, "freeze"):
            gc.freeze()
        last = time.monotonic()
        while self._is_wanted(last) and self._is_reachable() and not asked_to_end():
            self._reap()
            waited = [self._door.fileno(), self._wakened, *self._crew.descriptors()]
            ready = select.select(waited, [], [], 1.0)[0]
            if self._wakened in ready:
                os.read(self._wakened, 4096)
            self._crew.hear(ready)
            if self._door.fileno() in ready:
                self._answer()
                last = time.monotonic()
            elif self._children:
                last = time.monotonic()
        if self._is_reachable():
            with fault_point("nurse.leave"):
                os.unlink(self._path)

    def _is_wanted(self, last: float) -> bool:
        return bool(self._children) or time.monotonic() - last < IDLE

    def _is_reachable(self) -> bool:
        """Tell whether the socket's name still is ours; without it, only leaving lets another parent start."""
        try:
            return os.stat(self._path).st_ino == self._inode
        except OSError:
            return False

    def _reap(self) -> None:
        while self._children:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._children.clear()
                return
            if pid == 0:
                return
            self._children.discard(pid)

    def _answer(self) -> None:
        try:
            connection, _ = self._door.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(PATIENCE)
            try:
                if not is_same_user(connection):
                    return
                request, fds = receive(connection)
                try:
                    reply = self._do(request, fds, connection)
                finally:
                    for fd in fds:  # before the answer: from then on the slots are the supervisor's alone
                        os.close(fd)
                send(connection, reply)
            except OSError:
                pass  # The client is gone or too slow; it asks again.

    def _do(self, request: Dict[str, Any], fds: List[int], connection: socket.socket) -> Dict[str, Any]:
        control = request.get("control")
        if request.get("op") != "spawn" or not isinstance(control, str) or not os.path.isabs(control):
            return {"ok": False, "message": "spawn with the absolute path of a control folder was expected"}
        faults.rearm(request.get("faults") or {})
        idle = self._crew.give(request, fds)
        if idle is not None:
            return {"ok": True, "pid": idle}
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                with fault_point("nurse.fork"):
                    pid = os.fork()
                    if pid == 0:
                        ours.close()
                        self._become_supervisor(control, fds, connection, theirs)
            except OSError as error:
                ours.close()
                return {"ok": False, "message": "no process could be forked: %s" % error}
        self._children.add(pid)
        self._crew.add(ours, pid)
        return {"ok": True, "pid": pid}

    def _become_supervisor(
        self, control: str, fds: List[int], connection: socket.socket, parent: socket.socket
    ) -> None:
        """Supervise, then leave this forked process; never return."""
        try:
            connection.close()
            self._door.close()
            self._crew.close()
            for fd in (self._lock, self._wakened, self._waker):
                os.close(fd)
            work(parent, control, fds)
        finally:
            os._exit(0)

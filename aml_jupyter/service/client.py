"""Reach a workspace's service from outside: is it there, wake it, start it, stop it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import sqlite3
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aml_jupyter
from aml_jupyter.errors import AmlError, ServiceException
from aml_jupyter.supervisor import identity
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.supervisor.peers import receive, send
from aml_jupyter.workspace import WorkspaceFolder, current_lease, queue, runtime_folder

__all__ = [
    "STARTING_GATE",
    "ServiceStatus",
    "ask",
    "ensure_service",
    "is_older",
    "look_after",
    "service_status",
    "socket_path",
    "stop_service",
    "wake_service",
]

_OF_A_RUN = ("AML_RUN_ID", "AML_CONTROL", "AML_WAKE", "AML_BUNDLE", "AML_ATTEMPT", "AML_ATTEMPT_TOKEN", "PYTHONPATH")
"""Variables of a run that must not reach a service that is started from inside one."""

STARTING_GATE = "AML_STARTING_GATE"
"""Names the variable with the descriptor of the lock that a starting service holds."""

_PROGRAM = (
    "import sys; sys.path[:] = [entry for entry in sys.path if entry]; "
    "from aml_jupyter.service.process import main; sys.exit(main(sys.argv[1:]))"
)
"""What a service process runs: never a module of the folder that it happens to be started in."""


LOOK_SECONDS = 5.0
_looked: dict[str, float] = {}
"""Workspace folder -> when this process last looked after its service (`time.monotonic`)."""


@dataclass(frozen=True)
class ServiceStatus:
    """Who serves a workspace. `alive` is False when the last one is gone; `answers` is False when its socket is silent."""

    pid: int
    host: str
    epoch: int
    version: str
    started: float
    alive: bool
    answers: bool
    left: bool = False


def socket_path(folder: WorkspaceFolder) -> Path:
    """Return where the service of `folder` listens: short, and in the user's 0700 folder."""
    digest = hashlib.sha256(str(folder.root.resolve()).encode()).hexdigest()[:16]
    return runtime_folder() / f"{digest}.sock"


def ask(folder: WorkspaceFolder, request: dict[str, Any], timeout: float = 1.0) -> dict[str, Any] | None:
    """Send `request` to the service and return its answer, or None when nobody answers in `timeout` seconds."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(socket_path(folder)))
            send(connection, {"version": aml_jupyter.__version__, **request})
            return receive(connection)[0]
        except OSError:
            return None


def service_status(folder: WorkspaceFolder, timeout: float = 1.0) -> ServiceStatus | None:
    """Return who serves `folder`, or None when nobody has, since its database was made."""
    holder = current_lease(folder.store.read())
    if holder is None or "pid" not in holder:  # a rebuilt database knows the epoch only
        return None
    alive = _is_alive(holder)
    answers = alive and ask(folder, {"op": "status"}, timeout) is not None
    return ServiceStatus(
        pid=int(holder["pid"]),
        host=str(holder["host"]),
        epoch=int(holder["epoch"]),
        version=str(holder["version"]),
        started=float(holder["started"]),
        alive=alive,
        answers=answers,
        left=bool(holder.get("left")),
    )


def wake_service(folder: WorkspaceFolder) -> bool:
    """Tell the service that there is something to do; False when none answered."""
    answer = ask(folder, {"op": "wake"}, timeout=0.5)
    return answer is not None and not answer.get("leaving")


def ensure_service(folder: WorkspaceFolder) -> None:
    """Make sure that a service works on `folder`: wake the one that runs, or start one.

    A service of an older package is asked to hand over to this one. The call does not wait for a new service to be up.

    Raises
    ------
    ServiceException
        When a service process cannot be started.
    """
    answer = ask(folder, {"op": "wake"}, timeout=0.5)
    if answer is not None and not answer.get("leaving"):
        if not is_older(str(answer.get("version", "")), aml_jupyter.__version__):
            return
        ask(folder, {"op": "handover"})
    elif answer is None and _is_busy(folder):
        return
    _start(folder)


def look_after(folder: WorkspaceFolder) -> None:
    """Start the service again where none works on runs that have not ended; for whoever reads, and would wait in vain else.

    It is looked at most once in `LOOK_SECONDS`. Where no service can be started, reading goes on all the same: nothing is raised.
    Nobody who only reads becomes the one who runs another user's scripts; and a script that reads does not start a service that
    would have the environment of its run.
    """
    if "AML_RUN_ID" in os.environ:
        return
    now, key = time.monotonic(), str(folder.root)
    if now - _looked.get(key, -LOOK_SECONDS) < LOOK_SECONDS:
        return
    _looked[key] = now
    with contextlib.suppress(AmlError, OSError, sqlite3.Error):
        if os.stat(folder.root).st_uid != os.geteuid():
            return
        db = folder.store.read()
        holder = current_lease(db)
        if holder is not None and (_is_alive(holder) or identity.is_elsewhere(holder)):
            return  # one works on it, or another machine's does
        if queue.count_open_runs(db):
            ensure_service(folder)


def stop_service(folder: WorkspaceFolder, timeout: float = 10.0) -> bool:
    """Ask the service to end, and wait until it has; runs go on without it. False when none was running.

    Raises
    ------
    ServiceException
        When the service is still there after `timeout` seconds.
    """
    status = service_status(folder)
    if status is None or not status.alive:
        return False
    ask(folder, {"op": "stop"})
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        status = service_status(folder, 0.2)
        if status is None or not status.alive:
            return True
        time.sleep(0.02)
    raise ServiceException(
        f"The service of workspace {folder.name!r} (pid {status.pid}) did not end within {timeout:.0f} s; "
        f"its log is {folder.layout.logs / 'service.log'}."
    )


def _is_busy(folder: WorkspaceFolder) -> bool:
    """Tell whether a living service did not answer, and has not said that it leaves: it will look by itself."""
    holder = current_lease(folder.store.read())
    if holder is None or "pid" not in holder or holder.get("left"):
        return False
    return _is_alive(holder) and socket_path(folder).exists()


def _is_alive(holder: dict[str, Any]) -> bool:
    """Tell whether the service that took the lease is a process of this place, and has not ended."""
    return identity.is_alive({**holder, "supervisor": holder})


def _start(folder: WorkspaceFolder) -> None:
    """Start a service process, detached from this one."""
    gate = _starting_gate(folder)
    if gate is None:
        return  # one is on its way, and will find what was committed
    folder.layout.logs.mkdir(exist_ok=True)
    inside = "AML_RUN_ID" in os.environ
    environment = {name: value for name, value in os.environ.items() if not (inside and name in _OF_A_RUN)}
    environment[STARTING_GATE] = str(gate)
    command = [sys.executable, "-c", _PROGRAM, str(folder.root), "--until-idle"]
    log = os.open(folder.layout.logs / "service.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, log, 1),
        (os.POSIX_SPAWN_DUP2, log, 2),
    ]
    try:
        with fault_point("client.spawn_service"):
            pid = os.posix_spawn(sys.executable, command, environment, file_actions=actions, setsid=True)
    except OSError as error:
        raise ServiceException(
            f"The service of workspace {folder.name!r} could not be started ({error}). Start it by hand: aml serve."
        ) from error
    finally:
        os.close(log)
        os.close(gate)
    threading.Thread(target=_reap, args=(pid,), name="aml-reap-service", daemon=True).start()


def _starting_gate(folder: WorkspaceFolder) -> int | None:
    """Return the locked descriptor that lets one service start at a time, or None while another start is under way.

    The new service inherits it and closes it when it has the lease; when it dies first, the lock is free again.
    """
    path = socket_path(folder).with_suffix(".starting")
    gate = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(gate)
        return None
    os.set_inheritable(gate, True)
    return gate


def _reap(pid: int) -> None:
    """Wait for a service that this process started, so that it leaves no zombie here."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def is_older(theirs: str, ours: str) -> bool:
    """Tell whether version `theirs` is older than `ours`."""

    def parts(version: str) -> tuple[int, ...]:
        return tuple(int(part) for part in version.split(".") if part.isdigit())

    return parts(theirs) < parts(ours)

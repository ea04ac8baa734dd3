"""Own the lease: one service for each workspace, proved by a file lock held for life and by an epoch in the database.

The lock keeps a second service on the same machine out. The epoch does the rest: every transaction of the service checks it,
and every attempt carries it, so that a service that slept while another took over can do no harm.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass
from typing import Any

import aml_jupyter
from aml_jupyter.errors import ServiceException
from aml_jupyter.service.client import ask
from aml_jupyter.supervisor import identity
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.workspace import WorkspaceFolder, take_epoch

__all__ = ["Lease", "acquire"]


@dataclass
class Lease:
    """Hold the right to drive a workspace's runs until `release`."""

    folder: WorkspaceFolder
    epoch: int
    descriptor: int

    def release(self) -> None:
        """Give the lock back; the epoch stays, the next service takes a higher one."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def acquire(folder: WorkspaceFolder, socket_path: str, wait_seconds: float = 60.0) -> Lease | None:
    """Take the lease of `folder`, or return None when another service keeps it.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    socket_path : str
        Where this service will listen; written down for clients.
    wait_seconds : float
        How long to wait for a service that is on its way out; it may have to end what a lost run left behind first.

    Raises
    ------
    ServiceException
        When the lock file cannot be opened (read-only workspace, no rights).
    """
    path = folder.layout.service_lock
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ServiceException(
            f"The service of workspace {folder.name!r} cannot start: {path} cannot be opened ({error.strerror}). "
            "Make the folder writable for this user."
        ) from error
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline or _is_served(folder):
                os.close(descriptor)
                return None
            time.sleep(0.02)
    holder = _holder(socket_path)
    try:
        with folder.store.transaction() as tx:
            epoch = take_epoch(tx, holder)
        holder["epoch"] = epoch
        with fault_point("service.lease"):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return Lease(folder, epoch, descriptor)


def _is_served(folder: WorkspaceFolder) -> bool:
    """Tell whether the holder of the lock answers, and means to stay."""
    answer = ask(folder, {"op": "status"}, timeout=0.2)
    return answer is not None and not answer.get("leaving")


def _holder(socket_path: str) -> dict[str, Any]:
    return {
        **identity.describe(os.getpid()),
        **identity.here(),
        "version": aml_jupyter.__version__,
        "socket": socket_path,
        "started": time.time(),
        "left": False,
    }

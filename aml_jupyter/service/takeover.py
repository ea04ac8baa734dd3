"""Move a workspace to this machine, when the one that served it is gone."""

from __future__ import annotations

import os
import socket
import time

import aml_jupyter
from aml_jupyter.errors import ServiceException
from aml_jupyter.service.client import ensure_service, service_status
from aml_jupyter.workspace import WorkspaceFolder, take_epoch
from aml_jupyter.workspace.hosts import host_of, is_seen, machine, take_host
from aml_jupyter.workspace.queue import count_open_runs

__all__ = ["take_over"]


def take_over(folder: WorkspaceFolder, force: bool = False) -> str | None:
    """Make this machine the one that serves and writes `folder`; return whose it was, or None when nothing had to move.

    The epoch is taken, too, so that a service over there which comes back can do no harm. A service is started when
    runs are open.

    Parameters
    ----------
    force : bool
        Take it even though the other machine gave a sign of life a moment ago.

    Raises
    ------
    ServiceException
        When the other machine is there and `force` is False.
    """
    db = folder.store.read()
    status, owner = service_status(folder), host_of(db) if folder.store.network else None
    here = machine()
    owned = owner is not None and {key: owner.get(key) for key in here} != here
    served = status is not None and not status.alive and status.host != here["host"]
    if not owned and not served:
        return None
    whose = str(owner["host"]) if owned and owner is not None else str(status.host) if status is not None else ""
    if owned and owner is not None and is_seen(owner) and not (status is not None and status.left) and not force:
        raise ServiceException(
            f"{whose} was seen writing the workspace {folder.root} a moment ago. Stop its service there (aml serve --stop, or "
            "wait until its runs have ended), or take the workspace all the same with --force."
        )
    holder = {
        "pid": os.getpid(),
        "start_time": "",
        "host": socket.gethostname(),
        "boot_id": "",
        "version": aml_jupyter.__version__,
        "started": time.time(),
        "left": True,  # nobody serves yet: the next service here takes the epoch after this one
    }
    with folder.store.transaction(moving=True) as tx:
        take_epoch(tx, holder)
        if folder.store.network:
            take_host(tx)
    if count_open_runs(folder.store.read()):
        ensure_service(folder)
    return whose

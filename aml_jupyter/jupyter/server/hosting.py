"""Keep the service of each open workspace alive while the Jupyter server lives.

The service is a process of its own that outlives the server: nothing here ever stops it. A daemon thread looks every
two seconds whether a workspace with open runs has a living service, and starts one where it has not.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from aml_jupyter.errors import AmlError
from aml_jupyter.service import ensure_service, service_status
from aml_jupyter.workspace import WorkspaceFolder, list_workspaces, open_runs

from .workspaces import OpenWorkspaces

__all__ = ["Health", "ServiceHost"]

INTERVAL = 2.0
LONGEST_PAUSE = 60.0


@dataclass
class Health:
    """Say what the host knows of one workspace's service."""

    starts: int = 0
    """How often this server has started it."""
    last_start: float | None = None
    last_check: float | None = None
    error: str = ""
    """Why it could not be started the last time; empty when all is well."""
    pause: float = 0.0
    """Seconds to wait before the next start, after starts that did not last."""


class ServiceHost:
    """Watch the services of `workspaces`, and start one whenever open runs have none."""

    def __init__(self, workspaces: OpenWorkspaces, log: logging.Logger) -> None:
        self._workspaces = workspaces
        self._log = log
        self._health: dict[str, Health] = {}
        self._wake = threading.Event()
        self._stopped = False
        self._complaint = ""
        self._thread = threading.Thread(target=self._run, name="aml-service-host", daemon=True)

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; the services and their runs go on."""
        self._stopped = True
        self._wake.set()

    def health(self, folder: WorkspaceFolder) -> dict[str, Any]:
        """Return what is known of the service of `folder`, for people and for the API."""
        return asdict(self._health.get(folder.id, Health()))

    def _run(self) -> None:
        while not self._stopped:
            self._open_default()
            for folder in self._workspaces.opened():
                if not self._stopped:
                    self._look_after(folder)
            self._wake.wait(INTERVAL)

    def _open_default(self) -> None:
        """Open the server's own workspace; one that nobody has used yet is not made for this."""
        try:
            if os.environ.get("AML_WORKSPACE") or list_workspaces():
                self._workspaces.get("default")
            self._complaint = ""
        except (AmlError, OSError, sqlite3.Error) as error:
            if str(error) != self._complaint:
                self._log.warning("aml: the default workspace cannot be opened: %s", error)
            self._complaint = str(error)

    def _look_after(self, folder: WorkspaceFolder) -> None:
        health = self._health.setdefault(folder.id, Health())
        health.last_check = time.time()
        try:
            status = service_status(folder)
            if status is not None and status.alive:
                if health.last_start is None or time.time() - health.last_start > LONGEST_PAUSE:
                    health.pause = 0.0
                health.error = ""
                return
            if not open_runs(folder.store.read()):
                return
            if health.last_start is not None and time.time() - health.last_start < health.pause:
                return
            self._log.info("aml: starting the service of workspace %s", folder.name)
            health.pause = min(LONGEST_PAUSE, max(INTERVAL, 2 * health.pause))
            health.last_start = time.time()
            health.starts += 1
            ensure_service(folder)
            health.error = ""
        except (AmlError, OSError, sqlite3.Error) as error:
            if str(error) != health.error:
                self._log.warning("aml: the service of workspace %s: %s", folder.name, error)
            health.error = str(error)

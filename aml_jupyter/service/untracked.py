"""Remove runs with ``TrackedRun: false`` when they have ended: a little later, so that who follows one sees its end."""

from __future__ import annotations

import logging
import os
import time

from aml_jupyter.errors import LeaseLost, WorkspaceException
from aml_jupyter.service.lease import Lease
from aml_jupyter.workspace import WorkspaceFolder
from aml_jupyter.workspace.removal import ended_untracked, remove_run

__all__ = ["Untracked"]

KEPT_SECONDS = 10.0
"""How long a run that is to be removed can still be looked at."""

LOOK_EVERY = 2.0
"""Seconds between two looks for such runs."""

log = logging.getLogger("aml_jupyter.service")


class Untracked:
    """Find and remove the runs that are not to be remembered.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    lease : Lease
        The right to drive it.
    """

    def __init__(self, folder: WorkspaceFolder, lease: Lease) -> None:
        self.folder = folder
        self.lease = lease
        self.kept_seconds = float(os.environ.get("AML_UNTRACKED_SECONDS", KEPT_SECONDS))
        self._looked = float("-inf")
        self._version: int | None = None
        self._left: dict[str, float] = {}
        self._failed: set[str] = set()

    def any_left(self) -> bool:
        """Tell, after another look, whether runs wait to be removed; the service does not leave before."""
        self._look()
        return bool(self._left)

    def remove(self) -> None:
        """Remove what has ended long enough ago."""
        if time.monotonic() - self._looked >= LOOK_EVERY:
            self._look()
        now = time.time()
        for run_id in [run for run, ended in self._left.items() if not 0 <= now - ended < self.kept_seconds]:
            try:
                remove_run(self.folder, run_id, self.lease.epoch)
                log.info("run %s was removed: TrackedRun is false", run_id)
            except LeaseLost:
                raise
            except WorkspaceException as error:
                log.error("run %s: %s", run_id, error.message)
                self._failed.add(run_id)  # tried again by the next service
            del self._left[run_id]

    def _look(self) -> None:
        self._looked = time.monotonic()
        version = self.folder.store.data_version()
        if version == self._version and not self._left:
            return
        self._version = version
        found = ended_untracked(self.folder.store.read())
        self._left = {run: ended for run, ended in found if run not in self._failed}

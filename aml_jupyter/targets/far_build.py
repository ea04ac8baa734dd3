"""Wait for an environment that is built on a far machine, with its log here, and say how far it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from aml_jupyter.environments import EnvironmentCache
from aml_jupyter.errors import UserErrorException
from aml_jupyter.supervisor import protocol
from aml_jupyter.targets.far_link import FarLink
from aml_jupyter.targets.far_upload import Sender
from aml_jupyter.targets.protocol import Handle
from aml_jupyter.transports.ssh import HostUnreachable
from aml_jupyter.workspace import WorkspaceFolder, get_run, update_run

__all__ = ["FarBuild", "send_files"]


def send_files(link: FarLink, folder: WorkspaceFolder, recipe: dict[str, Any], cache: Path) -> None:
    """Have the local files that a recipe names beside the environment over there; only what is missing is sent.

    Parameters
    ----------
    recipe : dict
        As ``run.json`` has it.
    cache : Path
        The environment cache here, which keeps them.

    Raises
    ------
    HostUnreachable
        When the link is cut.
    UserErrorException
        When one is gone from the cache.
    """
    names = [str(name) for name in recipe["asked"].get("files") or ()]
    if not names:
        return
    kept = cache / "files"
    try:
        folders = [[name.partition("/")[0], "d", "", 0] for name in names]
        files = [[name, "f", name.partition("/")[0], os.stat(kept / name).st_size] for name in names]
    except OSError as error:
        raise UserErrorException(
            f"{error.filename}, which the run was submitted with, is gone ({error.strerror}). Submit the run again.",
            "environment",
        ) from error
    Sender(folder, link).send_files(str(recipe["key"]), [*folders, *files], kept)


class FarBuild:
    """Have one environment built for one attempt.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    link : FarLink
        The link.
    target : str
        The target's name, for messages.
    handle : Handle
        The attempt that waits for it.
    recipe : dict
        As ``run.json`` has it.
    """

    def __init__(
        self, folder: WorkspaceFolder, link: FarLink, target: str, handle: Handle, recipe: dict[str, Any]
    ) -> None:
        self._folder = folder
        self._link = link
        self._target = target
        self._handle = handle
        self._recipe = recipe
        self._log = folder.layout.run(handle.run_id).attempt(handle.attempt).control / protocol.BUILD_LOG
        self._outcome: dict[str, Any] = {}

    def wait(self) -> None:
        """Return when it is ready; the build goes on over there whatever becomes of the link.

        Raises
        ------
        HostUnreachable
            When the link is cut, or the run was canceled meanwhile: who asks again finds the build under way.
        UserErrorException
            When it cannot be built; its log is beside the run's.
        """
        have = self._log.stat().st_size if self._log.exists() else 0
        if not have:
            self._say(f"builds its environment on {self._target} ({self._recipe.get('title')})")
        send_files(self._link, self._folder, self._recipe, EnvironmentCache().root)
        self._link.ask(
            "environment", part=self._take, given_up=self._is_canceled, recipe=self._recipe, have=have, seconds=3600
        )
        if "failed" in self._outcome:
            raise UserErrorException(
                f"The environment ({self._recipe.get('title')}) could not be built on {self._target}: "
                f"{self._outcome['failed']}. The log of the build is {self._log}.",
                "environment",
            )
        if "ready" not in self._outcome:
            raise HostUnreachable(f"{self._target} did not say what became of the environment", "target")

    def _take(self, header: dict[str, Any], body: bytes) -> None:
        if header.get("again"):
            self._log.write_bytes(b"")
        elif "offset" in header:
            os.makedirs(self._log.parent, exist_ok=True)
            with open(self._log, "r+b" if self._log.exists() else "w+b") as stream:
                stream.truncate(int(header["offset"]))
                stream.seek(int(header["offset"]))
                stream.write(body)
        else:
            self._outcome = header

    def _is_canceled(self) -> bool:
        return get_run(self._folder.store.read(), self._handle.run_id).cancel_requested is not None

    def _say(self, reason: str) -> None:
        with self._folder.store.transaction() as tx:
            update_run(tx, self._handle.run_id, reason=reason)

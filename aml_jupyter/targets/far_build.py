"""Wait for an environment that is built on a far machine, with its log here, and say how far it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from aml_jupyter.environments import EnvironmentCache
from aml_jupyter.errors import UserErrorException
from aml_jupyter.supervisor import protocol
from aml_jupyter.targets.far_conda import send_linked
from aml_jupyter.targets.far_link import FarLink
from aml_jupyter.targets.far_upload import Sender
from aml_jupyter.targets.far_uv import send_uv, uv_for
from aml_jupyter.targets.protocol import Handle
from aml_jupyter.transports.ssh import HostUnreachable
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder, get_run, read_definition, update_run

__all__ = ["MOST_TURNS", "FarBuild", "send_files"]

MOST_TURNS: Final = 4
"""How often the other machine may ask for what it needs: conda's packages of a build that was killed there, again."""


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
    record : TargetRecord
        The target.
    handle : Handle
        The attempt that waits for it.
    recipe : dict
        As ``run.json`` has it.
    """

    def __init__(
        self, folder: WorkspaceFolder, link: FarLink, record: TargetRecord, handle: Handle, recipe: dict[str, Any]
    ) -> None:
        self._folder = folder
        self._link = link
        self._target = record.name
        self._handle = handle
        self._recipe = recipe
        self._base = str(record.settings["base_folder"])
        self._uv = uv_for(recipe, record.settings.get("found") or {})
        self._said_here = 0
        """How many bytes of the log were said by this machine; those of the other one come after them."""
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
        is_conda = self._recipe.get("kind") == "conda"
        have = self._log.stat().st_size if self._log.exists() and not is_conda else 0
        if not have:
            self._say(f"builds its environment on {self._target} ({self._recipe.get('title')})")
        send_files(self._link, self._folder, self._recipe, EnvironmentCache().root)
        for turn in range(MOST_TURNS):
            self._ask(have if turn == 0 else 0)
            if "need" not in self._outcome:
                break
            if self._outcome["need"] == "uv":
                self._say("sends uv, which builds its environment")
                send_uv(self._link, self._folder, self._uv)
            else:
                self._send_packages()
        if "failed" in self._outcome:
            raise UserErrorException(
                f"The environment ({self._recipe.get('title')}) could not be built on {self._target}: "
                f"{self._outcome['failed']}. The log of the build is {self._log}.",
                "environment",
            )
        if "ready" not in self._outcome:
            raise HostUnreachable(f"{self._target} did not say what became of the environment", "target")

    def _ask(self, have: int) -> None:
        self._link.ask(
            "environment",
            part=self._take,
            given_up=self._is_canceled,
            recipe=self._recipe,
            uv=self._uv,
            have=have,
            seconds=3600,
        )

    def _send_packages(self) -> None:
        """Have conda's packages solved and linked here, and sent there."""
        os.makedirs(self._log.parent, exist_ok=True)
        submitter = read_definition(self._folder.layout, self._handle.run_id)["submitter"]
        with open(self._log, "wb", buffering=0) as log:
            send_linked(
                self._link,
                self._folder,
                self._recipe,
                self._base,
                submitter.get("variables") or {},
                lambda text: log.write(text.encode()),
                self._go_on,
            )
            self._said_here = log.tell()

    def _go_on(self) -> None:
        if self._is_canceled():
            raise HostUnreachable("the run was canceled while its environment was made", "target")

    def _take(self, header: dict[str, Any], body: bytes) -> None:
        if header.get("again"):
            if self._log.exists():
                os.truncate(self._log, self._said_here)
        elif "offset" in header:
            os.makedirs(self._log.parent, exist_ok=True)
            offset = self._said_here + int(header["offset"])
            with open(self._log, "r+b" if self._log.exists() else "w+b") as stream:
                stream.truncate(offset)
                stream.seek(offset)
                stream.write(body)
        else:
            self._outcome = header

    def _is_canceled(self) -> bool:
        return get_run(self._folder.store.read(), self._handle.run_id).cancel_requested is not None

    def _say(self, reason: str) -> None:
        with self._folder.store.transaction() as tx:
            update_run(tx, self._handle.run_id, reason=reason)

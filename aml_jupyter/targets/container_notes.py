"""Own the notes on containers in a workspace: ``containers/<name>.json`` stands from before one is made until it is removed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from aml_jupyter.supervisor import durable, protocol
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.targets.container_place import container_name
from aml_jupyter.targets.engine_watch import any_removal, watch_of
from aml_jupyter.targets.protocol import Handle
from aml_jupyter.transports.engine_ways import is_far
from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["ContainerNotes", "placement_in"]


class ContainerNotes:
    """Write and forget the notes of one workspace.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    """

    def __init__(self, folder: WorkspaceFolder) -> None:
        self._workspace = folder
        self.folder = f"{folder.root}/containers"

    def name(self, handle: Handle) -> str:
        """Return the name of an attempt's container."""
        token = protocol.attempt_token(self._workspace.id, handle.run_id, handle.attempt)
        return container_name(token, handle.run_id, handle.attempt)

    def file(self, handle: Handle, ending: str) -> str:
        """Return the path of an attempt's note (``json``) or lock (``lock``)."""
        return f"{self.folder}/{self.name(handle)}.{ending}"

    def write(self, handle: Handle, engine: str) -> None:
        """Note that there may be a container of an attempt from now on."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        note = {"engine": engine, "name": self.name(handle), **handle.as_dict()}
        durable.write_json(self.file(handle, "json"), note, point="container.write")

    def remove(self, engine: str, name: str) -> None:
        """Have a container ended and removed, then its note and lock; without waiting for it."""
        lock = f"{self.folder}/{name}.lock"

        def forget_lock() -> None:
            with fault_point("container.forget"), contextlib.suppress(FileNotFoundError):
                os.unlink(lock)

        watch_of(engine).remove(name, f"{self.folder}/{name}.json", forget_lock)

    def tidy(self, keep: Collection[Handle]) -> bool:
        """Have the containers removed that belong to no attempt of `keep`; True while something is being removed."""
        under_way = any_removal()
        try:
            names = os.listdir(self.folder)
        except OSError:
            return under_way
        kept = {self.name(handle) for handle in keep}
        for entry in names:
            name = entry[: -len(".json")]
            if not entry.endswith(".json") or entry.startswith(".") or name in kept:
                continue
            with contextlib.suppress(OSError, ValueError, KeyError):
                path = Path(self.folder, entry)
                note = json.loads(path.read_text())
                if is_far(note["engine"]) and not self._reach(note):
                    with fault_point("container.forget"), contextlib.suppress(FileNotFoundError):
                        path.unlink()
                    continue
                self.remove(note["engine"], name)
                under_way = under_way or not watch_of(note["engine"]).is_away
        return under_way

    def _reach(self, note: dict[str, Any]) -> bool:
        """See to it that a far engine can be asked; False where nobody knows the way to it any more."""
        from aml_jupyter.targets.far_engine import reach_engine  # here: most workspaces have none

        return reach_engine(self._workspace, str(note["engine"]), str(note["target"]))


def placement_in(control: str) -> dict[str, Any] | None:
    """Return what ``container.json`` of an attempt says; None for a process."""
    try:
        return protocol.read_json(protocol.container_path(control))
    except (OSError, ValueError):
        return None

"""Run attempts in containers of the Docker engine of a machine that is reached over SSH: the runtime behind `remotedocker`.

All that `RemoteTarget` does for a process it does for a container, too: files, slots, log and questions go the same way. Only
the supervisor is started by the engine, in a container into which the attempt's folder over there is mounted under its own name;
the service asks the engine for it through a socket that leads there (`far_engine`). Whether it lives is read from the process
table over there, then from its heartbeat; the engine is asked last.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from aml_jupyter.supervisor import durable, protocol
from aml_jupyter.targets.container_check import engine_there
from aml_jupyter.targets.container_notes import ContainerNotes, placement_in
from aml_jupyter.targets.container_options import read_arguments
from aml_jupyter.targets.container_place import Owner, Placement
from aml_jupyter.targets.container_start import needs_shell, start_container
from aml_jupyter.targets.engine_watch import explained, watch_of
from aml_jupyter.targets.far_engine import way_to_engine
from aml_jupyter.targets.far_host import FarHost
from aml_jupyter.targets.far_mirror import Seen
from aml_jupyter.targets.protocol import Container, Handle, Launch, Needs, Observation
from aml_jupyter.targets.remote import ASKED, RemoteTarget
from aml_jupyter.targets.shell_launch import LAUNCH, shell_text
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder

__all__ = ["RemoteHost"]


class RemoteHost(RemoteTarget):
    """Start supervisors on another machine: as processes, and in containers where a launch asks for one."""

    def __init__(self, folder: WorkspaceFolder, record: TargetRecord) -> None:
        super().__init__(folder, record)
        self._notes = ContainerNotes(folder)
        self._placed: dict[Handle, dict[str, Any] | None] = {}

    # -- room ---------------------------------------------------------------------------------------------------

    def reserve(self, handle: Handle, needs: Needs) -> str | None:
        """Ask for slots over there, when the engine that the run needs answers."""
        if needs.engine:
            if engine_there(self._record) != needs.engine:
                return (
                    f"waits for its container: it was submitted for the Docker engine {needs.engine}, and {self.name} has "
                    f"{engine_there(self._record)} now; cancel it and submit it again"
                )
            way_to_engine(self._folder, self._record)
            obstacle = watch_of(needs.engine).obstacle()
            if obstacle:
                return f"waits for its container: {obstacle}"
        return super().reserve(handle, needs)

    def withdraw(self, handle: Handle, needs: Needs) -> str | None:
        """Ask for no slots any more while the machine or its engine is away, when it was not asked to start the attempt."""
        reason = super().withdraw(handle, needs)
        if reason is not None or not needs.engine or self._is_marked(handle, ASKED):
            return reason
        watch = watch_of(needs.engine)
        obstacle = watch.obstacle()
        if obstacle is None or not watch.is_away:
            return None
        self.release(handle)
        return f"waits for its container: {obstacle}"

    # -- start ----------------------------------------------------------------------------------------------------

    def stage(self, handle: Handle, launch: Launch, place: dict[str, Any] | None = None) -> None:
        """Send what is missing over there, with what says in which container the attempt runs."""
        self._placed.pop(handle, None)
        wanted = launch.container
        if wanted is None:
            super().stage(handle, launch, place)
            return
        paths = self.paths(handle)
        memory = int(read_arguments(wanted.arguments).get("Memory") or launch.needs.memory)
        has_inputs = bool(launch.inputs_here and os.path.isdir(launch.inputs_here) and os.listdir(launch.inputs_here))
        place = {
            "format": protocol.FORMAT,
            "name": self._notes.name(handle),
            "engine": wanted.engine,
            "image": wanted.image,
            "token": launch.token,
            "memory": memory,
            "container": asdict(wanted),
            "needs": asdict(launch.needs),
            "inputs": paths.inputs if has_inputs else None,
            "shell": LAUNCH if needs_shell(wanted) else None,
        }
        control = self._control(handle)
        os.makedirs(control, exist_ok=True)
        durable.write_json(protocol.container_path(control), place, point="container.write", sync=False, mode=0o600)
        pipe = f"{paths.control}/{protocol.WAKE}"
        # The engine keeps the container to its memory; the supervisor inside has none to keep.
        needs = replace(launch.needs, memory=0)
        super().stage(handle, replace(launch, needs=needs, environment={**launch.environment, "AML_WAKE": pipe}), place)

    def _files(self, handle: Handle, launch: Launch, content: dict[str, Any], place: dict[str, Any] | None) -> Any:
        files = super()._files(handle, launch, content, place)
        if place is not None and place["shell"]:
            paths = self.paths(handle)
            text = shell_text({**content, "cwd": paths.work}, paths.control, int(place["memory"]))
            files[f"{protocol.CONTROL}/{LAUNCH}"] = text.encode()
        return files

    def start(self, handle: Handle, holds: Sequence[int] = ()) -> None:
        """Have a keeper over there hold the slots, and the engine start the container; a second call starts nothing twice."""
        placed = self._placement(handle)
        if placed is None:
            super().start(handle, holds)
            return
        paths, host = self.paths(handle), self._host
        way_to_engine(self._folder, self._record)
        self._notes.write(handle, placed["engine"])
        try:
            answer = self._begin(handle)
            placement = Placement(
                name=placed["name"],
                token=placed["token"],
                workspace=self._folder.id,
                run_id=handle.run_id,
                attempt=handle.attempt,
                folder=os.path.dirname(paths.control),
                bundle=os.path.dirname(paths.archive),
                archive=paths.archive,
                inputs=placed["inputs"],
                gpus=tuple(map(str, answer.get("devices") or ())),
                owner=Owner(int(self._facts["uid"]), int(self._facts["gid"]), str(self._facts["user"])),
                copy=self._control(handle),
            )
            start_container(
                watch_of(placed["engine"]).engine,
                Container(**{**placed["container"], "arguments": tuple(placed["container"]["arguments"])}),
                Needs(**placed["needs"]),
                placement,
                before=lambda: None,
            )
        except BaseException:
            host.link.post("let_go", key=[handle.run_id, handle.attempt])
            raise

    # -- look, and end ----------------------------------------------------------------------------------------------

    def _heard(self, host: FarHost, handle: Handle, seen: Seen, attempt: dict[str, Any]) -> Observation:
        placed = self._placement(handle)
        if placed is None or seen.state != "unseen" or not host.link.is_up:
            return super()._heard(host, handle, seen, attempt)
        way_to_engine(self._folder, self._record)
        watch = watch_of(placed["engine"])
        said = watch.state(placed["name"])
        if said is not None and said.state in ("exited", "gone"):
            return Observation("lost", attempt, message="supervisor lost", explanation=explained(said))
        found = super()._heard(host, handle, seen, attempt)
        if found.state == "silent":
            return replace(found, message=f"{found.message}; {watch.obstacle() or 'the Docker engine is asked'}")
        return found

    def bury(self, handle: Handle, reason: str, message: str) -> dict[str, Any]:
        """Ask the engine what it knows of the container's end, have what is left ended, and the result written."""
        placed = self._placement(handle)
        if placed is not None:
            way_to_engine(self._folder, self._record).wait()
            reason, message = watch_of(placed["engine"]).explain_end(placed, reason, message)
        return super().bury(handle, reason, message)

    def collect(self, handle: Handle) -> None:
        """Bring here all that the attempt made, then have its container and its folder there removed."""
        placed = self._placement(handle)
        super().collect(handle)
        self._placed.pop(handle, None)
        if placed is not None and not self._is_abandoned(handle):
            way_to_engine(self._folder, self._record)
            self._notes.remove(placed["engine"], placed["name"])

    def _placement(self, handle: Handle) -> dict[str, Any] | None:
        """Return what was written of an attempt's container; None for a process."""
        if handle not in self._placed:
            self._placed[handle] = placement_in(self._control(handle))
        return self._placed[handle]

"""Run attempts in containers of a Docker engine of this machine: on `local`, a compute instance, or a target of type `docker`.

The supervisor runs in the container; its files are the attempt's folder, mounted under the path that it has here. So all
that a process does, a container does: slots, log, in-run client, children, models. The engine only places it: whether it
lives is read from the process table, then from its heartbeat; the engine is asked last, and never by the loop.

``<workspace>/containers/<name>.json`` notes a container from before it is made until it is removed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from aml_jupyter.supervisor import durable, identity, protocol
from aml_jupyter.supervisor.control_files import read_result
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.supervisor.keeper import is_kept, let_go, make_pipe
from aml_jupyter.targets.container_notes import ContainerNotes, placement_in
from aml_jupyter.targets.container_options import read_arguments
from aml_jupyter.targets.container_place import Placement, container_name
from aml_jupyter.targets.container_start import start_container
from aml_jupyter.targets.engine_watch import explained, watch_of
from aml_jupyter.targets.process import ProcessTarget, heard, request_names
from aml_jupyter.targets.protocol import Capacity, CheckReport, Container, Handle, Launch, Needs, Observation
from aml_jupyter.transports.this_machine import ThisMachine
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder

__all__ = ["ContainerHost"]

LENT = "lent"
"""Folder in control/ with the files of the workspace that the attempt has asked for."""


class ContainerHost(ProcessTarget):
    """Start supervisors on this machine: as processes, and in containers where a launch asks for one."""

    def __init__(self, folder: WorkspaceFolder, record: TargetRecord, machine: ThisMachine) -> None:
        super().__init__(folder, record, machine)
        self._notes = ContainerNotes(folder)
        self._engine = str(record.settings.get("engine") or "")
        self._placed: dict[Handle, dict[str, Any] | None] = {}
        self._first: dict[Handle, tuple[int, str]] = {}
        """The first process of a container and its start time, as the process table of this machine has them."""

    # -- room ---------------------------------------------------------------------------------------------------

    def check(self) -> CheckReport:
        """Report this machine, and the engine of a target of type `docker`."""
        report = super().check()
        if not self._engine:
            return report
        obstacle = watch_of(self._engine).first_obstacle()
        problems = [obstacle] if obstacle else []
        return CheckReport({**report.facts, "engine": self._engine}, (*report.problems, *problems))

    def capacity(self) -> Capacity:
        """Report the free slots; none while the engine of a target of type `docker` is away."""
        found = super().capacity()
        obstacle = watch_of(self._engine).first_obstacle() if self._engine else None
        return Capacity(found.total, 0, obstacle) if obstacle else found

    def reserve(self, handle: Handle, needs: Needs) -> str | None:
        """Lock slots for `handle`, when the engine that it needs answers."""
        if needs.engine:
            if self._is_kept(handle):
                return None  # the service before this one got as far as the keeper, which has the slots
            obstacle = watch_of(needs.engine).obstacle()
            if obstacle:
                return f"waits for its container: {obstacle}"
        return super().reserve(handle, needs)

    def is_away(self, needs: Needs) -> bool:
        """Tell whether the engine of a run is away; all runs of a target of type `docker` have the same."""
        return bool(needs.engine) and not self._engine and watch_of(needs.engine).obstacle() is not None

    def withdraw(self, handle: Handle, needs: Needs) -> str | None:
        """Let go of the slots of an attempt whose engine is away, when nothing of it is or was there."""
        if not needs.engine:
            return super().withdraw(handle, needs)
        watch = watch_of(needs.engine)
        obstacle = watch.obstacle()
        if obstacle is None or not watch.is_away or self._is_kept(handle):
            return None
        token = protocol.attempt_token(self._folder.id, handle.run_id, handle.attempt)
        if any(identity.survivors(token)) or self._observe(handle).state != "absent":
            return None
        self.release(handle)
        return f"waits for its container: {obstacle}"

    def _is_kept(self, handle: Handle) -> bool:
        return is_kept(self._notes.file(handle, "lock"))

    # -- start ----------------------------------------------------------------------------------------------------

    def stage(self, handle: Handle, launch: Launch) -> None:
        """Put the files in place, and what says in which container the attempt runs."""
        self._placed.pop(handle, None)
        if launch.container is None:
            super().stage(handle, launch)
            return
        control = self._place(handle, protocol.CONTROL)
        pipe = f"{control}/{protocol.WAKE}"
        wake = launch.environment.get("AML_WAKE") or None
        # The engine keeps the container to its memory; the supervisor inside has none to keep.
        needs = replace(launch.needs, memory=0)
        super().stage(handle, replace(launch, needs=needs, environment={**launch.environment, "AML_WAKE": pipe}))
        content = {
            "format": protocol.FORMAT,
            "name": self._notes.name(handle),
            "engine": launch.container.engine,
            "image": launch.container.image,
            "token": launch.token,
            "wake": wake,
            "lock": self._notes.file(handle, "lock"),
            "memory": read_arguments(launch.container.arguments).get("Memory") or launch.needs.memory,
            "container": asdict(launch.container),
            "needs": asdict(launch.needs),
            "inputs": launch.inputs,
        }
        durable.write_json(protocol.container_path(control), content, point="container.write", sync=False, mode=0o600)
        self._placed.pop(handle, None)

    def start(self, handle: Handle, holds: Sequence[int] = ()) -> None:
        """Have a keeper hold the slots, and the engine start the container; a second call finds the first one's work."""
        placed = self._placement(handle)
        if placed is None:
            super().start(handle, holds)
            return
        control = self._place(handle, protocol.CONTROL)
        try:
            self._notes.write(handle, placed["engine"])
            watch = watch_of(placed["engine"])
            bundle = self._machine.place_bundle()
            inputs = placed.get("inputs") or f"{self._runs}/{handle.run_id}/inputs"
            placement = Placement(
                name=placed["name"],
                token=placed["token"],
                workspace=self._folder.id,
                run_id=handle.run_id,
                attempt=handle.attempt,
                folder=os.path.dirname(control),
                bundle=str(bundle.root),
                archive=str(bundle.archive),
                inputs=inputs if os.path.isdir(inputs) else None,
                gpus=tuple(self._held[handle].devices) if handle in self._held else (),
            )
            start_container(
                watch.engine,
                Container(**{**placed["container"], "arguments": tuple(placed["container"]["arguments"])}),
                Needs(**placed["needs"]),
                placement,
                before=lambda: self._keep(handle, control, holds),
            )
        except BaseException:
            let_go(control)
            raise
        finally:
            self.release(handle)

    def start_at_once(self, handle: Handle) -> bool:
        """Start a staged process; a container takes its time."""
        return self._placement(handle) is None and super().start_at_once(handle)

    def _keep(self, handle: Handle, control: str, holds: Sequence[int]) -> None:
        """Make the pipe, and have a keeper forked that holds the slots of the attempt."""
        if self._is_kept(handle):
            return
        make_pipe(control)
        held = self._held.get(handle)
        with fault_point("container.keeper"):
            self._machine.start_supervisor(Path(control), (*(held.fds if held else ()), *holds))

    # -- look -----------------------------------------------------------------------------------------------------

    def _look(self, handle: Handle, control: str, attempt: dict[str, Any]) -> Observation:
        placed = self._placement(handle)
        if placed is None:
            return super()._look(handle, control, attempt)
        requests = request_names(f"{control}/{protocol.REQUESTS}")
        if attempt.get("boot_id") != identity.boot_id():
            return Observation("lost", attempt, message="host rebooted")
        was_seen = handle in self._first
        if self._lives(handle, placed["token"]):
            return heard(control, attempt, requests)
        result = read_result(control)  # it may have ended between the two looks
        if result:
            return Observation("ended", attempt, result)
        watch = watch_of(placed["engine"])
        said = watch.state(placed["name"])
        if was_seen or (said is not None and said.state in ("exited", "gone")):
            return Observation("lost", attempt, message="supervisor lost", explanation=explained(said))
        if said is not None:
            return heard(control, attempt, requests)  # it runs where this user cannot see its processes
        found = heard(control, attempt, requests)
        if found.state == "silent":
            return replace(found, message=f"{found.message}; {watch.obstacle() or 'the Docker engine is asked'}")
        return found

    def _lives(self, handle: Handle, token: str) -> bool:
        """Tell whether the first process of a container is in the process table."""
        known = self._first.get(handle)
        if known is not None:
            return identity.start_time(known[0]) == known[1]
        first = identity.first_process(token)
        if first is not None:
            self._first[handle] = first
        return first is not None

    # -- end ------------------------------------------------------------------------------------------------------

    def bury(self, handle: Handle, reason: str, message: str) -> dict[str, Any]:
        """End the container, ask the engine what it knows of its end, and write the result."""
        placed = self._placement(handle)
        if placed is None:
            return super().bury(handle, reason, message)
        reason, message = watch_of(placed["engine"]).explain_end(placed, reason, message)
        return super().bury(handle, reason, message)

    def collect(self, handle: Handle) -> None:
        """Have the container removed; the files are in the workspace already."""
        placed = self._placement(handle)
        self._first.pop(handle, None)
        self._placed.pop(handle, None)
        if placed is None:
            return
        with fault_point("container.lend"):
            shutil.rmtree(f"{self._place(handle, protocol.CONTROL)}/{LENT}", ignore_errors=True)
        self._notes.remove(placed["engine"], placed["name"])

    def tidy(self, keep: Collection[Handle]) -> bool:
        """Have the containers removed that are noted, and belong to no attempt of `keep`, when their engine answers."""
        return self._notes.tidy(keep)

    def lend(self, handle: Handle, path: str) -> str:
        """Copy `path` to where the container can read it, when it cannot where it is."""
        if self._placement(handle) is None or os.path.realpath(path).startswith(self._place(handle, "") or "/"):
            return path
        digest = container_name(path, "", 0).rsplit("-", 1)[-1]
        inside = f"{LENT}/{digest}/{os.path.basename(path)}"
        copy = f"{self._place(handle, protocol.CONTROL)}/{inside}"
        with fault_point("container.lend"):
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            if os.path.isdir(path):
                shutil.copytree(path, copy, dirs_exist_ok=True)
            elif os.path.exists(path):
                shutil.copyfile(path, copy)
        return inside

    # -- helpers --------------------------------------------------------------------------------------------------

    def _placement(self, handle: Handle) -> dict[str, Any] | None:
        """Return what ``container.json`` of the attempt says; None for a process."""
        if handle not in self._placed:
            self._placed[handle] = placement_in(self._place(handle, protocol.CONTROL))
        return self._placed[handle]

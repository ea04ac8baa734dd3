"""Run attempts as processes of this machine: the runtime behind `local` and `computeinstance`.

The attempt's folder in the workspace is the place where it runs, so nothing has to be sent or fetched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.supervisor import durable, identity, last_word, protocol
from aml_jupyter.supervisor.control_files import DAMAGED, read_attempt, read_result
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.supervisor.slots import HeldSlots
from aml_jupyter.targets.protocol import Capacity, CheckReport, Handle, Launch, Needs, Observation, Paths
from aml_jupyter.targets.room import MachineRoom
from aml_jupyter.transports.this_machine import ThisMachine
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder, materialise

__all__ = ["ProcessTarget"]

SILENT_AFTER = 60.0
"""Seconds without a heartbeat after which a living supervisor is called silent."""


class ProcessTarget:
    """Start supervisors on this machine, within slots that all workspaces of the user share.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace whose runs are started.
    record : TargetRecord
        The target; for its settings see `MachineRoom`.
    machine : ThisMachine
        The transport.
    """

    is_remote = False

    def __init__(self, folder: WorkspaceFolder, record: TargetRecord, machine: ThisMachine) -> None:
        self.name = record.name
        self._folder = folder
        self._runs = str(folder.layout.runs)
        self._machine = machine
        self._room = MachineRoom(folder.name, record, machine)
        self._held: dict[Handle, HeldSlots] = {}

    # -- room ---------------------------------------------------------------------------------------------------

    @property
    def max_parallel(self) -> int | None:
        """How many cores the runs of this target get at once, whatever others have of the machine."""
        return self._room.max_parallel

    def check(self) -> CheckReport:
        """Report cores, memory, GPUs and disk space of this machine, and what of them is free."""
        disk = shutil.disk_usage(self._folder.root)
        problems = (
            [] if disk.free > 100 * 2**20 else [f"only {disk.free // 2**20} MB are free below {self._folder.root}"]
        )
        wrong = self._room.problems()
        return CheckReport({**self._room.facts(), "disk_free": disk.free}, (*problems, *wrong))

    def capacity(self) -> Capacity:
        """Report the free slots, and who holds the others."""
        return self._room.capacity()

    def refusal(self, needs: Needs) -> str | None:
        """Return why this machine can never give `needs`, or None."""
        return self._room.refusal(needs)

    def paths(self, handle: Handle) -> Paths:
        """Return the folders of the attempt in the workspace, and the bundle's place."""
        placed = self._machine.place_bundle()
        work, control = self._place(handle, protocol.WORK), self._place(handle, protocol.CONTROL)
        return Paths(work, control, str(placed.archive), str(placed.site))

    def reserve(self, handle: Handle, needs: Needs) -> str | None:
        """Lock slots for `handle`; they go over to its supervisor with `start`."""
        if handle in self._held:
            return None
        held = self._room.take(needs, {"token": f"{handle.run_id}/{handle.attempt}"})
        if isinstance(held, str):
            return held
        self._held[handle] = held
        return None

    def release(self, handle: Handle) -> None:
        """Unlock slots that no supervisor took over."""
        held = self._held.pop(handle, None)
        if held is not None:
            held.close()

    def is_away(self, needs: Needs) -> bool:
        """Return False: this machine is always there."""
        return False

    def withdraw(self, handle: Handle, needs: Needs) -> str | None:
        """Return None: this machine is always there."""
        return None

    # -- one attempt ----------------------------------------------------------------------------------------------

    def stage(self, handle: Handle, launch: Launch) -> None:
        """Put the snapshot into ``work/`` and the launch file into ``control/``."""
        work, control = self._place(handle, protocol.WORK), self._place(handle, protocol.CONTROL)
        if launch.snapshot is not None:
            materialise(self._folder, launch.snapshot, work)
        os.makedirs(work, exist_ok=True)
        for path in (f"{work}/outputs", control):
            with contextlib.suppress(FileExistsError):
                os.mkdir(path)
        for name, content in launch.control_files.items():
            durable.write_json(f"{control}/{name}", content, point="target.control_file", sync=False, mode=0o600)
        durable.write_json(
            f"{control}/{protocol.LAUNCH}",
            {
                "format": protocol.FORMAT,
                "epoch": launch.epoch,
                "token": launch.token,
                "run_id": handle.run_id,
                "attempt": handle.attempt,
                "command": list(launch.command),
                "cwd": work,
                "environment": {**self._room.variables(launch.needs), **launch.environment},
                "max_seconds": launch.max_seconds,
                "grace_seconds": launch.grace_seconds,
                "memory": launch.needs.memory,
                "wake": launch.environment.get("AML_WAKE") or None,
                "inherit": launch.container is not None,
            },
            point="target.launch",
            sync=False,
            mode=0o600,
        )

    def start(self, handle: Handle, holds: Sequence[int] = ()) -> None:
        """Have a supervisor forked, and let it keep the slots and `holds`; when that fails, the slots are free again."""
        held = self._held.get(handle)
        control = self._place(handle, protocol.CONTROL)
        try:
            with fault_point("target.spawn"):
                self._machine.start_supervisor(Path(control), (*(held.fds if held else ()), *holds))
        finally:
            self.release(handle)

    def start_at_once(self, handle: Handle) -> bool:
        """Start what is staged when a warm parent is there, which takes well under a millisecond."""
        held = self._held.get(handle)
        control = Path(self._place(handle, protocol.CONTROL))
        is_started = True  # so far as nobody knows better: the slots of a start that failed are free again
        try:
            with fault_point("target.spawn_at_once"):
                is_started = self._machine.start_supervisor_at_once(control, held.fds if held else ())
        finally:
            if is_started:
                self.release(handle)
        return is_started

    def observe(self, handles: Sequence[Handle]) -> dict[Handle, Observation]:
        """Look at the files of every handle."""
        return {handle: self._observe(handle) for handle in handles}

    def _observe(self, handle: Handle) -> Observation:
        control = self._place(handle, protocol.CONTROL)
        result, attempt = read_result(control), read_attempt(control)
        if result:
            return Observation("ended", attempt, result)
        if attempt is None and os.path.exists(protocol.started_path(control)):
            return Observation("lost", message="supervisor lost")  # the script has removed attempt.json
        if attempt is None:
            return Observation("absent")
        if attempt is DAMAGED:
            return Observation("lost", message="supervisor lost")
        if "refused" in attempt:
            return Observation("ended", attempt, refusal_of(attempt))
        return self._look(handle, control, attempt)

    def _look(self, handle: Handle, control: str, attempt: dict[str, Any]) -> Observation:
        """Look whether the supervisor of a started attempt is alive."""
        requests = request_names(f"{control}/{protocol.REQUESTS}")
        if identity.is_elsewhere(attempt):
            return Observation("silent", attempt, message=f"runs on another host, {attempt.get('host')}")
        if not identity.is_alive(attempt):
            # It may have ended between the two looks.
            result = read_result(control)
            if result:
                return Observation("ended", attempt, result)
            rebooted = attempt.get("boot_id") != identity.boot_id()
            return Observation("lost", attempt, message="host rebooted" if rebooted else "supervisor lost")
        return heard(control, attempt, requests)

    def read(self, handle: Handle, file: str, offset: int, size: int = 4 * 2**20) -> bytes:
        """Return up to `size` bytes of the control file `file` from `offset`."""
        return self._machine.read(Path(self._place(handle, protocol.CONTROL), file), offset, size)

    def forbid(self, handle: Handle, reason: str) -> bool:
        """Take the attempt's name, so that no supervisor can; False when one already has."""
        return last_word.forbid(self._place(handle, protocol.CONTROL), reason)

    def cancel(self, handle: Handle, grace_seconds: float, reason: str) -> None:
        """Leave the request where the supervisor looks twice a second."""
        path = f"{self._place(handle, protocol.CONTROL)}/{protocol.CANCEL}"
        if not os.path.exists(path):
            durable.write_json(
                path,
                {"time": time.time(), "grace_seconds": grace_seconds, "reason": reason},
                point="target.cancel",
            )

    def bury(self, handle: Handle, reason: str, message: str) -> dict[str, Any]:
        """End what a lost supervisor left behind, then write the result that it could not write."""
        token = protocol.attempt_token(self._folder.id, handle.run_id, handle.attempt)
        try:
            return last_word.bury(self._place(handle, protocol.CONTROL), token, reason, message)
        except last_word.StillThere as error:
            raise ComputeTargetException(str(error)) from error

    def deliver(self, handle: Handle, file: str) -> None:
        """Do nothing: it lies where the attempt looks."""

    def gather(self, handle: Handle, request: dict[str, Any]) -> None:
        """Do nothing: what it speaks of is here."""

    def collect(self, handle: Handle) -> None:
        """Do nothing: the files are in the workspace already."""

    def clean(self, handle: Handle) -> None:
        """Do nothing: nothing lies outside the workspace."""

    def lend(self, handle: Handle, path: str) -> str:
        """Return `path`: a process of this machine finds it there."""
        return path

    def tidy(self, keep: Collection[Handle]) -> bool:
        """Do nothing: nothing lies outside the workspace."""
        return False

    # -- helpers --------------------------------------------------------------------------------------------------

    def _place(self, handle: Handle, part: str) -> str:
        """Return a folder of the attempt; a text, since the loop asks for it all the time."""
        return f"{self._runs}/{handle.run_id}/attempts/{handle.attempt}/{part}"


def heard(control: str, attempt: dict[str, Any], requests: tuple[str, ...]) -> Observation:
    """Return what the heartbeat of a living supervisor says."""
    with contextlib.suppress(FileNotFoundError):
        age = time.time() - os.stat(f"{control}/{protocol.HEARTBEAT}").st_mtime
        if age > SILENT_AFTER:
            return Observation("silent", attempt, message=f"no heartbeat for {age:.0f} s", requests=requests)
    return Observation("running", attempt, requests=requests)


def size_text(number: int) -> str:
    """Return a number of bytes, for people."""
    return f"{number / 1e9:.3g} GB" if number >= 10**9 else f"{number / 1e6:.3g} MB"


def refusal_of(attempt: dict[str, Any]) -> dict[str, Any]:
    """Return the result of an attempt that a service forbade, and did not live to say so."""
    refused = str(attempt["refused"])
    if refused == "canceled":
        return {"reason": "canceled", "message": "", "exit_code": None}
    return {"reason": "start failed", "message": refused, "exit_code": None}


def request_names(path: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(name for name in os.listdir(path) if name.endswith(".json")))
    except FileNotFoundError:
        return ()

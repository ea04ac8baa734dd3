"""Own the room of this machine: cores, memory and GPUs that runs book, within slots that all workspaces of a user share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.supervisor import cgroups
from aml_jupyter.supervisor.slots import HeldSlots, SlotFolder
from aml_jupyter.targets import gpus
from aml_jupyter.targets.kinds import kind_of
from aml_jupyter.targets.protocol import Capacity, Needs
from aml_jupyter.transports.this_machine import ThisMachine
from aml_jupyter.workspace import TargetRecord

__all__ = ["MachineRoom", "machine_memory", "notes_on_room"]

PATIENCE = 0.05
"""Seconds that the service, which has more to do, waits for nvidia-smi."""


class MachineRoom:
    """Give out the room of this machine to the runs of one target.

    Parameters
    ----------
    workspace : str
        Its name, for messages.
    record : TargetRecord
        The target. Its settings are ``max_parallel`` (how many cores its runs may have), ``gpus`` (how many, or which),
        ``runs_per_gpu`` and ``hide_gpus``.
    machine : ThisMachine
        Where the slots lie.
    """

    def __init__(self, workspace: str, record: TargetRecord, machine: ThisMachine) -> None:
        self._name = record.name
        self._workspace = workspace
        self._machine = machine
        self._slots = SlotFolder(machine.runtime / "slots")
        self._gpu_setting = record.settings.get("gpus")
        self._runs_per_gpu = int(record.settings.get("runs_per_gpu") or 1)
        self._hides_gpus = record.settings.get("hide_gpus") is not False
        self.max_parallel = int(record.settings.get("max_parallel") or machine.cores)

    def facts(self) -> dict[str, Any]:
        """Report what the machine has, and what of it is free."""
        memory = machine_memory()
        try:
            found = self._gpus(gpus.BOUND) or ()
        except ComputeTargetException:
            found = ()  # `problems` says why
        used = self._slots.usage(None, [gpu.id for gpu in found])
        booked = sum(int(holder.get("counted") or 0) for name, holder in used.items() if name.startswith("core-"))
        listed: list[dict[str, Any]] = [
            {"id": gpu.id, "name": gpu.name, "memory": gpu.memory, "taken_by": self._on_gpu(gpu.id, used)}
            for gpu in found
        ]
        return {
            "host": self._machine.host,
            "cores": self._machine.cores,
            "max_parallel": self.max_parallel,
            "memory": memory,
            "memory_free": max(0, memory - booked),
            "gpus": len(found),
            "gpus_free": sum(self._is_free(gpu["taken_by"]) for gpu in listed),
            "gpu_list": listed,
        }

    def problems(self) -> list[str]:
        """Say why it is not known which GPUs there are."""
        try:
            found = self._gpus(gpus.BOUND)
        except ComputeTargetException as error:
            return [error.message]
        return [gpus.found_problem()] if not found and gpus.found_problem() else []

    def capacity(self) -> Capacity:
        """Report the free slots, and who holds the others."""
        used = self._slots.usage(self.max_parallel)
        free = self.max_parallel - len(used)
        holders = ", ".join(sorted({self._holder(entry) for entry in used.values()}))
        return Capacity(self.max_parallel, free, f"taken by {holders}" if holders else "every slot is free")

    def refusal(self, needs: Needs, patience: float = gpus.BOUND) -> str | None:
        """Return why this machine can never give `needs`, or None."""
        if needs.cores > self.max_parallel:
            slots = _counted(self.max_parallel, "slot")
            return f"it asks for {needs.cores} cores, and {self._name} has {slots} (max_parallel)"
        found = self._gpus(patience) if needs.gpus else ()
        if found is not None and needs.gpus > len(found):
            has = _counted(len(found), "GPU") if found else "none that nvidia-smi, AML_GPUS or a setting (gpus) names"
            where = "this machine has" if self._gpu_setting is None else f"{self._name} has"
            return f"it asks for {_counted(needs.gpus, 'GPU')}, and {where} {has}"
        if needs.memory and needs.memory > machine_memory():
            return f"it asks for {_size(needs.memory)} of memory, and this machine has {_size(machine_memory())}"
        return None

    def take(self, needs: Needs, holder: dict[str, Any]) -> HeldSlots | str:
        """Lock slots for `needs`, or return what has to be waited for.

        Parameters
        ----------
        holder : dict
            Who takes them, for messages of others.
        """
        try:
            found = self._gpus(PATIENCE) if needs.gpus else ()
        except ComputeTargetException as error:
            return f"waits until it is known which GPUs there are: {error.message}"
        if found is None:
            return "waits until nvidia-smi has said which GPUs there are"
        try:
            held = self._slots.acquire(
                cores=needs.cores,
                core_limit=self.max_parallel,
                gpus=needs.gpus,
                devices=[gpu.id for gpu in found],
                runs_per_gpu=self._runs_per_gpu,
                memory=needs.memory,
                memory_limit=machine_memory() if needs.memory else 0,
                holder={**holder, "workspace": self._workspace},
            )
        except OSError as error:
            return f"waits until the slots in {self._slots.path} can be written ({error.strerror})"
        return held if held is not None else self._obstacle(needs, [gpu.id for gpu in found])

    def variables(self, needs: Needs) -> dict[str, str]:
        """Return the variables of a run that has no GPU: it sees none. One that has some is told which when it starts."""
        hides = self._hides_gpus and not needs.gpus and gpus.may_have_gpus(self._gpu_setting)
        return {"CUDA_VISIBLE_DEVICES": ""} if hides else {}

    def _gpus(self, patience: float) -> tuple[gpus.Gpu, ...] | None:
        return gpus.gpus_here(self._gpu_setting, patience)

    def _obstacle(self, needs: Needs, devices: list[str]) -> str:
        """Return what is lacking for `needs` now; it names other workspaces when they alone have what is lacking."""
        never = self.refusal(needs, PATIENCE)
        if never:  # the target has been made smaller since the submit
            return f"cannot start on {self._name}: {never}; change the target, or cancel the run"
        used = self._slots.usage(self.max_parallel, devices)
        cores = {name: holder for name, holder in used.items() if name.startswith("core-")}
        on_gpus = {name: holder for name, holder in used.items() if name.startswith("gpu-")}
        free = sum(self._is_free(self._on_gpu(device, used)) for device in devices)
        if needs.gpus > free:
            what, holders = "a free GPU" if needs.gpus == 1 else f"{needs.gpus} free GPUs", on_gpus
        elif needs.memory and needs.cores <= self.max_parallel - len(cores):
            what = f"{_size(needs.memory)} of memory that no other run has booked"
            holders = self._slots.usage(None)
        else:
            what, holders = "a free slot" if needs.cores == 1 else f"{needs.cores} free slots", cores
        names = {str(holder.get("workspace", "")) for holder in holders.values()}
        others = ", ".join(sorted(names)) if names and self._workspace not in names else ""
        return f"waits for {what} on {self._name}" + (f", taken by workspace {others}" if others else "")

    def _on_gpu(self, device: str, used: dict[str, dict[str, Any]]) -> list[str]:
        """Return who uses a GPU; whoever has it alone counts as often as runs may share it."""
        sharing = [self._holder(entry) for name, entry in used.items() if name.startswith(f"gpu-{device}.")]
        alone = used.get(f"gpu-{device}")
        return [self._holder(alone)] * self._runs_per_gpu if alone is not None else sharing

    def _is_free(self, users: list[str]) -> bool:
        return len(users) < self._runs_per_gpu

    def _holder(self, entry: dict[str, Any]) -> str:
        """Return who took a slot: a run's id, and its workspace when that is another one."""
        run = str(entry.get("token") or "another run").split("/")[0]
        workspace = entry.get("workspace")
        return f"{run} of workspace {workspace}" if workspace and workspace != self._workspace else run


def notes_on_room(record: TargetRecord, needs: Needs) -> Iterator[str]:
    """Yield what a person should know whose run asks for `needs` of this machine: what is hidden, and what is not kept."""
    hides = record.settings.get("hide_gpus", kind_of(record.type).settings.get("hide_gpus", False))
    if not needs.gpus and hides and gpus.surely_has_gpus(record.settings.get("gpus")):
        yield f"the run sees none of the GPUs of {record.name}; --gpus 1 asks for one"
    if needs.memory and not sys.platform.startswith("linux"):
        yield f"the memory is booked, but a run that takes more is not ended: {sys.platform} has no way to do so"


def machine_memory() -> int:
    """Return the memory that processes of this machine, or of the container that this is, can have, in bytes."""
    import psutil

    return min([int(psutil.virtual_memory().total), *cgroups.machine_limits()])


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _size(number: int) -> str:
    if number >= 10**12:
        return f"{number / 1e12:,.5g} TB"
    return f"{number / 1e9:.3g} GB" if number >= 10**9 else f"{number / 1e6:.3g} MB"

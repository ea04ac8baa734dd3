"""Own `ComputeInstance`: the machine that the Jupyter server runs on, with a queue; it is started and stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aml_jupyter.sdk.compute.target import ComputeTarget, TargetConfiguration
from aml_jupyter.service import restart_target, start_target, stop_target

__all__ = ["ComputeInstance", "ComputeInstanceStatus"]


class ComputeInstanceStatus:
    """Say how a compute instance is, under SDK v1's names."""

    def __init__(self, instance: ComputeInstance) -> None:
        self._data = instance.serialize()
        self.state: str = instance.provisioning_state
        self.errors = instance.provisioning_errors
        self.vm_size: str = str(self._data["properties"].get("vm_size") or "")
        self.max_parallel = self._data["properties"].get("max_parallel")

    def serialize(self) -> dict[str, Any]:
        """Return the status as plain data."""
        return {"state": self.state, "errors": self.errors, "vmSize": self.vm_size, "maxParallel": self.max_parallel}

    def __repr__(self) -> str:
        return f"ComputeInstanceStatus({self.state})"


class ComputeInstance(ComputeTarget):
    """Stand for a compute instance."""

    _type: ClassVar[str | None] = "computeinstance"

    @staticmethod
    def provisioning_configuration(
        vm_size: str = "",
        ssh_public_access: bool = False,
        admin_user_ssh_public_key: str = "",
        vnet_resourcegroup_name: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        description: str = "",
        assigned_user_object_id: str | None = None,
        assigned_user_tenant_id: str | None = None,
        max_parallel: int | None = None,
        gpus: int | str | None = None,
    ) -> TargetConfiguration:
        """Return the configuration of a compute instance on this machine.

        Parameters
        ----------
        vm_size, ssh_public_access, admin_user_ssh_public_key : optional
            Kept as SDK v1's names for the machine; the machine is this one whatever they say.
        vnet_resourcegroup_name, vnet_name, subnet_name, assigned_user_object_id, assigned_user_tenant_id : optional
            SDK v1's; there is no virtual network here, and the instance is its user's own.
        tags : dict, optional
            Tags of the target.
        description : str
            What it is for.
        max_parallel : int, optional
            How many jobs run at once; one for each core when left out.
        gpus : int or str, optional
            How many GPUs its runs may have, or which (``"0,2"``); all of the machine's when left out.
        """
        settings: dict[str, Any] = {
            "vm_size": vm_size or "",
            "ssh_public_access": bool(ssh_public_access),
            "admin_user_ssh_public_key": admin_user_ssh_public_key or "",
        }
        if max_parallel is not None:
            settings["max_parallel"] = max_parallel
        if gpus is not None:
            settings["gpus"] = gpus
        return TargetConfiguration("computeinstance", False, settings, dict(tags or {}), description or "")

    def get_status(self) -> ComputeInstanceStatus:
        """Return the instance's status after a fresh look."""
        self.refresh_state()
        return ComputeInstanceStatus(self)

    @property
    def status(self) -> ComputeInstanceStatus:
        """Return the status after a fresh look."""
        return self.get_status()

    def start(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Start a stopped instance; the runs that wait for it go on."""
        self._record = start_target(self.workspace.folder, self.name)
        self._wait(wait_for_completion, show_output)

    def stop(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Stop the instance: queued runs wait until it is started again, running ones end by themselves."""
        self._record = stop_target(self.workspace.folder, self.name)
        self._wait(wait_for_completion, show_output)

    def restart(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Stop the instance and start it again; running runs are not ended."""
        self._record = restart_target(self.workspace.folder, self.name)
        self._wait(wait_for_completion, show_output)

    def _wait(self, wait: bool, show_output: bool) -> None:
        if wait:
            self.wait_for_completion(show_output)

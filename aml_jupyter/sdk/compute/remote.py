"""Own `RemoteCompute` and `DsvmCompute`: machines that are reached over SSH."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Final

from aml_jupyter.errors import ComputeTargetException, nearest
from aml_jupyter.sdk.compute.target import ComputeTarget, TargetConfiguration

if TYPE_CHECKING:
    from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["DsvmCompute", "RemoteCompute", "settings_of_machine"]

_WAY: Final = ("address", "username", "ssh_key", "fingerprint")
"""What is taken over from a target that has the machine already."""


class RemoteCompute(ComputeTarget):
    """Stand for a machine that is reached over SSH; runs execute there as processes, and outlive a cut link."""

    _type: ClassVar[str | None] = "remote"

    @staticmethod
    def attach_configuration(
        username: str | None = None,
        address: str | None = None,
        resource_id: str | None = None,
        ssh_port: int = 22,
        password: str = "",
        private_key_file: str = "",
        private_key_passphrase: str = "",
        fingerprint: str | None = None,
        python: str | None = None,
        base_folder: str | None = None,
        max_parallel: int | None = None,
    ) -> TargetConfiguration:
        """Return how a machine is attached, for `ComputeTarget.attach`.

        Parameters
        ----------
        username : str, optional
            The user there; else what the address or ``~/.ssh/config`` says.
        address : str, optional
            ``HOST``, ``HOST:PORT``, ``USER@HOST``, or a name of ``~/.ssh/config``; a scheme before it is left out.
        resource_id : str, optional
            Azure's id of a virtual machine, instead of `address`: its last part is looked up among the machines that the
            workspace has attached, by name or host name, and in ``~/.ssh/config``.
        ssh_port : int
            The port.
        password : str
            The password; kept among the workspace's secrets, never in a file of ours. Keys are safer.
        private_key_file : str
            The file of the private key; without it and a password, the agent and the usual files are tried.
        private_key_passphrase : str
            The passphrase of that key.
        fingerprint : str, optional
            Of the host key (``SHA256:...``); without it ``known_hosts`` has to know the machine, or you are asked.
        python, base_folder, max_parallel : optional
            As of ``aml compute attach``.

        Raises
        ------
        ComputeTargetException
            When neither `address` nor `resource_id` is given.
        """
        machine = "" if address else str(resource_id or "").rstrip("/").rpartition("/")[2]
        if not address and not machine:
            raise ComputeTargetException("address is missing: the name or address of the machine.", "address")
        settings: dict[str, Any] = {
            "address": _with_port(address, ssh_port) if address else None,
            "username": username,
            "ssh_key": private_key_file or None,
            "fingerprint": fingerprint,
            "python": python,
            "base_folder": base_folder,
            "max_parallel": max_parallel,
        }
        from aml_jupyter.transports.ssh_login import Credentials

        secrets = Credentials(password or None, private_key_passphrase or None)
        given = {name: value for name, value in settings.items() if value is not None}
        return TargetConfiguration("remote", True, given, credentials=secrets, machine=machine, port=ssh_port)

    @classmethod
    def attach(
        cls,
        workspace: Any,
        name: str,
        attach_configuration: TargetConfiguration | None = None,
        **settings: Any,
    ) -> ComputeTarget:
        """Attach a machine: with a configuration, or with the arguments of `attach_configuration`, as SDK v1 wrote it first.

        Raises
        ------
        ComputeTargetException
            When it cannot be reached, nobody vouches for its host key, or it lacks what runs need.
        """
        chosen = attach_configuration or RemoteCompute.attach_configuration(**settings)
        return super().attach(workspace, name, chosen)

    @property
    def address(self) -> str:
        """Return where the machine is."""
        return str(self._record.settings.get("address", ""))

    @property
    def ssh_port(self) -> int:
        """Return the port of its SSH server, as the address or ``~/.ssh/config`` says it."""
        from aml_jupyter.transports.ssh_address import find_address

        return find_address(self.address).port

    @property
    def username(self) -> str:
        """Return the user there."""
        return str(self._record.settings.get("username", ""))


class DsvmCompute(RemoteCompute):
    """Stand for a data science virtual machine: a remote machine under its old name. It is attached, not made."""

    @staticmethod
    def provisioning_configuration(*_positional: Any, **_settings: Any) -> TargetConfiguration:
        """Return a configuration that `create` refuses, with the line that attaches a machine instead."""
        return TargetConfiguration("remote", attached=False)

    @classmethod
    def create(cls, workspace: Any, name: str, provisioning_configuration: Any = None) -> ComputeTarget:
        """Refuse: no virtual machine is made here.

        Raises
        ------
        ComputeTargetException
            Always; it says what to do instead.
        """
        raise ComputeTargetException(
            f"DsvmCompute.create: aml-jupyter makes no virtual machines. Attach one that you have, under this name: "
            f"RemoteCompute.attach(ws, name={name!r}, address=..., username=..., private_key_file=...), or "
            f"aml compute attach {name} --type remote --address HOST --username USER.",
            "type",
        )


def _with_port(where: str, port: int | None) -> str:
    """Return an address with the port behind it; one that has a port already keeps it."""
    host = where.rpartition("://")[2]
    if port in (22, None) or re.search(r"(^[^:]*|\]):\d+$", host):
        return where
    is_bare_ipv6 = host.count(":") > 1 and "[" not in host
    return f"[{host}]:{port}" if is_bare_ipv6 else f"{where}:{port}"


def settings_of_machine(folder: WorkspaceFolder, configuration: TargetConfiguration) -> dict[str, Any]:
    """Return the settings of a configuration that names a machine, with the way to it.

    That is the one of a target of the workspace that has this name, or whose machine has it; else its name in ``~/.ssh/config``.

    Raises
    ------
    ComputeTargetException
        When neither knows the machine; names the nearest, and ``address``.
    """
    from aml_jupyter.transports.ssh_address import known_names
    from aml_jupyter.workspace import list_targets

    machine = configuration.machine
    attached = [each for each in list_targets(folder.store.read()) if each.settings.get("address")]
    names = known_names()
    for target in attached:
        host = str((target.settings.get("found") or {}).get("host") or "")
        if machine.lower() in (target.name.lower(), host.lower()):
            way = {name: target.settings[name] for name in _WAY if target.settings.get(name)}
            return {**way, **configuration.settings}
    if machine in names:
        return {**configuration.settings, "address": _with_port(machine, configuration.port)}
    known = sorted({*names, *(each.name for each in attached)})
    raise ComputeTargetException(
        f"resource_id names the machine {machine!r}, and neither a machine that this workspace has attached nor a Host of "
        f"~/.ssh/config has that name; {nearest(machine, known)} Name the machine itself: address='HOST'.",
        "resource_id",
    )


def ask_person(question: str) -> bool:
    """Ask whoever sits at the prompt or the notebook; no where nobody does."""
    if not hasattr(sys, "ps1") and "IPython" not in sys.modules:
        return False
    try:
        return input(f"{question} Type yes or no: ").strip().lower() in ("yes", "y")
    except (EOFError, OSError, NotImplementedError):
        return False

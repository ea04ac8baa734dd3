"""Own what a process knows of the far machines of its workspaces: one link and one mirror for each target."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Final

from aml_jupyter.targets.far_bulk import link_to
from aml_jupyter.targets.far_link import FarLink
from aml_jupyter.targets.far_mirror import Mirror
from aml_jupyter.targets.kinds import target_secret
from aml_jupyter.targets.protocol import Handle
from aml_jupyter.transports.ssh import SshConnection
from aml_jupyter.transports.ssh_address import SshAddress, find_address
from aml_jupyter.transports.ssh_host_keys import Confirm
from aml_jupyter.transports.ssh_login import Credentials
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder, get_secret

__all__ = ["DistantTarget", "FarHost", "address_of", "connection_to", "credentials_of", "host_of"]

_WAY: Final = ("address", "username", "ssh_key", "fingerprint", "python", "base_folder", "login")
"""Settings on which the link depends; another value of one makes another link."""


class DistantTarget:
    """Answer for every target that is reached over a link."""

    is_remote = True
    max_parallel: int | None = None
    """The host tells what is free when a run is to start."""

    def start_at_once(self, handle: Handle) -> bool:
        """Return False: a start waits for the link."""
        return False


@dataclass
class FarHost:
    """Hold the link to one machine, and what was heard over it."""

    way: tuple[Any, ...]
    modified: float
    """When the target was changed that this is the way to: an older row changes nothing."""
    link: FarLink
    mirror: Mirror


def address_of(settings: dict[str, Any]) -> SshAddress:
    """Return the address of a remote target; raises as `find_address` does."""
    return find_address(
        str(settings["address"]), user=str(settings.get("username") or "") or None, key=settings.get("ssh_key") or None
    )


def connection_to(
    settings: dict[str, Any], credentials: Credentials | None = None, confirm: Confirm | None = None
) -> SshConnection:
    """Return a connection, not made yet, to the machine that settings name."""
    return SshConnection(address_of(settings), credentials, str(settings.get("fingerprint") or "") or None, confirm)


def credentials_of(folder: WorkspaceFolder, name: str) -> Credentials:
    """Return the password and passphrase of a target, from the secrets of the workspace."""
    return Credentials(
        get_secret(folder, target_secret(name, "password")), get_secret(folder, target_secret(name, "passphrase"))
    )


def host_of(folder: WorkspaceFolder, record: TargetRecord) -> FarHost:
    """Return the far host of a target, one in a process; with a new link when the way to it has changed."""
    settings = record.settings
    way = tuple(settings.get(name) for name in _WAY)
    key = (str(folder.root), record.name)
    with _one:
        host = _hosts.get(key)
        if host is not None and (host.way == way or record.modified <= host.modified):
            return host
        mirror = Mirror(str(folder.layout.runs)) if host is None else host.mirror
        if host is not None:
            host.link.close()
        ssh = connection_to(settings, credentials_of(folder, record.name))
        link = link_to(ssh, str(settings["python"]), str(settings["base_folder"]), folder.id, record.name, mirror)
        mirror.link = link
        _hosts[key] = FarHost(way, record.modified, link, mirror)
        return _hosts[key]


_hosts: Final[dict[tuple[str, str], FarHost]] = {}
_one: Final = threading.Lock()

"""Turn what a run asks for into what the engine's API takes: mounts, limits, user, command."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aml_jupyter.supervisor.protocol import MARKER
from aml_jupyter.targets.container_options import read_arguments, size_in_bytes
from aml_jupyter.targets.protocol import Container, Needs

__all__ = ["Owner", "Placement", "container_name", "creation"]

LEAST_LIMITED_CORES: Final = 2
"""From how many cores on a run is kept to them: a limit of one core throttles whatever has threads."""


@dataclass(frozen=True)
class Owner:
    """Say who owns the files of an attempt on the engine's machine, and so is the user in the container."""

    uid: int
    gid: int
    name: str

    @classmethod
    def here(cls) -> Owner:
        """Return the user of this process."""
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = f"user{os.getuid()}"
        return cls(os.getuid(), os.getgid(), name)


@dataclass(frozen=True)
class Placement:
    """Say where one attempt runs: the name of its container, its folders, who it is."""

    name: str
    token: str
    workspace: str
    run_id: str
    attempt: int
    folder: str
    """The attempt's folder; everything has the same path inside as outside."""
    bundle: str
    archive: str
    """The supervisor's zip, in `bundle`."""
    inputs: str | None
    gpus: tuple[str, ...] = ()
    """Names of the GPUs that the run has, where they are known."""
    owner: Owner = field(default_factory=Owner.here)
    copy: str = ""
    """Where the folders are another machine's: the copy here of the attempt's control folder."""


def container_name(token: str, run_id: str, attempt: int) -> str:
    """Return the name of an attempt's container: a pure function of the attempt, so that none is started twice."""
    digest = hashlib.sha256(token.encode()).hexdigest()[:10]
    return f"aml-{re.sub(r'[^A-Za-z0-9_.-]', '-', run_id)[:60]}-{attempt}-{digest}"


def creation(
    container: Container, needs: Needs, placement: Placement, command: Sequence[str], place_file: str
) -> dict[str, Any]:
    """Return the body of the engine's ``/containers/create``.

    Raises
    ------
    ConfigurationError
        When ``docker.arguments`` cannot be used.
    """
    settings = read_arguments(container.arguments)
    top = {"Hostname": settings.pop("Hostname")} if "Hostname" in settings else {}
    variables = [*settings.pop("Env", []), f"{MARKER}={placement.token}"]
    if placement.owner.uid != 0 and not any(entry.startswith("HOME=") for entry in variables):
        variables.append("HOME=/tmp")  # this user is nobody in the image, whose home would be /
    labels = {
        "aml.token": placement.token,
        "aml.workspace": placement.workspace,
        "aml.run": placement.run_id,
        "aml.attempt": str(placement.attempt),
    }
    return {
        "Image": container.image,
        "Entrypoint": [command[0]],
        "Cmd": list(command[1:]),
        "User": f"{placement.owner.uid}:{placement.owner.gid}",
        "WorkingDir": "/",
        "Env": variables,
        "Labels": labels,
        "AttachStdout": False,
        "AttachStderr": False,
        **top,
        "HostConfig": _host(container, needs, placement, settings, place_file),
    }


def _host(
    container: Container, needs: Needs, placement: Placement, settings: Mapping[str, Any], place_file: str
) -> dict[str, Any]:
    mounts = [_bind(placement.folder), _bind(place_file, read_only=True), _bind(placement.bundle, read_only=True)]
    if placement.inputs:
        mounts.append(_bind(placement.inputs, read_only=True))
    host: dict[str, Any] = {
        "Init": True,
        "Mounts": mounts,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "ShmSize": size_in_bytes(container.shm_size, "docker.shm_size") if container.shm_size else 0,
    }
    if needs.memory:
        host |= {"Memory": needs.memory, "MemorySwap": needs.memory}
    if needs.cores >= LEAST_LIMITED_CORES:
        host["NanoCpus"] = needs.cores * 10**9
    if needs.gpus:
        names = list(placement.gpus)
        which = {"Count": 0, "DeviceIDs": names} if names else {"Count": needs.gpus, "DeviceIDs": []}
        host["DeviceRequests"] = [{"Driver": "", **which, "Capabilities": [["gpu"]], "Options": {}}]
    host |= settings
    if "Memory" in settings and "MemorySwap" not in settings:
        host["MemorySwap"] = settings["Memory"]
    for key in ("Tmpfs", "Sysctls"):
        if key in host:
            pairs = (entry.partition(":" if key == "Tmpfs" else "=") for entry in host[key])
            host[key] = {name: value for name, _, value in pairs}
    return host


def _bind(path: str, read_only: bool = False) -> dict[str, Any]:
    """Mount a path of the host under its own name."""
    return {"Type": "bind", "Source": path, "Target": path, "ReadOnly": read_only}

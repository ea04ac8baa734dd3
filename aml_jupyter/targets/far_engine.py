"""Own the ways to the Docker engines of far machines: one for each target in a process, held while the process lives."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aml_jupyter.targets.container_check import engine_there
from aml_jupyter.targets.far_host import address_of, connection_to, credentials_of
from aml_jupyter.transports.engine_ways import far_engine, far_socket
from aml_jupyter.transports.ssh_forward import SocketForward
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder, find_target

__all__ = ["address_of_engine", "reach_engine", "way_to_engine"]

_WAY: Final = ("address", "username", "ssh_key", "fingerprint", "login")


@dataclass
class _Way:
    way: tuple[Any, ...]
    forward: SocketForward


def address_of_engine(settings: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Return the address of the engine that was found on a machine; empty where there is none.

    Parameters
    ----------
    settings : dict
        Of the target.
    found : dict
        As `supervisor.far_facts` returns it.
    """
    socket = str((found.get("engine") or {}).get("socket") or "")
    if not socket:
        return ""
    address = address_of(dict(settings))
    return far_engine(address.user, address.host, address.port, socket)


def way_to_engine(folder: WorkspaceFolder, record: TargetRecord) -> SocketForward:
    """Return the way to the engine of a target's machine, started; a new one when the target has changed.

    Raises
    ------
    ComputeTargetException
        When it has no engine.
    """
    engine = engine_there(record)
    settings, key = record.settings, (str(folder.root), record.name)
    way = (engine, *(settings.get(name) for name in _WAY))
    with _one:
        standing = _ways.get(key)
        if standing is not None and standing.way == way:
            return standing.forward
        if standing is not None:
            standing.forward.close()
        ssh = connection_to(settings, credentials_of(folder, record.name))
        forward = SocketForward(far_socket(engine), ssh, str(settings["found"]["engine"]["socket"]))
        forward.start()
        _ways[key] = _Way(way, forward)
        return forward


def reach_engine(folder: WorkspaceFolder, engine: str, target: str) -> bool:
    """See to it that an engine can be asked; False where nobody knows the way to it any more."""
    record = find_target(folder.store.read(), target)
    if record is None or ((record.settings.get("found") or {}).get("engine") or {}).get("address") != engine:
        return False
    way_to_engine(folder, record)
    return True


_ways: Final[dict[tuple[str, str], _Way]] = {}
_one: Final = threading.Lock()

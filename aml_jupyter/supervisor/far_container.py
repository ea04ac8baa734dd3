"""Own what a far side does for attempts in containers: their place, and who keeps their slots. The service asks the engine."""

import os
from typing import Any, Dict, List, Optional

from . import identity, keeper
from .durable import write_json
from .far_place import checked
from .faults import fault_point
from .protocol import container_path, read_json

__all__ = ["devices_of", "forget_place", "is_kept", "lives", "make_ready", "put_place"]

DEVICES = "devices.json"
"""In the control folder: the GPUs that the attempt holds, of which the container is still to be told."""


def put_place(base: str, control: str, content: Dict[str, Any], wake: str) -> None:
    """Write in which container the attempt of a control folder runs.

    Parameters
    ----------
    base : str
        The base folder.
    content : dict
        What the service says of it: ``name``, ``token`` and more.
    wake : str
        The socket at which the far side is woken.
    """
    folder = os.path.join(base, "containers")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    lock = os.path.join(folder, checked(str(content["name"])) + ".lock")
    place = dict(content, wake=wake, lock=lock)
    write_json(container_path(control), place, point="far.launch", sync=False, mode=0o600)


def is_kept(place: Optional[Dict[str, Any]]) -> bool:
    """Tell whether an attempt runs in a container and somebody keeps its slots."""
    return place is not None and keeper.is_kept(str(place["lock"]))


def make_ready(control: str, devices: List[str]) -> None:
    """Make what a keeper needs, and write which GPUs the container is to have."""
    keeper.make_pipe(control)
    write_json(os.path.join(control, DEVICES), {"devices": devices}, point="far.launch", sync=False)


def devices_of(control: str) -> List[str]:
    """Return the GPUs that an attempt holds."""
    try:
        found = (read_json(os.path.join(control, DEVICES)) or {}).get("devices")
    except (OSError, ValueError):
        return []
    return [str(name) for name in found] if isinstance(found, list) else []


def lives(place: Dict[str, Any]) -> bool:
    """Tell whether the first process of an attempt's container is in the process table."""
    return identity.first_process(str(place["token"])) is not None


def forget_place(place: Dict[str, Any]) -> None:
    """Remove the lock of an attempt that is over."""
    with fault_point("far.remove"):
        try:
            os.unlink(str(place["lock"]))
        except OSError:
            pass

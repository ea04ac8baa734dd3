"""Give out the room of a far machine: slots that all workspaces of its user share, to those who asked first."""

import os
from typing import Any, Dict, List, Optional, Sequence, Tuple

from . import cgroups
from .far_place import Key
from .slots import HeldSlots, SlotFolder

__all__ = ["FarRoom", "cores_here", "memory_here"]


class FarRoom:
    """Hold slots for attempts until their supervisors have them.

    Parameters
    ----------
    runtime : str
        The user's folder for sockets and slots.
    """

    def __init__(self, runtime: str) -> None:
        self._slots = SlotFolder(os.path.join(runtime, "slots"))
        self._held: Dict[Key, HeldSlots] = {}
        self._waiting: Dict[Key, Dict[str, Any]] = {}

    def ask(self, key: Key, needs: Dict[str, Any]) -> Optional[str]:
        """Take room for an attempt and return None, or return what is waited for; it stays asked for then."""
        if key in self._held:
            return None
        first = next(iter(self._waiting), key)
        obstacle = self._take(key, needs) if first == key else self._obstacle(needs)
        if obstacle is not None:
            self._waiting[key] = needs
        return obstacle

    def settle(self) -> List[Tuple[Key, Optional[str]]]:
        """Try for those who wait, in order; return what has changed: granted (None), or another reason."""
        changed: List[Tuple[Key, Optional[str]]] = []
        for key, needs in list(self._waiting.items()):
            obstacle = self._take(key, needs)
            if obstacle is None:
                changed.append((key, None))
                continue
            if obstacle != needs.get("told"):
                needs["told"] = obstacle
                changed.append((key, obstacle))
            break  # whoever came later does not overtake
        return changed

    def give(self, key: Key) -> Sequence[int]:
        """Return the descriptors of the slots that an attempt holds."""
        held = self._held.get(key)
        return held.fds if held is not None else ()

    def devices(self, key: Key) -> List[str]:
        """Return the GPUs that an attempt holds."""
        held = self._held.get(key)
        return list(held.devices) if held is not None else []

    def has(self, key: Key) -> bool:
        """Tell whether an attempt holds its room."""
        return key in self._held

    def release(self, key: Key) -> None:
        """Let go of this process's part of the slots of an attempt, or of its place in line."""
        self._waiting.pop(key, None)
        held = self._held.pop(key, None)
        if held is not None:
            held.close()

    @property
    def is_asked(self) -> bool:
        """Tell whether somebody waits."""
        return bool(self._waiting)

    def free(self, limit: int) -> Tuple[int, List[str]]:
        """Return how many of the first `limit` slots are free, and who has the others."""
        used = self._slots.usage(limit)
        return limit - len(used), sorted(
            {str(entry.get("token", "another run")).split("/")[0] for entry in used.values()}
        )

    def _take(self, key: Key, needs: Dict[str, Any]) -> Optional[str]:
        try:
            held = self._slots.acquire(
                cores=int(needs["cores"]),
                core_limit=int(needs["limit"]),
                gpus=int(needs["gpus"]),
                devices=[str(name) for name in needs["devices"]],
                runs_per_gpu=int(needs["runs_per_gpu"]),
                memory=int(needs["memory"]),
                memory_limit=memory_here() if needs["memory"] else 0,
                holder=needs["holder"],
            )
        except OSError as error:
            return "waits until the slots in %s can be written (%s)" % (self._slots.path, error.strerror)
        if held is None:
            return self._obstacle(needs)
        self._waiting.pop(key, None)
        self._held[key] = held
        return None

    def _obstacle(self, needs: Dict[str, Any]) -> str:
        limit, cores = int(needs["limit"]), int(needs["cores"])
        used = self._slots.usage(limit, [str(name) for name in needs["devices"]])
        taken = {name: entry for name, entry in used.items() if name.startswith("core-")}
        if cores <= limit - len(taken) and needs["gpus"]:
            what = "a free GPU" if needs["gpus"] == 1 else "%d free GPUs" % needs["gpus"]
            taken = {name: entry for name, entry in used.items() if name.startswith("gpu-")}
        elif cores <= limit - len(taken) and needs["memory"]:
            what = "%.3g GB of memory that no other run has booked" % (needs["memory"] / 1e9)
        else:
            what = "a free slot" if cores == 1 else "%d free slots" % cores
        own = str((needs["holder"] or {}).get("workspace"))
        names = {str(entry.get("workspace", "")) for entry in taken.values()}
        others = ", ".join(sorted(names)) if names and own not in names else ""
        return "waits for %s%s" % (what, ", taken by workspace %s" % others if others else "")


def cores_here() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_here() -> int:
    """Return the memory that processes here can have, in bytes; 0 where the system does not say."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0
    return min([int(whole)] + [int(limit) for limit in cgroups.machine_limits()])

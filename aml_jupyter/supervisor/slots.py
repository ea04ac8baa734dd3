"""Own the slots of a machine: lock files that say how many jobs may run at once, and who runs.

One file for each core and GPU, ``core-<i>.lock`` and ``gpu-<i>.lock``. A slot is taken while somebody holds the lock
(flock) of its file's open description. The service takes it and passes the descriptors to the supervisor; the lock is
free when the last holder has closed them, however that one ended. The user's process never has them. All workspaces of
a user share the folder.

The file's text says who took the slot last (JSON); it means something only while the lock is held.
"""

import fcntl
import json
import os
import time
from typing import Any, Dict, List, Optional, Sequence, Union

from .faults import fault_point

__all__ = ["HeldSlots", "SlotFolder"]


class HeldSlots:
    """Hold some slots for this process.

    Attributes
    ----------
    names : list of str
        For example ``["core-0", "gpu-1"]``.
    fds : list of int
        The descriptor of each, close-on-exec.
    """

    def __init__(self, names: List[str], fds: List[int], info: Dict[str, Any]) -> None:
        self.names = names
        self.fds = fds
        self._info = info

    @classmethod
    def from_descriptors(cls, fds: Sequence[int]) -> "HeldSlots":
        """Return the slots behind descriptors that were passed to this process; it closes them in its turn."""
        names: List[str] = []
        info: Dict[str, Any] = {}
        for fd in fds:
            os.set_inheritable(fd, False)
            entry = _read(fd) or {}
            info = info or entry
            names.append(str(entry.get("slot", "?")))
        return cls(names, list(fds), info)

    def close(self) -> None:
        """Give up this process's part; the slots are free when nobody else has the descriptors."""
        fds, self.fds = self.fds, []
        for fd in fds:
            os.close(fd)

    def give_up_cores(self) -> None:
        """Free the cores while the run waits; GPUs stay, since the process keeps its memory on them."""
        kept = []
        for name, fd in zip(self.names, self.fds):
            if name.startswith("gpu-"):
                kept.append((name, fd))
            else:
                os.close(fd)
        self.names, self.fds = [name for name, _ in kept], [fd for _, fd in kept]

    def reacquire(self) -> bool:
        """Take as many cores again as `give_up_cores` freed; False when they are not free now."""
        info = self._info
        if "folder" not in info or any(name.startswith("core-") for name in self.names):
            return True
        again = SlotFolder(info["folder"]).acquire(
            cores=info["cores"],
            core_limit=info["core_limit"],
            memory=info["memory"],
            memory_limit=info["memory_limit"],
            holder=info["holder"],
        )
        if again is None:
            return False
        self.names, self.fds = again.names + self.names, again.fds + self.fds
        return True


class SlotFolder:
    """Own the folder with the lock files.

    Parameters
    ----------
    path : str or os.PathLike
        Made with mode 0700 when it is not there.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self.path = os.fspath(path)

    def acquire(
        self,
        cores: int = 1,
        core_limit: int = 1,
        gpus: int = 0,
        gpu_limit: int = 0,
        memory: int = 0,
        memory_limit: int = 0,
        holder: Optional[Dict[str, Any]] = None,
    ) -> Optional[HeldSlots]:
        """Take all that is asked for, or nothing.

        Parameters
        ----------
        cores, gpus : int
            How many of each.
        core_limit, gpu_limit : int
            How many there are; only the first so many files count.
        memory, memory_limit : int
            Bytes for this job, and for all that hold a core; a limit of 0 means that memory is not counted.
        holder : dict
            Who takes them, for messages; ``token`` at least.

        Returns
        -------
        HeldSlots or None
            None when not all of it is free.

        Raises
        ------
        OSError
            When the folder cannot be written.
        """
        info = {
            "folder": self.path,
            "cores": cores,
            "core_limit": core_limit,
            "gpus": gpus,
            "memory": memory,
            "memory_limit": memory_limit,
            "holder": holder or {},
        }
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        door = self._enter()
        if door is None:
            return None
        held = HeldSlots([], [], info)
        try:
            if memory_limit and memory and self._memory_in_use(core_limit) + memory > memory_limit:
                return None
            for kind, wanted, limit in (("core", cores, core_limit), ("gpu", gpus, gpu_limit)):
                for number in range(limit):
                    if sum(name.startswith(kind) for name in held.names) == wanted:
                        break
                    fd = self._try("%s-%d" % (kind, number))
                    if fd is not None:
                        held.names.append("%s-%d" % (kind, number))
                        held.fds.append(fd)
            if len(held.names) < cores + gpus:
                held.close()
                return None
            for position, (name, fd) in enumerate(zip(held.names, held.fds)):
                entry = dict(holder or {})
                entry.update(info, slot=name, counted=memory if position == 0 else 0)
                _write(fd, entry)
        except BaseException:
            held.close()
            raise
        finally:
            os.close(door)
        return held

    def usage(self, core_limit: Optional[int] = None, gpu_limit: int = 0) -> Dict[str, Dict[str, Any]]:
        """Return who holds which slot now: slot name -> what its holder wrote.

        Parameters
        ----------
        core_limit : int, optional
            How many cores there are; without it, every core that was ever taken counts.
        gpu_limit : int
            How many GPUs there are.
        """
        if core_limit is None:
            core_limit = self._highest("core") + 1
        names = ["core-%d" % number for number in range(core_limit)] + ["gpu-%d" % n for n in range(gpu_limit)]
        if not os.path.isdir(self.path):
            return {}
        door = self._enter()
        try:
            return self._held(names)
        finally:
            if door is not None:
                os.close(door)

    def _enter(self, bound: float = 1.0) -> Optional[int]:
        """Lock the folder for a moment, so that two who want several slots do not take half each; None when busy."""
        door = os.open(os.path.join(self.path, "door.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + bound
        while True:
            try:
                fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return door
            except BlockingIOError:
                # Whoever is inside may be a stopped process: better no slot now than a caller that hangs.
                if time.monotonic() > deadline:
                    os.close(door)
                    return None
                time.sleep(0.002)

    def _try(self, name: str) -> Optional[int]:
        path = os.path.join(self.path, name + ".lock")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd

    def _held(self, names: Sequence[str]) -> Dict[str, Dict[str, Any]]:
        held = {}
        for name in names:
            try:
                fd = os.open(os.path.join(self.path, name + ".lock"), os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                held[name] = _read(fd) or {}
            finally:
                os.close(fd)
        return held

    def _memory_in_use(self, core_limit: int) -> int:
        names = ["core-%d" % number for number in range(max(core_limit, self._highest("core") + 1))]
        return sum(int(entry.get("counted", 0)) for entry in self._held(names).values())

    def _highest(self, kind: str) -> int:
        numbers = [-1]
        if os.path.isdir(self.path):
            for name in os.listdir(self.path):
                if name.startswith(kind + "-") and name.endswith(".lock"):
                    numbers.append(int(name[len(kind) + 1 : -len(".lock")]))
        return max(numbers)


def _write(fd: int, value: Dict[str, Any]) -> None:
    with fault_point("slots.write"):
        data = json.dumps(value).encode("utf-8")
        # Spaces cover what stood there before: cutting the file off first costs the file system ten times as much.
        os.pwrite(fd, data.ljust(os.fstat(fd).st_size), 0)


def _read(fd: int) -> Optional[Dict[str, Any]]:
    try:
        value = json.loads(os.pread(fd, 65536, 0).decode("utf-8"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None

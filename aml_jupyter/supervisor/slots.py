"""Own the slots of a machine: lock files that say how many jobs may run at once, and who runs.

One file for each core and GPU, ``core-<i>.lock`` and ``gpu-<name>.lock``. A slot is taken while somebody holds the lock
(flock) of its file's open description. Who shares a GPU has a shared lock of its file, and one of ``gpu-<name>.<k>.lock``
for itself. The service takes it and passes the descriptors to the supervisor; the lock is
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

    @property
    def devices(self) -> List[str]:
        """Return the names of the GPUs."""
        return [name[len("gpu-") :] for name in self.names if name.startswith("gpu-") and "." not in name]

    def add(self, name: str, fd: int) -> None:
        """Take over a slot that the calling process has locked."""
        self.names.append(name)
        self.fds.append(fd)

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
        devices: Sequence[str] = (),
        runs_per_gpu: int = 1,
        memory: int = 0,
        memory_limit: int = 0,
        holder: Optional[Dict[str, Any]] = None,
    ) -> Optional[HeldSlots]:
        """Take all that is asked for, or nothing.

        Parameters
        ----------
        cores, gpus : int
            How many of each.
        core_limit : int
            How many cores there are; only the first so many files count.
        devices : sequence of str
            The names of the GPUs that there are.
        runs_per_gpu : int
            How many jobs may share one; a job with 1 here has its GPU alone, whatever others say.
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
            if not self._take_cores(held, cores, core_limit) or not self._take_gpus(held, gpus, devices, runs_per_gpu):
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

    def usage(self, core_limit: Optional[int] = None, devices: Sequence[str] = ()) -> Dict[str, Dict[str, Any]]:
        """Return who holds which slot now: slot name -> what its holder wrote.

        A GPU that somebody has alone is ``gpu-<name>``; one that is shared is ``gpu-<name>.<k>`` for each of its users.

        Parameters
        ----------
        core_limit : int, optional
            How many cores there are; without it, every core that was ever taken counts.
        devices : sequence of str
            The names of the GPUs to look at.
        """
        if not os.path.isdir(self.path):
            return {}
        if core_limit is None:
            core_limit = self._highest("core") + 1
        names = ["core-%d" % number for number in range(core_limit)]
        for device in devices:
            names += ["gpu-%s" % device] + self._shares(device)
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

    def _take_cores(self, held: HeldSlots, wanted: int, limit: int) -> bool:
        """Add `wanted` cores to `held`; False when there are not so many."""
        for number in range(limit):
            if not wanted:
                break
            fd = self._try("core-%d" % number)
            if fd is not None:
                held.add("core-%d" % number, fd)
                wanted -= 1
        return not wanted

    def _take_gpus(self, held: HeldSlots, wanted: int, devices: Sequence[str], runs_per_gpu: int) -> bool:
        """Add `wanted` GPUs to `held`, of those that are shared the ones with the fewest users; False when they are not free."""
        if not wanted:
            return True
        if runs_per_gpu > 1:
            devices = sorted(devices, key=lambda device: len(self._held(self._shares(device))))
        for device in devices:
            if wanted and self._take_gpu(held, "gpu-%s" % device, runs_per_gpu):
                wanted -= 1
        return not wanted

    def _take_gpu(self, held: HeldSlots, name: str, runs_per_gpu: int) -> bool:
        whole = self._try(name, shared=runs_per_gpu > 1)
        if whole is None:
            return False
        if runs_per_gpu == 1:
            held.add(name, whole)
            return True
        for number in range(runs_per_gpu):
            share = self._try("%s.%d" % (name, number))
            if share is not None:
                held.add(name, whole)
                held.add("%s.%d" % (name, number), share)
                return True
        os.close(whole)
        return False

    def _shares(self, device: str) -> List[str]:
        """Return the names of all shares of a GPU that were ever taken."""
        start = "gpu-%s." % device
        return [
            name[: -len(".lock")] for name in os.listdir(self.path) if name.startswith(start) and name != start + "lock"
        ]

    def _try(self, name: str, shared: bool = False) -> Optional[int]:
        path = os.path.join(self.path, name + ".lock")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
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

"""Own the memory cgroup of an attempt: a group of the kernel's that no process of the run can leave.

Groups of version 2 where the memory controller is handed down to a folder that this user may write, of version 1 where its
folder may be written (root, as a rule). A group is named after its supervisor, so that whoever comes next removes what a
killed one left behind.
"""

import os
import time
from typing import Iterator, List, Optional, Tuple

from .faults import fault_point
from .identity import start_time
from .kernel import read_bytes

__all__ = ["MemoryGroup", "machine_limits", "make_group"]

PREFIX = "aml-"

HUGE_PAGE = 2 * 2**20
"""Bytes that may be asked for at once."""

BOUND = 2.0
"""Seconds that the kernel has to notice that a group is empty."""


class MemoryGroup:
    """Own one group.

    Attributes
    ----------
    path : str
        Its folder.
    """

    def __init__(self, path: str, version: int) -> None:
        self.path = path
        self._version = version

    def limit(self, size: int) -> None:
        """Let the group have `size` bytes, swapped-out ones included."""
        if self._version == 2:
            _write(self.path, "memory.max", size)
            _write_if_there(self.path, "memory.swap.max", 0)
            # A run that lost one of its processes hangs more often than it goes on: they end together.
            _write_if_there(self.path, "memory.oom.group", 1)
        else:
            _write(self.path, "memory.limit_in_bytes", size)
            _write_if_there(self.path, "memory.memsw.limit_in_bytes", size)

    def take(self, pid: int) -> None:
        """Put the process `pid` into the group; what it starts from now on is in it, too."""
        _write(self.path, "cgroup.procs", pid)

    def kills(self) -> int:
        """Return how many of its processes the kernel has ended for lack of memory."""
        name = "memory.events" if self._version == 2 else "memory.oom_control"
        return _figure(os.path.join(self.path, name), b"oom_kill") or 0

    def has_met_its_limit(self) -> bool:
        """Tell whether the limit has ever refused memory; if it has not, the kernel lacked memory for another reason."""
        if self._version == 2:
            return bool(_figure(os.path.join(self.path, "memory.events"), b"oom"))
        try:
            most, limit = (
                int(read_bytes(os.path.join(self.path, "memory.%s_in_bytes" % name))) for name in ("max_usage", "limit")
            )
        except OSError:
            return True
        return most > limit - HUGE_PAGE - limit // 100  # newer kernels do not count refusals (failcnt)

    def remove(self) -> bool:
        """Remove the group when its processes have ended; False when some are left."""
        deadline = time.monotonic() + BOUND
        while not _remove(self.path):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


def make_group(size: int, pid: int) -> Optional[MemoryGroup]:
    """Return a new group of `size` bytes with the process `pid` in it, or None where none can be had."""
    name = "%s%d-%s" % (PREFIX, os.getpid(), start_time(os.getpid()))
    for parent, version in _parents():
        _sweep(parent)
        group = MemoryGroup(os.path.join(parent, name), version)
        try:
            with fault_point("supervisor.group"):
                os.mkdir(group.path)
                group.limit(size)
                group.take(pid)
            return group
        except OSError:
            _remove(group.path)
    return None


def machine_limits() -> List[int]:
    """Return the limits (bytes) of the memory groups that this process is in, of all above it, too."""
    found = []
    for path, top, version in _own_groups():
        name = "memory.max" if version == 2 else "memory.limit_in_bytes"
        for folder in _upwards(path, top):
            try:
                text = read_bytes(os.path.join(folder, name)).strip()
            except OSError:
                continue
            if text.isdigit() and int(text) < 1 << 60:  # version 1 says "no limit" by a huge number
                found.append(int(text))
    return found


def _parents() -> Iterator[Tuple[str, int]]:
    """Yield the folders below which a group may be made, the nearest first, with the version."""
    for path, top, version in _own_groups():
        for folder in _upwards(path, top):
            if not os.access(folder, os.W_OK):
                continue
            if version == 1:
                yield folder, 1
                break  # further up, the limits of what this process is in would not hold
            try:
                handed_down = read_bytes(os.path.join(folder, "cgroup.subtree_control")).split()
                if b"memory" in handed_down:
                    yield folder, 2
                if read_bytes(os.path.join(folder, "memory.max")).strip() != b"max":
                    break
            except OSError:
                continue


def _own_groups() -> Iterator[Tuple[str, str, int]]:
    """Yield folder, mount point and version of the memory groups that this process is in."""
    try:
        places = _mounts()
        lines = read_bytes("/proc/self/cgroup").decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        version = 2 if number == "0" else 1
        if version == 1 and "memory" not in controllers.split(","):
            continue
        for top, root, mounted in places:
            if mounted != version:
                continue
            inside = path if root == "/" else path[len(root) :] if (path + "/").startswith(root + "/") else None
            if inside is not None:
                folder = os.path.normpath(top + "/" + inside)
                if os.path.isdir(folder) and (folder + "/").startswith(top + "/"):
                    yield folder, top, version


def _mounts() -> List[Tuple[str, str, int]]:
    """Return mount point, what of the tree is mounted there, and the version of every mounted memory hierarchy."""
    found = []
    for line in read_bytes("/proc/self/mountinfo").decode("utf-8", "surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        root, top = before.split()[3:5]
        kind, _, options = after.split(None, 2)
        if kind == "cgroup2":
            found.append((top, root, 2))
        elif kind == "cgroup" and "memory" in options.split(","):
            found.append((top, root, 1))
    return found


def _upwards(path: str, top: str) -> Iterator[str]:
    while True:
        yield path
        if path == top:
            return
        path = os.path.dirname(path)


def _sweep(parent: str) -> None:
    """Remove the groups that killed supervisors left below `parent`."""
    try:
        names = os.listdir(parent)
    except OSError:
        return
    for name in names:
        pid, _, started = name[len(PREFIX) :].partition("-")
        if name.startswith(PREFIX) and pid.isdigit() and started.isdigit() and start_time(int(pid)) != started:
            _remove(os.path.join(parent, name))


def _remove(path: str) -> bool:
    """Remove the group at `path`; False when a process is in it."""
    with fault_point("supervisor.drop_group"):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            pass
        except OSError:
            return False
    return True


def _write(folder: str, name: str, value: int) -> None:
    fd = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"%d" % value)
    finally:
        os.close(fd)


def _write_if_there(folder: str, name: str, value: int) -> None:
    try:
        _write(folder, name, value)
    except OSError:
        pass  # this kernel has no such thing, or no swap


def _figure(path: str, name: bytes) -> Optional[int]:
    try:
        lines = read_bytes(path).splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(b" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return None

"""Keep the processes of an attempt within its memory limit: by a group of the kernel's, else by looking at them.

What counts is the memory that the run alone has: its own pages and shared memory, each page once however many of its
processes share it, swapped-out ones included; not the files that it reads or maps. A run that goes over the limit is
ended at once, with all its processes. See `cgroups` for the kernel's way. Where it cannot be had, the supervisor looks
the more often the nearer the limit is, so a run may be over it for some milliseconds.
"""

import os
import sys
import time
from typing import Any, Dict, List, Optional

from .cgroups import MemoryGroup, make_group
from .kernel import descendants, read_bytes
from .supervisor_log import SupervisorLog

__all__ = ["MemoryLimit", "size_text"]

FASTEST = 4e9
"""Bytes a second: no script fills memory faster than about this."""

SHORTEST, LONGEST = 0.02, 0.5
"""Seconds between two looks."""

SHARE = 0.03
"""How much of a core the looking may cost."""


class MemoryLimit:
    """Own the limit of one attempt.

    Parameters
    ----------
    size : int
        Bytes.
    pid : int
        The user's process, which has not started anything yet.

    Attributes
    ----------
    kept_by : str
        ``cgroup``, ``watching``, or ``nothing`` where this system has no way.
    peak : int
        Bytes; the most that was seen, 0 when nothing was looked at.
    """

    def __init__(self, size: int, pid: int, log: SupervisorLog) -> None:
        self.size = size
        self.peak = 0
        self._group: Optional[MemoryGroup] = make_group(size, pid)
        self._next = 0.0
        self._pause = SHORTEST
        if self._group is not None:
            self.kept_by = "cgroup"
        elif os.path.isdir("/proc/self"):
            self.kept_by = "watching"
        else:
            self.kept_by = "nothing"
            log.say("the memory limit of %s is not kept: %s has no way" % (size_text(size), sys.platform))

    def describe(self) -> Dict[str, Any]:
        """Return what stands in ``attempt.json``."""
        return {"limit": self.size, "kept_by": self.kept_by}

    def excess(self) -> str:
        """Return what the run did when it has gone over its limit, else an empty text."""
        if self._group is not None:
            if not self._group.kills():
                return ""
            if not self._group.has_met_its_limit():
                told = "the kernel ended one of its processes, since the machine had no memory left (its limit is %s)"
                return told % size_text(self.size)
            self.peak = max(self.peak, self.size)
        elif self.kept_by == "nothing" or not self._look():
            return ""
        told = "its processes went over the run's memory limit of %s (their peak was %s)"
        return told % (size_text(self.size), size_text(self.peak))

    def pause(self) -> float:
        """Return how many seconds may pass until the next look."""
        return self._pause if self.kept_by == "watching" else LONGEST

    def close(self) -> None:
        """Remove what was made for the limit; when the processes have ended."""
        if self._group is not None:
            self._group.remove()

    def _look(self) -> bool:
        """Tell whether the processes use more than the limit now."""
        begin = time.monotonic()
        if begin < self._next:
            return False
        processes = _tree(os.getpid())
        used = sum(map(_most, processes))
        if used > self.size:  # pages that several of them share were counted more than once
            used = sum(map(_exactly, processes))
        self.peak = max(self.peak, used)
        now = time.monotonic()
        wait = min(max((self.size - used) / FASTEST, SHORTEST), LONGEST)
        self._pause = max(wait, (now - begin) / SHARE)
        self._next = now + self._pause * 0.9
        return used > self.size


def size_text(size: int) -> str:
    """Return a number of bytes as a person says it."""
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return "%.3g %s" % (size / unit, name)
    return "%d bytes" % size


def _tree(pid: int) -> List[int]:
    """Return the ids of the descendants of the process `pid`; quicker than a look at every process of the machine."""
    found: List[int] = []
    ahead = [pid]
    while ahead:
        parent = ahead.pop()
        try:
            for thread in os.listdir("/proc/%d/task" % parent):
                children = read_bytes("/proc/%d/task/%s/children" % (parent, thread)).split()
                found += map(int, children)
                ahead += map(int, children)
        except OSError:
            if parent == pid:
                return sorted(descendants(pid))  # this kernel keeps no such files
    return found


def _most(pid: int) -> int:
    """Return the memory of a process in bytes, with what it shares with others."""
    fields = _fields("/proc/%d/status" % pid)
    if "RssAnon" in fields:
        return fields["RssAnon"] + fields.get("RssShmem", 0) + fields.get("VmSwap", 0)
    return fields.get("VmRSS", 0) + fields.get("VmSwap", 0)


def _exactly(pid: int) -> int:
    """Return the memory of a process in bytes, its part of what it shares with others."""
    fields = _fields("/proc/%d/smaps_rollup" % pid)
    if "Pss_Anon" in fields:
        return fields["Pss_Anon"] + fields.get("Pss_Shmem", 0) + fields.get("SwapPss", 0)
    return fields["Pss"] + fields.get("SwapPss", 0) if "Pss" in fields else _most(pid)


def _fields(path: str) -> Dict[str, int]:
    """Return the sizes that a file of /proc names, in bytes; empty when the process has ended or may not be looked at."""
    found: Dict[str, int] = {}
    try:
        lines = read_bytes(path).decode("ascii", "replace").splitlines()
    except OSError:
        return found
    for line in lines:
        words = line.split()
        if len(words) == 3 and words[2] == "kB" and words[1].isdigit():
            found[words[0].rstrip(":")] = int(words[1]) * 1024
    return found

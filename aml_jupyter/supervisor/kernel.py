"""Call the kernel where Python's standard library does not: death signals, subreapers, the process tree, OOM counters.

Each of them does nothing, and says so by what it returns, on a system that lacks it.
"""

import os
from typing import Any, Dict, List, Optional, Set, Tuple

__all__ = ["become_subreaper", "children_of", "descendants", "oom_kills", "read_bytes", "set_death_signal"]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _load_libc() -> Any:
    if not os.path.isdir("/proc/self"):
        return None
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True)
    except (ImportError, OSError):
        return None


_oom_files: Optional[List[str]] = None

# Loaded at import, so that nothing has to be loaded between fork and exec.
_libc = _load_libc()


def set_death_signal(number: int) -> bool:
    """Have the signal `number` sent to this process when its parent dies; False where that cannot be had."""
    return _libc is not None and _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) == 0


def become_subreaper() -> bool:
    """Become the parent of every descendant that loses its own; False where that cannot be had."""
    return _libc is not None and _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def children_of() -> Dict[int, List[int]]:
    """Return the ids of the children of every process that has some; zombies left out."""
    children: Dict[int, List[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    return children


def descendants(pid: int) -> Set[int]:
    """Return the ids of the children of the process `pid`, of their children, and so on; zombies left out."""
    children = children_of()
    found: Set[int] = set()
    ahead = [pid]
    while ahead:
        for child in children.get(ahead.pop(), []):
            if child not in found:
                found.add(child)
                ahead.append(child)
    return found


def _parents() -> List[Tuple[int, int]]:
    if not os.path.isdir("/proc/self"):
        return _parents_from_ps()
    pairs = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            text = read_bytes("/proc/%s/stat" % name)
        except OSError:
            continue
        state, parent = text[text.rfind(b")") + 2 :].split(None, 2)[:2]
        # A zombie's children have a new parent already.
        if state not in (b"Z", b"X"):
            pairs.append((int(name), int(parent)))
    return pairs


def _parents_from_ps() -> List[Tuple[int, int]]:
    import subprocess

    from .faults import fault_point

    with fault_point("kernel.ps"):
        run = subprocess.run(["ps", "-axo", "pid=,ppid=,stat="], stdout=subprocess.PIPE, check=False)
    rows = [line.split() for line in run.stdout.decode("ascii", "replace").splitlines()]
    return [(int(row[0]), int(row[1])) for row in rows if len(row) == 3 and not row[2].startswith("Z")]


def oom_kills() -> Dict[str, int]:
    """Return how many processes the kernel has ended for lack of memory so far, by the file that says so.

    The files of this process's memory cgroup; where they do not say it, the one for the whole machine.
    """
    global _oom_files
    if _oom_files is None:
        files = _memory_cgroup_files()
        _oom_files = [path for path in files if _oom_kills_in(path) is not None] or ["/proc/vmstat"]
    counts = {}
    for path in _oom_files:
        count = _oom_kills_in(path)
        if count is not None:
            counts[path] = count
    return counts


def _oom_kills_in(path: str) -> Optional[int]:
    try:
        text = read_bytes(path)
    except OSError:
        return None
    found = (b"\n" + text).find(b"\noom_kill ")
    return None if found < 0 else int(text[found + len(b"oom_kill ") :].split(None, 1)[0])


def read_bytes(path: str) -> bytes:
    """Return what is in the file at `path`; with less ado than `open`, which counts where a run's start is paid."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [os.read(fd, 65536)]
        while parts[-1]:
            parts.append(os.read(fd, 65536))
        return b"".join(parts)
    finally:
        os.close(fd)


def _memory_cgroup_files() -> List[str]:
    files = []
    try:
        with open("/proc/self/cgroup") as stream:
            for line in stream:
                number, controllers, path = line.rstrip("\n").split(":", 2)
                if number == "0":
                    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
                        files.append(root + path.rstrip("/") + "/memory.events")
                elif "memory" in controllers.split(","):
                    files.append("/sys/fs/cgroup/memory" + path.rstrip("/") + "/memory.oom_control")
                    if not os.path.exists("/sys/fs/cgroup/memory" + path):  # a container sees its own part only
                        files.append("/sys/fs/cgroup/memory/memory.oom_control")
    except OSError:
        pass
    return files

"""Tell processes apart, also across reboots, hosts, containers and reused process ids.

A process is named by host, boot id, pid namespace, pid and start time; any of them alone proves nothing. What an
attempt started can also be found by the marker in its environment (see `protocol.MARKER`), whoever its parent is.

Where there is no ``/proc`` (macOS), start times come from ``ps``, whole seconds only; there is no boot id and no pid
namespace, and survivors are those of the user's processes whose environment ``ps`` shows.
"""

import errno
import os
import signal
import socket
import time
from typing import Any, Dict, List, Optional, Tuple

from .faults import fault_point
from .kernel import read_bytes
from .protocol import MARKER

__all__ = [
    "boot_id",
    "describe",
    "end_survivors",
    "first_process",
    "here",
    "is_alive",
    "is_elsewhere",
    "pid_namespace",
    "start_time",
    "survivors",
]

HAS_PROC = os.path.exists("/proc/self/stat")


def boot_id() -> str:
    """Return the id that the kernel made when this machine booted; empty where there is none."""
    try:
        return read_bytes("/proc/sys/kernel/random/boot_id").decode("ascii").strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """Return the name of this process's pid namespace; empty where there is none."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def start_time(pid: int) -> Optional[str]:
    """Return when the process `pid` started, in the system's own unit; None when it is not there or has ended.

    A zombie has ended.
    """
    if not HAS_PROC:
        return _start_time_from_ps(pid)
    try:
        text = read_bytes("/proc/%d/stat" % pid)
    except OSError:
        return None
    # The name, in parentheses, may hold anything; fields count from behind it: state is the third, start time the 22nd.
    fields = text[text.rfind(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X", b"x"):
        return None
    return fields[19].decode("ascii")


def describe(pid: int) -> Dict[str, Any]:
    """Return what `is_alive` needs to know about the process `pid`."""
    return {"pid": pid, "start_time": start_time(pid)}


def here() -> Dict[str, Any]:
    """Return the place that this process runs in: a process id means something in the same place only."""
    return {"host": socket.gethostname(), "boot_id": boot_id(), "pid_namespace": pid_namespace()}


def is_elsewhere(attempt: Dict[str, Any]) -> bool:
    """Tell whether `attempt` was written where this process cannot look: on another machine, or in another container.

    A machine that has got another name since is the same one: its boot id says so.
    """
    return not _is_same_kernel(attempt) and attempt.get("host") != socket.gethostname()


def _is_same_kernel(attempt: Dict[str, Any]) -> bool:
    return (attempt.get("boot_id"), attempt.get("pid_namespace")) == (boot_id(), pid_namespace())


def is_alive(attempt: Dict[str, Any]) -> bool:
    """Tell whether the supervisor that wrote `attempt` is alive in this place.

    Parameters
    ----------
    attempt : dict
        The content of ``attempt.json``: what `here` returned, and ``supervisor`` as `describe` returned it.

    Returns
    -------
    bool
        False also when boot or pid namespace is another one: what runs there cannot be judged from here.
    """
    if not _is_same_kernel(attempt):
        return False
    process = attempt.get("supervisor") or {}
    pid, started = process.get("pid"), process.get("start_time")
    return isinstance(pid, int) and pid > 0 and started is not None and start_time(pid) == started


def survivors(token: str) -> List[int]:
    """Return the ids of the processes that carry `token` as their marker, this process left out."""
    if not HAS_PROC:
        return _survivors_from_ps(token)
    found = []
    own = os.getpid()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != own and _carries(int(name), token):
            found.append(int(name))
    return sorted(found)


def first_process(token: str) -> Optional[Tuple[int, str]]:
    """Return the process that carries `token` and is the first one of a container, with its start time; None when none is."""
    for pid in survivors(token):
        if _is_first(pid):
            started = start_time(pid)
            if started is not None:
                return pid, started
    return None


def _is_first(pid: int) -> bool:
    """Tell whether a process is the first one of a namespace within this one."""
    try:
        lines = read_bytes("/proc/%d/status" % pid).decode("ascii", "replace").splitlines()
    except OSError:
        return False
    numbers = next((line.split()[1:] for line in lines if line.startswith("NSpid:")), [])
    return len(numbers) > 1 and numbers[-1] == "1"


def end_survivors(token: str, grace: float, bound: float = 10.0) -> List[int]:
    """End every process that carries `token`: TERM, after `grace` seconds KILL, then a check.

    Parameters
    ----------
    token : str
        The marker of one attempt.
    grace : float
        Seconds between TERM and KILL; it ends early when nothing is left.
    bound : float
        Seconds to wait after the first KILL for the last one to be gone.

    Returns
    -------
    list of int
        The ids of those that are still there; a new attempt may start only when it is empty.
    """
    left = survivors(token)
    for pid in left:
        _end(pid, token, signal.SIGTERM)
    left = _wait_until_gone(token, left, grace)
    deadline = time.monotonic() + bound
    while left and time.monotonic() < deadline:
        for pid in left:
            _end(pid, token, signal.SIGKILL)
        left = _wait_until_gone(token, left, 0.2)
    return left


def _wait_until_gone(token: str, left: List[int], seconds: float) -> List[int]:
    deadline = time.monotonic() + seconds
    pause = 0.005
    while left and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
        left = survivors(token)
    return left


def _carries(pid: int, token: str) -> bool:
    if not HAS_PROC:
        return pid in _survivors_from_ps(token)
    try:
        variables = read_bytes("/proc/%d/environ" % pid)
    except OSError:
        return False
    return ("%s=%s" % (MARKER, token)).encode("utf-8") in variables.split(b"\0")


def _end(pid: int, token: str, number: int) -> None:
    """Send the signal `number` to the process `pid`, if that still is one that carries `token`."""
    with fault_point("identity.end_survivor"):
        try:
            # A descriptor of the process keeps its id from being reused between the check and the signal.
            handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EINVAL):
                return
            handle = None
        try:
            if not _carries(pid, token):
                return
            if handle is None:
                os.kill(pid, number)
            else:
                signal.pidfd_send_signal(handle, number)
        except (ProcessLookupError, PermissionError):
            return
        finally:
            if handle is not None:
                os.close(handle)


def _start_time_from_ps(pid: int) -> Optional[str]:
    columns = _ps(["-o", "stat=,lstart=", "-p", str(pid)]).split(None, 1)
    if len(columns) < 2 or columns[0].startswith("Z"):
        return None
    return columns[1].strip()


def _survivors_from_ps(token: str) -> List[int]:
    marker = "%s=%s" % (MARKER, token)
    found = []
    for line in _ps(["-E", "-ww", "-x", "-o", "pid=,command="]).splitlines():
        pid, _, command = line.strip().partition(" ")
        if marker in command.split() and int(pid) != os.getpid():
            found.append(int(pid))
    return sorted(found)


def _ps(arguments: List[str]) -> str:
    import subprocess

    with fault_point("identity.ps"):
        run = subprocess.run(["ps"] + arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return run.stdout.decode("utf-8", "replace")

"""Fork the user's process and hold it back until its identity is on disk."""

import errno
import os
import signal
from typing import Dict, List, Optional, Tuple

from .faults import fault_point
from .kernel import set_death_signal
from .launch import Launch

__all__ = ["HeldProcess", "fork_held"]


class HeldProcess:
    """Own a forked process that waits for a word before it becomes the user's.

    Attributes
    ----------
    pid : int
        Also its process group.
    """

    def __init__(self, pid: int, gate: int, report: int) -> None:
        self.pid = pid
        self._gate = gate
        self._report = report

    def release(self) -> Optional[str]:
        """Let it become the user's program; return why it could not, or None."""
        with fault_point("supervisor.release"):
            try:
                os.write(self._gate, b"x")
            except BrokenPipeError:
                pass
            os.close(self._gate)
        # The other end is close-on-exec: the end of the file means that the program runs.
        parts: List[bytes] = []
        while not parts or parts[-1]:
            parts.append(os.read(self._report, 65536))
        os.close(self._report)
        return b"".join(parts).decode("utf-8", "replace") or None

    def discard(self) -> None:
        """End it before it ran anything."""
        with fault_point("supervisor.discard"):
            os.close(self._gate)
            os.close(self._report)
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.waitpid(self.pid, 0)


def fork_held(launch: Launch, log: int) -> HeldProcess:
    """Fork the process of `launch`, its output going to the descriptor `log`; it runs nothing of the user's yet.

    What can be done before the fork is done before it: memory that the forked process touches has to be copied.
    """
    supervisor = os.getpid()
    variables = launch.variables
    gate_end, gate = os.pipe()
    report, report_end = os.pipe()
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    with fault_point("supervisor.fork"):
        pid = os.fork()
        if pid == 0:
            _become(launch, variables, supervisor, (null, log, log), (gate_end, gate), report_end)
    os.close(gate_end)
    os.close(report_end)
    os.close(null)
    try:
        # It is held back, so it is in its group before it runs anything.
        os.setpgid(pid, pid)
    except OSError:
        pass  # It has ended already; so says its exit status.
    return HeldProcess(pid, gate, report)


def _become(
    launch: Launch,
    variables: Dict[str, str],
    supervisor: int,
    streams: Tuple[int, int, int],
    gate: Tuple[int, int],
    report: int,
) -> None:
    """Turn this forked process into the user's; never return. Every descriptor from 3 on is close-on-exec."""
    try:
        set_death_signal(signal.SIGKILL)
        os.close(gate[1])
        if os.getppid() != supervisor or os.read(gate[0], 1) != b"x":
            os._exit(127)
        os.dup2(streams[0], 0)
        os.dup2(streams[1], 1)
        os.dup2(streams[2], 2)
        os.chdir(launch.cwd)
        with fault_point("supervisor.exec"):
            if "/" in launch.command[0]:
                os.execve(launch.command[0], launch.command, variables)
            os.execvpe(launch.command[0], launch.command, variables)
    except BaseException as error:
        os.write(report, _explain(launch, error).encode("utf-8", "replace"))
    finally:
        os._exit(127)


def _explain(launch: Launch, error: BaseException) -> str:
    program = launch.command[0]
    if not isinstance(error, OSError):
        return "%s could not be started: %s: %s" % (program, type(error).__name__, error)
    if not os.path.isdir(launch.cwd):
        return "the working directory %s could not be entered: %s" % (launch.cwd, error.strerror)
    if error.errno == errno.ENOENT and os.path.exists(program):
        return "%s could not be started: the interpreter that its first line names does not exist" % program
    if error.errno == errno.ENOENT:
        where = "" if os.path.dirname(program) else " on PATH (%s)" % launch.environment.get("PATH", os.defpath)
        return "%s does not exist%s; check the interpreter or the command of the run configuration" % (program, where)
    if error.errno == errno.EACCES:
        return "%s could not be started: it is not executable, or a folder above it is closed" % program
    if error.errno == errno.ENOEXEC:
        return "%s could not be started: it is no program, and has no #! line that names one" % program
    return "%s could not be started: %s" % (program, error.strerror or error)

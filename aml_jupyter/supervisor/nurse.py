"""Ask the machine's warm parent to fork a supervisor; start that parent when there is none.

The parent (`warm_parent`) listens in the user's runtime folder, one for each content of the bundle, so that a newer
package never talks to an older one's. A request that may have been lost is simply repeated: of two supervisors of one
attempt only one starts anything.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from typing import Dict, Sequence

from .bundle import Bundle
from .faults import fault_point, fault_variables
from .peers import receive, send

__all__ = ["NurseError", "socket_path", "spawn", "spawn_at_once"]

BOUND = 15.0
"""Seconds after which a start that did not work is given up."""

ANSWER_BOUND = 5.0
"""Seconds that a parent which took the connection has for its answer."""

KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR")


class NurseError(OSError):
    """Say why no supervisor could be started; trying again later is harmless."""


def socket_path(runtime: "os.PathLike[str]", bundle: Bundle) -> str:
    """Return where the warm parent of `bundle` listens."""
    return os.path.join(os.fspath(runtime), "nurse-%s.sock" % os.path.basename(os.fspath(bundle.root)))


def spawn(
    runtime: "os.PathLike[str]", bundle: Bundle, control: "os.PathLike[str]", slot_fds: Sequence[int] = ()
) -> None:
    """Have a supervisor forked for the attempt whose control folder is `control`.

    Parameters
    ----------
    runtime : os.PathLike
        The user's runtime folder (mode 0700, a short path: it holds a socket).
    bundle : Bundle
        What the supervisor runs from.
    control : os.PathLike
        Absolute path of the control folder, with ``launch.json`` in it.
    slot_fds : sequence of int
        Descriptors of held slots; the supervisor gets copies, the caller closes its own.

    Raises
    ------
    NurseError
        When no parent could be started, or it refused or did not answer in time.
    """
    path = socket_path(runtime, bundle)
    if len(os.fsencode(path)) > 100:
        raise NurseError("%s is too long for a socket: choose a shorter runtime folder (AML_RUNTIME)" % path)
    request = _request(control)
    deadline = time.monotonic() + BOUND
    while True:
        try:
            reply = _ask(path, request, slot_fds, ANSWER_BOUND)
            break
        except socket.timeout:
            raise NurseError(
                "the process that forks supervisors (socket %s) took the request but gave no answer for %g s; it may "
                "be stopped: end it, the next start replaces it" % (path, ANSWER_BOUND)
            ) from None
        except (ConnectionError, FileNotFoundError, BlockingIOError) as error:
            if time.monotonic() > deadline:
                raise NurseError("no supervisor could be started for %s s: %s" % (BOUND, error)) from error
        _start(path, bundle)
    _check(reply, control)


def spawn_at_once(
    runtime: "os.PathLike[str]",
    bundle: Bundle,
    control: "os.PathLike[str]",
    slot_fds: Sequence[int] = (),
    bound: float = 0.1,
) -> bool:
    """Do what `spawn` does where a warm parent is there and answers within `bound` seconds; otherwise return False.

    `spawn` may then be called as if nothing had been asked, whatever became of the request.

    Raises
    ------
    NurseError
        When the parent refused.
    """
    try:
        reply = _ask(socket_path(runtime, bundle), _request(control), slot_fds, bound)
    except OSError:
        return False
    _check(reply, control)
    return True


def _request(control: "os.PathLike[str]") -> Dict[str, object]:
    return {"op": "spawn", "control": os.path.abspath(os.fspath(control)), "faults": fault_variables()}


def _check(reply: Dict[str, object], control: "os.PathLike[str]") -> None:
    if not reply.get("ok"):
        raise NurseError("the supervisor of %s was not started: %s" % (control, reply.get("message")))


def _ask(path: str, request: Dict[str, object], fds: Sequence[int], bound: float) -> Dict[str, object]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(bound)
        connection.connect(path)
        send(connection, request, fds)
        return receive(connection)[0]


def _start(path: str, bundle: Bundle) -> None:
    """Start a parent; return when it listens, or another one holds the place."""
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    environment.update(fault_variables())
    # Isolated and without site: no variable and no installed package of the environment has a say in it.
    command = [sys.executable, "-I", "-S", os.fspath(bundle.archive), "nurse", path]
    with tempfile.TemporaryFile() as words, fault_point("nurse.start"):
        try:
            starter = subprocess.Popen(
                command,
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=words,
                start_new_session=True,
            )
        except OSError as error:
            raise NurseError("%s could not be started: %s" % (sys.executable, error)) from error
        try:
            code = starter.wait(BOUND)
        except subprocess.TimeoutExpired:
            starter.kill()
            starter.wait()
            raise NurseError("the process that forks supervisors was not ready after %g s" % BOUND) from None
        if code > 0:
            words.seek(0)
            text = words.read().decode("utf-8", "replace").strip()
            raise NurseError("the process that forks supervisors did not start (exit code %d): %s" % (code, text))

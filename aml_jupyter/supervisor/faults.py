"""Mark the places where a process may be killed, so that tests can kill it exactly there.

Every durable write and every external act stands inside ``with fault_point("room.act"):``. Without the environment
variable ``AML_FAULT_POINT`` the block costs one attribute look-up. With it, the process is ended by SIGKILL before
or after the block, once: the killer first has to remove the token file.

``AML_FAULT_POINT``   name of the point, for example ``store.commit``
``AML_FAULT_SIDE``    ``before`` or ``after``
``AML_FAULT_TOKEN``   path of a file; who removes it may kill
``AML_FAULT_SKIP``    how often each process passes the point unharmed before that; 0 when it is not set

The variables are read at import. A process that is forked for somebody else takes over that one's with `rearm`.
"""

import os
import signal
from types import TracebackType
from typing import Dict, Mapping, Optional, Type, Union

__all__ = ["VARIABLES", "fault_point", "fault_variables", "rearm"]

VARIABLES = ("AML_FAULT_POINT", "AML_FAULT_SIDE", "AML_FAULT_TOKEN", "AML_FAULT_SKIP")


class _Armed:
    """Kill this process when the block is entered or left."""

    def __init__(self, side: str, token: str, skip: int) -> None:
        self.side = side
        self.token = token
        self.skip = skip

    def _kill(self) -> None:
        try:
            os.unlink(self.token)
        except OSError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def __enter__(self) -> None:
        self.skip -= 1
        if self.side == "before" and self.skip < 0:
            self._kill()

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self.side == "after" and self.skip < 0 and kind is None:
            self._kill()


class _Quiet:
    """Do nothing."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        return None


_QUIET = _Quiet()
_armed_point = ""
_armed = _Armed("before", "", 0)


def rearm(environ: Mapping[str, str]) -> None:
    """Take the point to kill at from `environ`; without the variables there is none."""
    global _armed_point, _armed
    _armed_point = environ.get("AML_FAULT_POINT", "")
    side, token = environ.get("AML_FAULT_SIDE", "before"), environ.get("AML_FAULT_TOKEN", "")
    _armed = _Armed(side, token, int(environ.get("AML_FAULT_SKIP") or 0))


def fault_variables() -> Dict[str, str]:
    """Return the variables of this process, to be sent to one that acts for it."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


def fault_point(name: str) -> Union[_Armed, _Quiet]:
    """Return a context manager that marks the act named `name` (see the module's text)."""
    if _armed_point != name:
        return _QUIET
    return _armed


rearm(os.environ)

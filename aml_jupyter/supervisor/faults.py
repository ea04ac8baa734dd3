"""Mark the places where a process may be killed, so that tests can kill it exactly there.

Every durable write and every external act stands inside ``with fault_point("room.act"):``. Without the environment
variable ``AML_FAULT_POINT`` the block costs one attribute look-up. With it, the process is ended by SIGKILL before
or after the block, once: the killer first has to remove the token file.

``AML_FAULT_POINT``   name of the point, for example ``store.commit``
``AML_FAULT_SIDE``    ``before`` or ``after``
``AML_FAULT_TOKEN``   path of a file; who removes it may kill
"""

import os
import signal
from types import TracebackType
from typing import Optional, Type

__all__ = ["fault_point"]


class _Armed:
    """Kill this process when the block is entered or left."""

    def __init__(self, side: str, token: str) -> None:
        self.side = side
        self.token = token

    def _kill(self) -> None:
        try:
            os.unlink(self.token)
        except OSError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def __enter__(self) -> None:
        if self.side == "before":
            self._kill()

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self.side == "after" and kind is None:
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
_NAME = os.environ.get("AML_FAULT_POINT", "")


def fault_point(name):  # type: ignore[no-untyped-def]
    """Return a context manager that marks the act named `name` (see the module's text)."""
    if _NAME != name:
        return _QUIET
    return _Armed(os.environ.get("AML_FAULT_SIDE", "before"), os.environ.get("AML_FAULT_TOKEN", ""))

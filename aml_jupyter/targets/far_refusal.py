"""Own the error of a far side that could be asked, and could not do it."""

from __future__ import annotations

from aml_jupyter.errors import ComputeTargetException

__all__ = ["FarRefusal"]


class FarRefusal(ComputeTargetException):
    """Say what the far side could not do; `kind` says whose fault it is, and an `OSError` over there is its cause."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message, "target")
        self.kind = kind

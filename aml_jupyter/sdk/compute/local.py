"""Own `LocalCompute`: the target ``local``, which every workspace is born with."""

from __future__ import annotations

from typing import ClassVar

from aml_jupyter.sdk.compute.target import ComputeTarget

__all__ = ["LocalCompute"]


class LocalCompute(ComputeTarget):
    """Stand for this machine, where a submit without a target goes."""

    _type: ClassVar[str | None] = "local"

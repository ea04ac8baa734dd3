"""Define what a sampler knows of a child: its parameters, what it reached, and how it ended."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

__all__ = ["Trial", "parameters_key"]


@dataclass(frozen=True)
class Trial:
    """Hold one ended child, as its rows tell it.

    Parameters
    ----------
    parameters : dict
        Name -> value.
    value : float, optional
        The best value of the primary metric; None where it logged none.
    state : str
        ``completed``, ``stopped`` (by a policy or a person), or ``failed``.
    """

    parameters: Mapping[str, Any]
    value: float | None = None
    state: Literal["completed", "stopped", "failed"] = "completed"

    @property
    def is_measured(self) -> bool:
        """Say whether there is a finite value."""
        return self.value is not None and math.isfinite(self.value)

    @cached_property
    def key(self) -> str:
        """Return a text that is the same for the same parameters."""
        return parameters_key(self.parameters)


def parameters_key(parameters: Mapping[str, Any]) -> str:
    """Return a text that is the same for the same parameters."""
    return json.dumps(parameters, sort_keys=True, default=str)

"""Sample each expression from a number between 0 and 1, by the inverse of its cumulative distribution.

Formulas: SDK v1's parameter expressions: ``uniform``, ``exp(uniform)``, ``normal``, ``exp(normal)``, and of each
``round(x / q) * q``.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

__all__ = ["cumulative", "quantile", "quantised"]

_STANDARD = NormalDist()
_NEAREST = 1e-12
"""How near to 0 and 1 a normal distribution is sampled: 7 standard deviations."""


def quantile(name: str, arguments: list[Any], u: float) -> float:
    """Return the value below which the fraction `u` of a continuous expression lies; without its rounding.

    Parameters
    ----------
    name : str
        One of the ten, with or without its leading ``q``; not ``choice`` or ``randint``.
    arguments : list
        Its arguments.
    u : float
        From 0 to 1.
    """
    first, second = float(arguments[0]), float(arguments[1])
    if name.endswith("uniform"):
        x = first + min(max(u, 0.0), 1.0) * (second - first)
    elif second > 0:
        x = first + second * _STANDARD.inv_cdf(min(max(u, _NEAREST), 1.0 - _NEAREST))
    else:
        x = first
    return math.exp(x) if "log" in name else x


def cumulative(name: str, arguments: list[Any], value: float) -> float:
    """Return the fraction of a continuous expression that lies below `value`: the inverse of `quantile`."""
    first, second = float(arguments[0]), float(arguments[1])
    if "log" in name:
        if value <= 0:
            return 0.0
        value = math.log(value)
    if name.endswith("uniform"):
        return min(max((value - first) / (second - first), 0.0), 1.0)
    if second <= 0:
        return 0.5
    return _STANDARD.cdf((value - first) / second)


def quantised(value: float, q: float) -> int | float:
    """Return ``round(value / q) * q``: a whole number where the step is one, else without digits that only rounding made."""
    steps = round(value / q)
    if float(q).is_integer():
        return steps * int(q)
    return float(f"{steps * q:.12g}")

"""Bend results so that a Gaussian process can describe them: heavy tails are what misleads it most.

Each candidate is a monotonic function; which one is used is decided by the likelihood of the bent results times the
derivative of the bending, so that candidates can be compared (Snelson, Rasmussen, Ghahramani, "Warped Gaussian Processes", 2003).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aml_jupyter.hyperdrive.space import Floats

__all__ = ["Bent", "bendings", "bent"]

_QUANTILES = (0.5, 0.2, 0.05)


@dataclass(frozen=True)
class Bent:
    """Hold results of mean 0 and deviation 1, and the logarithm of the derivative of what made them, summed up."""

    quantile: float
    targets: Floats
    log_derivative: float


def bendings(values: Floats) -> list[Bent]:
    """Return the candidates for results of which lower is better: as they are, and logarithms from different distances."""
    return [bent(values, quantile) for quantile in (0.0, *_QUANTILES)]


def bent(values: Floats, quantile: float) -> Bent:
    """Return results as ``log(1 + (value - least) / scale)``; the scale is that quantile above the least, and 0 bends nothing."""
    least = float(values.min())
    scale = float(np.quantile(values, quantile)) - least if quantile else 0.0
    if scale <= 1e-12 * max(1.0, abs(least)):
        return _standard(values, 0.0, 0.0)
    return _standard(np.log1p((values - least) / scale), quantile, -float(np.log(scale + values - least).sum()))


def _standard(values: Floats, quantile: float, log_derivative: float) -> Bent:
    deviation = float(values.std())
    if deviation <= 0 or not math.isfinite(deviation):
        deviation = 1.0
    targets = (values - values.mean()) / deviation
    return Bent(quantile, targets, log_derivative - len(values) * math.log(deviation))

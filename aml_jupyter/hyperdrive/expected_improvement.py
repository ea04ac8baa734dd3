"""Compute the logarithm of the expected improvement and its derivatives without underflow.

After Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization" (NeurIPS 2023), equation 9.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from aml_jupyter.hyperdrive.space import Floats

__all__ = ["log_expected_improvement", "log_improvement_slopes"]

_LOG_ROOT = 0.5 * math.log(2 * math.pi)


def _log_h(z: Floats) -> Floats:
    """Return log(phi(z) + z Phi(z)), for any z."""
    value = np.empty_like(z)
    near = z > -1
    some = z[near]
    value[near] = np.log(np.exp(-0.5 * some * some - _LOG_ROOT) + some * ndtr(some))
    far = -z[~near]
    rest = 1.0 - math.sqrt(math.pi / 2) * far * erfcx(far / math.sqrt(2))
    rest = np.where(far > 1e3, 1.0 / (far * far), np.maximum(rest, 1e-300))
    value[~near] = -0.5 * far * far - _LOG_ROOT + np.log(rest)
    return value


def log_expected_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """Return log E[max(best - f, 0)] for f normal with `mean` and `deviation`."""
    value: Floats = np.log(deviation) + _log_h((best - mean) / deviation)
    return value


def log_improvement_slopes(mean: Floats, deviation: Floats, best: float) -> tuple[Floats, Floats, Floats]:
    """Return the log expected improvement and its derivatives by mean and by deviation."""
    z = (best - mean) / deviation
    log_h = _log_h(z)
    by_mean = -np.exp(log_ndtr(z) - log_h) / deviation
    by_deviation = np.exp(-0.5 * z * z - _LOG_ROOT - log_h) / deviation
    return np.log(deviation) + log_h, by_mean, by_deviation

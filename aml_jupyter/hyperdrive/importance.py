"""Say which parameters matter: how much the good children's values of each differ from those of all children.

PED-ANOVA (Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces",
IJCAI 2023), its one-dimensional form: the Pearson divergence between the density of the best quarter and that of all, on the
unit interval, with a Gaussian kernel for ordered parameters and counts for categories.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aml_jupyter.hyperdrive.space import Dimension, Floats, Space
from aml_jupyter.hyperdrive.trial import Trial

__all__ = ["importances"]

LEAST = 8
"""With fewer measured children nothing is said."""

QUANTILE = 0.25
"""Which part of the children counts as good."""

_GRID = 64


def importances(space: Mapping[str, Sequence[Any]], trials: Sequence[Trial], maximise: bool) -> dict[str, float]:
    """Return the share of each parameter, the greatest first; empty with too few children, or where none matters.

    Parameters
    ----------
    space : dict
        Parameter -> expression, as SDK v1 writes it.
    trials : sequence of Trial
        What the children reached; those without a finite value, or outside of the space, are left out.
    maximise : bool
        Whether a greater value is better.
    """
    whole = Space(space)
    placed = [(whole.position(trial.parameters), trial.value) for trial in trials if trial.is_measured]
    told = [(point, float(value)) for point, value in placed if point is not None and value is not None]
    if len(told) < LEAST or len({value for _, value in told}) < 2:
        return {}
    points = np.array([point for point, _ in told])
    scores = np.array([value if maximise else -value for _, value in told])
    count = max(3, math.ceil(QUANTILE * len(told)))
    good = points[np.argsort(-scores, kind="stable")[:count]]
    raw = {
        dimension.name: _divergence(dimension, good[:, column], points[:, column])
        for column, dimension in enumerate(whole.dimensions)
    }
    total = sum(raw.values())
    if not total > 0:
        return {}
    return {name: raw[name] / total for name in sorted(raw, key=lambda name: -raw[name])}


def _divergence(dimension: Dimension, good: Floats, every: Floats) -> float:
    """Return the integral of (p_good / p_all - 1) ** 2 * p_all over the interval."""
    if dimension.is_discrete and (dimension.is_category or len(dimension.options) <= 16):
        edges = np.array([0.0, *dimension.edges, 1.0])
        p, q = (np.histogram(values, edges)[0] + 1e-12 for values in (good, every))
    else:
        grid = (np.arange(_GRID) + 0.5) / _GRID
        width = max(1.06 * float(np.std(every)) * len(good) ** -0.2, 0.05)
        p, q = (_density(grid, values, width) for values in (good, every))
    p, q = p / p.sum(), q / q.sum()
    there = q > 1e-9
    return float(((p[there] / q[there] - 1.0) ** 2 * q[there]).sum())


def _density(grid: Floats, values: Floats, width: float) -> Floats:
    apart = (grid[:, None] - values[None, :]) / width
    density: Floats = np.exp(-0.5 * apart**2).sum(axis=1)
    return density

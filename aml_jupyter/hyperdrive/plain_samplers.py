"""Sample without looking at results: random, scrambled Sobol, grid. Child `index` has the same parameters whatever happens."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from aml_jupyter.errors import UserErrorException
from aml_jupyter.hyperdrive.space import Floats, Space

__all__ = ["grid_parameters", "random_point", "scipy_missing", "sobol_point", "sobol_points"]


def random_point(seed: int, index: int, size: int) -> Floats:
    """Return the point of child `index` in the unit cube of `size` dimensions."""
    point: Floats = np.random.default_rng([seed, index]).random(size)
    return point


def sobol_points(seed: int, first: int, count: int, size: int) -> Floats:
    """Return points `first` and following of a scrambled Sobol sequence.

    Raises
    ------
    UserErrorException
        When SciPy is not installed.
    """
    try:
        from scipy.stats import qmc
    except ImportError as error:
        raise scipy_missing("Sobol sampling (Bayesian sampling begins with it)") from error
    generator: Any = np.random.default_rng(seed)
    try:
        engine = qmc.Sobol(size, scramble=True, rng=generator)
    except TypeError:  # SciPy before 1.15
        engine = qmc.Sobol(size, scramble=True, seed=generator)
    if first:
        engine.fast_forward(first)
    points: Floats = np.vstack([engine.random(1) for _ in range(count)])
    return points


def sobol_point(seed: int, index: int, size: int) -> Floats:
    """Return point `index` of a scrambled Sobol sequence."""
    point: Floats = sobol_points(seed, index, 1, size)[0]
    return point


def grid_parameters(space: Space, index: int) -> dict[str, Any] | None:
    """Return combination `index` of the listed values, the last parameter changing first; None where there are no more."""
    options = [list(entry.expression[1][0]) for entry in space.dimensions]
    if index >= math.prod(len(each) for each in options):
        return None
    chosen: dict[str, Any] = {}
    for entry, each in zip(reversed(space.dimensions), reversed(options), strict=True):
        index, which = divmod(index, len(each))
        chosen[entry.name] = each[which]
    return {entry.name: chosen[entry.name] for entry in space.dimensions}


def scipy_missing(what: str) -> UserErrorException:
    """Return the error for something that needs SciPy where that is not installed."""
    return UserErrorException(
        f"{what} needs SciPy, which is not installed. Install it: pip install 'aml-jupyter[hyperdrive]'. "
        "Random sampling works without.",
        "hyperparameter_sampling",
    )

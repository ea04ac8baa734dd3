"""Find the points of the greatest expected improvement: many candidates, the best of them climbed from, in a mixed space."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import minimize

from aml_jupyter.hyperdrive.expected_improvement import log_expected_improvement, log_improvement_slopes
from aml_jupyter.hyperdrive.gaussian_process import Posterior
from aml_jupyter.hyperdrive.space import Floats, Space

__all__ = ["best_point"]

_EVERYWHERE = 300
_NEARBY = 150
_STARTS = (2, 4)
"""How many climbs begin near the best results, and how many anywhere."""
_FEW = 6
"""In more dimensions than this most of the cube is far from every result: every other child is sought near the best ones."""
_STEPS = 15
_APART = 0.1
_MOST_FLIPS = 12
_MARGINS = (0.0, 0.0, 0.1)
"""By how many deviations of the results a child has to beat the best, in turn: every third one is sought further afield."""


def best_point(
    posterior: Posterior, space: Space, points: Floats, index: int, dice: Any, untried: Floats | None
) -> Iterator[Floats]:
    """Yield points of the unit cube, the one of the greatest expected improvement first.

    Parameters
    ----------
    posterior : Posterior
        What is known.
    space : Space
        Which coordinates are discrete.
    points : array, shape (n, d)
        The points with results.
    index : int
        The number of the child that is sought.
    dice : numpy.random.Generator
        Where candidates come from.
    untried : array, shape (m, d), optional
        All that is left of a small discrete space.
    """
    best = float(posterior.at_known.min()) - _MARGINS[index % len(_MARGINS)]
    if untried is not None:
        value = log_expected_improvement(*posterior.predict(untried), best)
        yield from untried[np.argsort(-value, kind="stable")]
        return
    everywhere, nearby = _candidates(posterior, space, points, dice)
    if len(space) > _FEW and index % 2:
        everywhere = everywhere[:0]
    candidates = np.vstack([everywhere, nearby])
    value = log_expected_improvement(*posterior.predict(candidates), best)
    order = np.argsort(-value, kind="stable")
    is_near = order >= len(everywhere)
    starts: list[Floats] = []
    for ranked, wanted in zip((order[is_near], order[~is_near]), _STARTS, strict=True):
        count = 0
        for each in ranked[:100]:
            if all(float(np.abs(candidates[each] - start).max()) > _APART for start in starts):
                starts.append(candidates[each])
                count += 1
                if count == wanted:
                    break
    climbed = _climbed(posterior, space, np.array(starts), best)
    if _discrete(space).any():
        climbed = np.vstack([climbed, _flipped(space, climbed[: len(starts)])])
    value = log_expected_improvement(*posterior.predict(climbed), best)
    yield from climbed[np.argsort(-value, kind="stable")]
    yield from candidates[order]


def _candidates(posterior: Posterior, space: Space, points: Floats, dice: Any) -> tuple[Floats, Floats]:
    """Return points from everywhere, and points near the best results."""
    size = len(space)
    everywhere = dice.random((_EVERYWHERE, size))
    tops = points[np.argsort(posterior.at_points, kind="stable")[:5]]
    nearby = tops[dice.integers(0, len(tops), _NEARBY)]
    reach = np.exp(dice.uniform(math.log(0.005), math.log(0.3), (_NEARBY, 1)))
    moved = dice.random(nearby.shape) < max(0.4, 2 / size)
    nearby = nearby + dice.standard_normal(nearby.shape) * reach * moved
    nearby = np.clip(np.where(nearby < 0, -nearby, np.where(nearby > 1, 2 - nearby, nearby)), 0, 1)
    jumps = (dice.random(nearby.shape) < 0.15) & _discrete(space)
    nearby = np.where(jumps, dice.random(nearby.shape), nearby)
    return space.snapped(everywhere), np.vstack([space.snapped(nearby), _flipped(space, tops[:3])])


def _flipped(space: Space, points: Floats) -> Floats:
    """Return the points with one discrete coordinate set to each of its other options, some of them where there are many."""
    flipped = [points]
    for column, entry in enumerate(space.dimensions):
        if not entry.is_discrete:
            continue
        centres = entry.centres
        for centre in centres[:: -(-len(centres) // _MOST_FLIPS)]:
            moved = points.copy()
            moved[:, column] = centre
            flipped.append(moved)
    return np.vstack(flipped)


def _discrete(space: Space) -> Any:
    return np.array([entry.is_discrete for entry in space.dimensions])


def _climbed(posterior: Posterior, space: Space, starts: Floats, best: float) -> Floats:
    """Return the starts, and where climbing from each leads along the continuous coordinates, all climbs at once."""
    free = ~_discrete(space)
    if not free.any():
        return starts

    def downhill(flat: Floats) -> tuple[float, Floats]:
        at = starts.copy()
        at[:, free] = flat.reshape(len(starts), -1)
        mean, deviation, mean_gradient, deviation_gradient = posterior.predict_with_gradient(at)
        value, by_mean, by_deviation = log_improvement_slopes(mean, deviation, best)
        gradient = by_mean[:, None] * mean_gradient + by_deviation[:, None] * deviation_gradient
        return -float(value.sum()), -gradient[:, free].ravel()

    begin = starts[:, free].ravel()
    found = minimize(
        downhill,
        begin,
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([np.zeros(len(begin)), np.ones(len(begin))]),
        options={"maxiter": _STEPS, "maxfun": _STEPS + 5},
    )
    ends = starts.copy()
    ends[:, free] = found.x.reshape(len(starts), -1)
    return np.vstack([ends, starts])

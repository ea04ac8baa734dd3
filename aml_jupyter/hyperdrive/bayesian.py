"""Choose the next child by a Gaussian process over what the earlier ones reached.

The first children lie on a scrambled Sobol sequence. After that each is the point of the greatest expected improvement over the
best of all, with points whose results are on their way taken as known (their mean is what the process expects). What a child
counts as: completed, its best value; stopped early, its best value, never better than the best completed one, and noisier;
failed or without a finite value, the worst value seen, and noisier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from aml_jupyter.hyperdrive.plain_samplers import random_point, scipy_missing, sobol_point
from aml_jupyter.hyperdrive.space import Floats, Space
from aml_jupyter.hyperdrive.trial import Trial, parameters_key

__all__ = ["BayesianSampler"]

START = 10
"""So many children lie on the Sobol sequence."""
MOST_POINTS = 200
MOST_FITTED = 100
_DOUBTFUL = 10.0
"""How much noisier than a completed child a stopped or a failed one is taken."""
_MUCH_NOISE = 0.05
_LITTLE_NOISE = 0.003
"""Variances of noise, of a whole variance of 1."""
_MOST_ENUMERATED = 2000
_TOO_NEAR = 0.005
"""Two children that run at once lie further apart."""


@dataclass(frozen=True)
class _Results:
    """Hold results as arrays: lower is better."""

    points: Floats
    values: Floats
    noise_weights: Floats

    def __len__(self) -> int:
        return len(self.values)

    def chosen(self, most: int) -> _Results:
        """Return at most so many of them: the best third, and of the rest every n-th and the newest."""
        if len(self) <= most:
            return self
        order = np.argsort(self.values, kind="stable")
        best = order[: most // 3]
        rest = np.sort(order[most // 3 :])
        newest = rest[-(most // 3) :]
        spread = rest[: -(most // 3)]
        stride = spread[np.linspace(0, len(spread) - 1, most - len(best) - len(newest)).astype(int)]
        kept = np.sort(np.concatenate([best, newest, stride]))
        return _Results(self.points[kept], self.values[kept], self.noise_weights[kept])

    def first(self, count: int) -> _Results:
        """Return the oldest of them."""
        return _Results(self.points[:count], self.values[:count], self.noise_weights[:count])

    def key(self) -> bytes:
        """Return what is the same for the same results."""
        return blake2b(self.points.tobytes() + self.values.tobytes() + self.noise_weights.tobytes()).digest()


class BayesianSampler:
    """Suggest parameters; the answer depends on the arguments alone, what is kept between calls saves time only.

    Parameters
    ----------
    space : Space
        The parameter space.
    maximise : bool
        Whether a greater value is better.
    seed : int
        The same seed and the same results in the same order give the same parameters.
    """

    def __init__(self, space: Space, maximise: bool, seed: int) -> None:
        self.space, self.maximise, self.seed = space, maximise, seed
        self._is_category = np.array([entry.is_category for entry in space.dimensions])
        self._places: dict[int, tuple[Trial, list[float] | None, str]] = {}
        self._fits: dict[bytes, Any] = {}

    def suggest(
        self, history: Sequence[Trial], pending: Sequence[Mapping[str, Any]], index: int
    ) -> dict[str, Any] | None:
        """Return the parameters of child `index`, or None where every combination was tried.

        Parameters
        ----------
        history : sequence of Trial
            The ended children in the order in which they ended, those of earlier sweeps first.
        pending : sequence of dict
            Parameters of the children that have no result yet.
        index : int
            The child's number, from 0.
        """
        placed = [self._placed(trial) for trial in history]
        seen = {key for _, key in placed} | {parameters_key(parameters) for parameters in pending}
        if self.space.size is not None and len(seen) >= self.space.size and self._all_tried(seen):
            return None
        results = self._results(history, [point for point, _ in placed])
        if len(history) + len(pending) < START or len(results) < 3 or float(np.ptp(results.values)) == 0.0:
            return self._unseen_start(seen, index)
        try:
            from aml_jupyter.hyperdrive.improvement import best_point
        except ImportError as error:
            raise scipy_missing("Bayesian sampling") from error
        known = results.chosen(MOST_POINTS)
        waiting = [point for point in map(self.space.position, pending) if point is not None]
        waiting_points = np.array(waiting).reshape(-1, len(self.space))
        dice = np.random.default_rng([self.seed, index, 1])
        posterior = self._posterior(results, known, waiting_points, index)
        others = self._untried(seen)
        for point in best_point(posterior, self.space, known.points, index, dice, others):
            if len(waiting) and float(np.abs(waiting_points - point).max(axis=1).min()) < _TOO_NEAR:
                continue
            parameters = self.space.at(point)
            if parameters_key(parameters) not in seen:
                return parameters
        return self._unseen_start(seen, index)

    def _placed(self, trial: Trial) -> tuple[list[float] | None, str]:
        """Return a trial's point and the key of its parameters."""
        found = self._places.get(id(trial))
        if found is None or found[0] is not trial:
            found = (trial, self.space.position(trial.parameters), parameters_key(trial.parameters))
            self._places[id(trial)] = found
        return found[1], found[2]

    def _results(self, history: Sequence[Trial], placed: Sequence[list[float] | None]) -> _Results:
        sign = -1.0 if self.maximise else 1.0
        told = [
            (point, sign * trial.value if trial.value is not None and trial.is_measured else None, trial.state)
            for trial, point in zip(history, placed, strict=True)
            if point is not None
        ]
        measured = [value for _, value, _ in told if value is not None]
        best = min((value for _, value, state in told if value is not None and state == "completed"), default=None)
        points, values, weights = [], [], []
        for point, value, state in told if measured else []:
            if value is None:
                if state == "stopped":
                    continue  # a person may have stopped it before it logged anything
                value = max(measured)
                weights.append(_DOUBTFUL)
            elif state == "completed":
                weights.append(1.0)
            else:
                value = value if best is None else max(value, best)
                weights.append(_DOUBTFUL)
            points.append(point)
            values.append(value)
        return _Results(np.array(points).reshape(-1, len(self.space)), np.array(values), np.array(weights))

    def _posterior(self, results: _Results, known: _Results, waiting: Floats, index: int) -> Any:
        """Return the process; its hyperparameters are those of the last round number of results, so they are fitted seldom."""
        from aml_jupyter.hyperdrive.gaussian_process import Posterior
        from aml_jupyter.hyperdrive.warping import bent

        count = len(results)
        step = 1 if count <= 24 else 4 if count <= 48 else 8 if count <= 200 else 32
        fitted = results.first(count - count % step).chosen(MOST_FITTED)
        quantile, plain, without_noise = self._fitted(fitted)
        hyperparameters = without_noise if index % 2 else plain  # where they differ, each is believed every other time
        targets = bent(known.values, quantile).targets
        return Posterior(known.points, targets, known.noise_weights, self._is_category, waiting, hyperparameters)

    def _fitted(self, results: _Results) -> Any:
        """Return the bending and the hyperparameters that fit results best."""
        key = results.key()
        if key not in self._fits:
            from aml_jupyter.hyperdrive.gaussian_process import fit
            from aml_jupyter.hyperdrive.warping import bendings

            candidates = {each.quantile: each for each in bendings(results.values)}
            plain = candidates.pop(0.0)
            arguments = (results.points, plain.targets, results.noise_weights, self._is_category)
            first = fit(*arguments)
            best = (first.loss - plain.log_derivative, 0.0, first)
            judged = []
            for each in candidates.values():
                asked = (results.points, each.targets, results.noise_weights, self._is_category, first)
                judged.append((fit(*asked, 0).loss - each.log_derivative, each.quantile))
            for _, quantile in sorted(judged)[:2]:
                each = candidates[quantile]
                found = fit(results.points, each.targets, results.noise_weights, self._is_category, first, 25)
                best = min(best, (found.loss - each.log_derivative, quantile, found), key=lambda entry: entry[0])
            if len(self._fits) > 8:
                self._fits.pop(next(iter(self._fits)))
            self._fits[key] = (*best[1:], self._without_noise(results, best[1], best[2]))
        return self._fits[key]

    def _without_noise(self, results: _Results, quantile: float, found: Any) -> Any:
        """Return other hyperparameters where the ones `found` take much for noise, else the same.

        With few results in many dimensions, noise and a rough function look alike, and what is taken for noise is not followed.
        """
        from aml_jupyter.hyperdrive.gaussian_process import fit
        from aml_jupyter.hyperdrive.warping import bent

        if found.noise < math.log(_MUCH_NOISE):
            return found
        targets = bent(results.values, quantile).targets
        return fit(results.points, targets, results.noise_weights, self._is_category, most_noise=_LITTLE_NOISE)

    def _unseen_start(self, seen: set[str], index: int) -> dict[str, Any]:
        """Return the Sobol point of a child; another one where its parameters were tried before."""
        try:
            parameters = self.space.at(sobol_point(self.seed, index, len(self.space)))
        except ImportError as error:
            raise scipy_missing("Bayesian sampling") from error
        for attempt in range(200):
            if parameters_key(parameters) not in seen:
                return parameters
            parameters = self.space.at(random_point(self.seed, index * 1000 + attempt, len(self.space)))
        untried = self._untried(seen)
        return self.space.at(untried[0]) if untried is not None and len(untried) else parameters

    def _untried(self, seen: set[str]) -> Floats | None:
        """Return every point of a small discrete space that was not tried; None for any other space."""
        if self.space.size is None or self.space.size > _MOST_ENUMERATED:
            return None
        if any(not entry.is_discrete for entry in self.space.dimensions):
            return None
        grids = np.meshgrid(*[entry.centres for entry in self.space.dimensions], indexing="ij")
        points = np.column_stack([grid.ravel() for grid in grids])
        kept = [parameters_key(self.space.at(point)) not in seen for point in points]
        untried: Floats = points[kept]
        return untried

    def _all_tried(self, seen: set[str]) -> bool:
        untried = self._untried(seen)
        return untried is None or len(untried) == 0

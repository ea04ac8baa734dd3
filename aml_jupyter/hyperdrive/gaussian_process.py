"""Fit a Gaussian process to results on the unit cube, and predict from it.

Matern-5/2 kernel with one length scale for each dimension (a category counts as one: equal or not), hyperparameters at the
maximum of the posterior by L-BFGS with analytic gradients. After Rasmussen and Williams, "Gaussian Processes for Machine
Learning" (2006), sections 2.2, 4.2 and 5.4. SciPy is imported with this module, and this module when it is used.

The scales of all dimensions are taken as one common scale times a factor near 1 for each of them. Were they independent, a few
results in many dimensions could be explained by a short scale in any of them, and the one that was picked would be believed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import minimize

from aml_jupyter.hyperdrive.space import Floats

__all__ = ["Hyperparameters", "Posterior", "fit"]

LEAST_NOISE = 1e-6
JITTER = 1e-9
_SCALE_MEAN, _SCALE_DEVIATION, _OWN_DEVIATION = math.log(0.5), 1.0, 0.4
"""Of the logarithm of the common scale, and of each dimension's own part of it."""
_NOISE_MEAN, _NOISE_DEVIATION = math.log(1e-4), 4.0
_FAILED = 1e10


@dataclass(frozen=True)
class Hyperparameters:
    """Hold what a fit found: logarithms of length scales, signal variance and noise variance, and the negative log posterior."""

    scales: Floats
    signal: float
    noise: float
    loss: float

    @property
    def vector(self) -> Floats:
        """Return them as one vector, for a fit that starts here."""
        return np.concatenate([self.scales, [self.signal, self.noise]])


class _Pairs:
    """Hold squared differences of all pairs of points, each pair once."""

    def __init__(self, points: Floats, is_category: Any) -> None:
        self.count = len(points)
        self.rows, self.columns = np.tril_indices(self.count, -1)
        differences = (points[self.rows] - points[self.columns]).T ** 2
        differences[is_category] = differences[is_category] > 1e-12
        self.squares = np.ascontiguousarray(differences)


def _loss(theta: Floats, pairs: _Pairs, targets: Floats, noise_weights: Floats) -> tuple[float, Floats]:
    """Return the negative log posterior of hyperparameters and its gradient."""
    size, count = len(theta) - 2, pairs.count
    inverse = np.exp(-2 * theta[:size])
    signal, noise = math.exp(theta[size]), math.exp(theta[size + 1])
    distance = np.sqrt(5.0 * (inverse @ pairs.squares))
    decay = np.exp(-distance)
    slope = (1.0 + distance) * decay
    correlation = slope + distance * distance * decay / 3.0
    matrix = np.zeros((count, count), order="F")
    matrix[pairs.rows, pairs.columns] = signal * correlation
    matrix.flat[:: count + 1] = signal + (noise + LEAST_NOISE) * noise_weights + JITTER
    lower, failed = lapack.dpotrf(matrix, lower=1, overwrite_a=1)
    if failed:
        return _FAILED, np.zeros_like(theta)
    weights = lapack.dpotrs(lower, targets, lower=1)[0]
    log_determinant = float(np.log(lower.diagonal()).sum())
    inverted = lapack.dpotri(lower, lower=1)[0]
    diagonal = inverted.diagonal() - weights * weights
    rest = inverted[pairs.rows, pairs.columns] - weights[pairs.rows] * weights[pairs.columns]
    gradient = np.empty_like(theta)
    gradient[:size] = signal * (5.0 / 3.0) * inverse * (pairs.squares @ (rest * slope))
    gradient[size] = 0.5 * signal * (diagonal.sum() + 2.0 * (rest @ correlation))
    gradient[size + 1] = 0.5 * noise * (diagonal @ noise_weights)
    loss = 0.5 * float(targets @ weights) + log_determinant + 0.5 * count * math.log(2 * math.pi)
    unlikely, slope_of_prior = _unlikeliness(theta)
    return loss + unlikely, gradient + slope_of_prior


def _prior_means(size: int) -> Floats:
    """Return the means of the normal prior of the logarithms; the more dimensions, the longer the scales."""
    return np.array([_SCALE_MEAN + 0.5 * math.log(size)] * size + [0.0, _NOISE_MEAN])


def _unlikeliness(theta: Floats) -> tuple[float, Floats]:
    """Return the negative log prior of hyperparameters, but for a constant, and its gradient.

    A scale is the sum of a common and an own part, so the covariance of scales is own^2 I + common^2 11'; its inverse is that of
    Sherman and Morrison.
    """
    size = len(theta) - 2
    apart = theta - _prior_means(size)
    own, common = _OWN_DEVIATION**2, _SCALE_DEVIATION**2
    gradient = apart / np.array([own] * size + [1.0, _NOISE_DEVIATION**2])
    gradient[:size] -= common * float(apart[:size].sum()) / (own * (own + size * common))
    return 0.5 * float(apart @ gradient), gradient


def fit(
    points: Floats,
    targets: Floats,
    noise_weights: Floats,
    is_category: Any,
    start: Hyperparameters | None = None,
    iterations: int = 20,
    most_noise: float = 0.5,
) -> Hyperparameters:
    """Return the hyperparameters of the highest posterior near `start`.

    Parameters
    ----------
    points : array, shape (n, d)
        Points of the unit cube.
    targets : array, shape (n,)
        What they reached: mean 0, deviation 1.
    noise_weights : array, shape (n,)
        How much noisier than usual each of them is.
    is_category : array of bool, shape (d,)
        Which dimensions are categories.
    start : Hyperparameters, optional
        Where the search begins.
    iterations : int
        How many steps it has at the most; 0 only judges `start`.
    most_noise : float
        The greatest noise variance that may explain the results, of a whole variance of 1.
    """
    size = points.shape[1]
    pairs = _Pairs(points, is_category)
    begin = start.vector if start is not None else _prior_means(size)
    if start is None:
        begin[size + 1] = math.log(1e-3)
    if iterations == 0:
        loss = _loss(begin, pairs, targets, noise_weights)[0]
        return Hyperparameters(begin[:size], float(begin[size]), float(begin[size + 1]), loss)
    low = np.array([math.log(0.02)] * size + [math.log(0.05), math.log(1e-8)])
    high = np.array([math.log(30.0)] * size + [math.log(20.0), math.log(most_noise)])
    found = minimize(
        _loss,
        np.clip(begin, low, high),
        (pairs, targets, noise_weights),
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([low, high]),
        options={"maxiter": iterations, "maxfun": iterations + 5},
    )
    return Hyperparameters(found.x[:size], float(found.x[size]), float(found.x[size + 1]), float(found.fun))


class Posterior:
    """Predict mean and deviation at points; pending points take away uncertainty and leave the mean as it is.

    Parameters
    ----------
    points, targets, noise_weights, is_category
        As `fit` has them.
    pending : array, shape (m, d)
        Points whose results are on their way.
    hyperparameters : Hyperparameters
        What `fit` found.
    """

    def __init__(
        self,
        points: Floats,
        targets: Floats,
        noise_weights: Floats,
        is_category: Any,
        pending: Floats,
        hyperparameters: Hyperparameters,
    ) -> None:
        self.is_category = is_category
        self._has_category = bool(np.any(is_category))
        self.inverse = np.exp(-2 * hyperparameters.scales)
        self.signal = math.exp(hyperparameters.signal)
        noise = math.exp(hyperparameters.noise) + LEAST_NOISE
        count = len(points)
        self.known = np.vstack([points, pending])
        matrix = self.kernel(self.known, self.known)
        weights = np.concatenate([noise_weights, np.ones(len(pending))])
        matrix.flat[:: len(matrix) + 1] = self.signal + noise * weights + JITTER
        lower = np.linalg.cholesky(matrix)
        self.weights = np.zeros(len(matrix))
        self.weights[:count] = lapack.dpotrs(np.asfortranarray(lower[:count, :count]), targets, lower=1)[0]
        inverted = np.tril(lapack.dpotri(np.asfortranarray(lower), lower=1)[0])
        inverted += inverted.T
        inverted.flat[:: len(matrix) + 1] *= 0.5
        self.inverted = inverted
        matrix.flat[:: len(matrix) + 1] = self.signal
        self.at_known = matrix @ self.weights
        self.at_points = self.at_known[:count]

    def kernel(self, left: Floats, right: Floats) -> Floats:
        """Return the covariance of each point of `left` with each of `right`."""
        scale = np.sqrt(self.inverse)
        if self._has_category:
            plain, category = ~self.is_category, self.is_category
            a, b = left[:, plain] * scale[plain], right[:, plain] * scale[plain]
        else:
            a, b = left * scale, right * scale
        squares: Floats = a @ (-2.0 * b.T)
        squares += (a * a).sum(1)[:, None]
        squares += (b * b).sum(1)
        if self._has_category:
            for column in np.flatnonzero(category):
                apart = np.abs(left[:, column, None] - right[:, column]) > 1e-6
                squares += self.inverse[column] * apart
        return self._covariance(squares)[0]

    def _covariance(self, squares: Floats) -> tuple[Floats, Floats]:
        """Return covariance and slope for squared distances, which are used up; the gradient is slope * difference / scale^2."""
        distance = np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares)
        distance *= math.sqrt(5.0)
        decay = np.exp(-distance)
        decay *= self.signal
        slope = 1.0 + distance
        slope *= decay
        covariance = distance * distance
        covariance *= decay
        covariance *= 1.0 / 3.0
        covariance += slope
        slope *= -5.0 / 3.0
        return covariance, slope

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Return mean and deviation at each point."""
        covariance = self.kernel(points, self.known)
        mean: Floats = covariance @ self.weights
        variance = self.signal - np.einsum("ij,ij->i", covariance @ self.inverted, covariance)
        return mean, np.sqrt(np.maximum(variance, 1e-12))

    def predict_with_gradient(self, points: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return mean, deviation and the gradients of both, shape (m, d); the gradient along a category is 0."""
        difference = points[:, None, :] - self.known[None]
        if self._has_category:
            apart = np.abs(difference[..., self.is_category]) > 1e-6
            squares = (difference * difference * ~self.is_category) @ self.inverse + apart @ self.inverse[
                self.is_category
            ]
        else:
            squares = (difference * difference) @ self.inverse
        covariance, slope = self._covariance(squares)
        mean = covariance @ self.weights
        projected = covariance @ self.inverted
        variance = np.maximum(self.signal - (projected * covariance).sum(1), 1e-12)
        deviation = np.sqrt(variance)
        along = self.inverse * ~self.is_category
        mean_gradient = ((slope * self.weights)[:, None, :] @ difference)[:, 0] * along
        variance_gradient = -2.0 * ((slope * projected)[:, None, :] @ difference)[:, 0] * along
        return mean, deviation, mean_gradient, variance_gradient / (2.0 * deviation[:, None])

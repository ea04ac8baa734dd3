"""The Gaussian process beside its formulas: gradients by finite differences, predictions by linear algebra written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from aml_jupyter.hyperdrive.expected_improvement import log_expected_improvement, log_improvement_slopes
from aml_jupyter.hyperdrive.gaussian_process import (
    JITTER,
    LEAST_NOISE,
    Hyperparameters,
    Posterior,
    _loss,
    _Pairs,
    _unlikeliness,
    fit,
)
from aml_jupyter.hyperdrive.plain_samplers import sobol_points
from aml_jupyter.hyperdrive.warping import bendings

DICE = np.random.default_rng(3)
POINTS = DICE.random((25, 3))
POINTS[:, 2] = DICE.integers(0, 3, 25) / 3 + 1 / 6
IS_CATEGORY = np.array([False, False, True])
VALUES = np.sin(5 * POINTS[:, 0]) + POINTS[:, 1] ** 2 + (POINTS[:, 2] > 0.6)
TARGETS = (VALUES - VALUES.mean()) / VALUES.std()
WEIGHTS = np.where(np.arange(25) % 5 == 0, 10.0, 1.0)
FOUND = fit(POINTS, TARGETS, WEIGHTS, IS_CATEGORY)


def kernel(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    scales = np.exp(FOUND.scales)
    matrix = np.empty((len(left), len(right)))
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            steps = [(a[0] - b[0]) / scales[0], (a[1] - b[1]) / scales[1], float(abs(a[2] - b[2]) > 1e-6) / scales[2]]
            r = math.sqrt(5 * sum(step * step for step in steps))
            matrix[i, j] = math.exp(FOUND.signal) * (1 + r + r * r / 3) * math.exp(-r)
    return matrix


def test_the_loss_has_the_gradient_of_finite_differences() -> None:
    pairs = _Pairs(POINTS, IS_CATEGORY)
    for theta in (FOUND.vector + 0.3, np.array([-0.5, 0.2, 0.4, 0.1, -5.0])):
        value, gradient = _loss(theta, pairs, TARGETS, WEIGHTS)
        assert math.isfinite(value)
        for index in range(len(theta)):
            step = np.zeros_like(theta)
            step[index] = 1e-5
            ends = [_loss(theta + sign * step, pairs, TARGETS, WEIGHTS)[0] for sign in (1, -1)]
            assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-4)


def test_scales_have_a_common_part_and_one_of_their_own() -> None:
    size = 4
    covariance = np.diag([0.4**2] * size + [1.0, 4.0**2])
    covariance[:size, :size] += 1.0
    prior = stats.multivariate_normal([math.log(0.5) + 0.5 * math.log(size)] * size + [0.0, math.log(1e-4)], covariance)
    first, second = DICE.normal(0, 1, (2, size + 2))
    apart = _unlikeliness(first)[0] - _unlikeliness(second)[0]
    assert apart == pytest.approx(prior.logpdf(second) - prior.logpdf(first))


def test_few_results_in_many_dimensions_are_not_believed_too_much() -> None:
    """On a bowl with ripples: how far off predictions are, by the deviation that they tell themselves (1 is honest)."""
    apart = []
    for seed in range(6):
        dice = np.random.default_rng(seed)
        points, others, centre = sobol_points(seed, 0, 30, 10), dice.random((400, 10)), dice.uniform(0.2, 0.8, 10)
        values, truth = (
            ((at - centre) ** 2).sum(1) + 0.1 * np.cos(40 * (at - centre)).sum(1) for at in (points, others)
        )
        about = (np.ones(30), np.zeros(10, bool))
        targets = (values - values.mean()) / values.std()
        posterior = Posterior(points, targets, *about, np.empty((0, 10)), fit(points, targets, *about))
        mean, deviation = posterior.predict(others)
        errors = (truth - values.mean()) / values.std() - mean
        apart.append(math.sqrt(float(np.mean((errors / deviation) ** 2))))
    assert np.mean(apart) < 1.45


def test_a_fit_is_better_than_its_neighbours() -> None:
    pairs = _Pairs(POINTS, IS_CATEGORY)
    for _ in range(20):
        other = FOUND.vector + DICE.normal(0, 0.3, 5)
        assert _loss(other, pairs, TARGETS, WEIGHTS)[0] > FOUND.loss - 1e-3


def test_a_prediction_is_the_one_of_the_formula() -> None:
    pending = DICE.random((3, 3))
    posterior = Posterior(POINTS, TARGETS, WEIGHTS, IS_CATEGORY, pending, FOUND)
    new = DICE.random((4, 3))
    mean, deviation = posterior.predict(new)
    noise = math.exp(FOUND.noise) + LEAST_NOISE
    known = kernel(POINTS, POINTS) + np.diag(noise * WEIGHTS + JITTER)
    assert mean == pytest.approx(kernel(new, POINTS) @ np.linalg.solve(known, TARGETS), rel=1e-6, abs=1e-8)
    everything = np.vstack([POINTS, pending])
    matrix = kernel(everything, everything) + np.diag(np.concatenate([noise * WEIGHTS, [noise] * 3]) + JITTER)
    cross = kernel(new, everything)
    variance = math.exp(FOUND.signal) - np.einsum("ij,ji->i", cross, np.linalg.solve(matrix, cross.T))
    assert deviation**2 == pytest.approx(variance, rel=1e-4, abs=1e-9)


def test_the_gradient_of_a_prediction() -> None:
    posterior = Posterior(POINTS, TARGETS, WEIGHTS, IS_CATEGORY, np.empty((0, 3)), FOUND)
    at = DICE.random((2, 3))
    mean, deviation, mean_gradient, deviation_gradient = posterior.predict_with_gradient(at)
    assert (mean, deviation) == (
        pytest.approx(posterior.predict(at)[0]),
        pytest.approx(posterior.predict(at)[1], rel=1e-5),
    )
    assert (mean_gradient[:, 2] == 0).all() and (deviation_gradient[:, 2] == 0).all()
    for column in (0, 1):
        step = np.zeros(3)
        step[column] = 1e-6
        (up, wide), (down, narrow) = posterior.predict(at + step), posterior.predict(at - step)
        assert mean_gradient[:, column] == pytest.approx((up - down) / 2e-6, rel=1e-3, abs=1e-5)
        assert deviation_gradient[:, column] == pytest.approx((wide - narrow) / 2e-6, rel=1e-2, abs=1e-4)


@pytest.mark.parametrize("mean", [-2.0, 0.0, 1.0, 4.0])
@pytest.mark.parametrize("deviation", [0.3, 1.0, 2.0])
def test_the_expected_improvement_is_its_integral(mean: float, deviation: float) -> None:
    density = stats.norm(mean, deviation).pdf
    expected, _ = integrate.quad(lambda f: (0.5 - f) * density(f), -40, 0.5, points=[mean] if mean < 0.5 else None)
    value = float(log_expected_improvement(np.array([mean]), np.array([deviation]), 0.5)[0])
    if expected > 1e-12:
        assert math.exp(value) == pytest.approx(expected, rel=1e-6)
    else:
        assert value < -20


def test_the_expected_improvement_never_underflows() -> None:
    mean = np.array([1.0, 10.0, 1e3, 1e6])
    value, by_mean, by_deviation = log_improvement_slopes(mean, np.ones(4), 0.0)
    assert np.isfinite(value).all() and (np.diff(value) < 0).all()
    assert np.isfinite(by_mean).all() and (by_mean < 0).all()
    assert np.isfinite(by_deviation).all() and (by_deviation > 0).all()
    near = [log_improvement_slopes(mean[:2] + step, np.ones(2), 0.0)[0] for step in (1e-6, -1e-6)]
    assert by_mean[:2] == pytest.approx((near[0] - near[1]) / 2e-6, rel=1e-3)


def test_bending_keeps_the_order_and_knows_its_derivative() -> None:
    values = np.exp(DICE.normal(0, 3, 50))
    for each in bendings(values):
        assert (np.argsort(each.targets) == np.argsort(values)).all()
        assert each.targets.mean() == pytest.approx(0, abs=1e-9) and each.targets.std() == pytest.approx(1)
    tails = [float(each.targets.max()) for each in bendings(values)]
    assert tails[0] > tails[1] > 0


def test_a_hyperparameter_vector_is_scales_signal_noise() -> None:
    assert list(Hyperparameters(np.array([1.0, 2.0]), 3.0, 4.0, 0.0).vector) == [1, 2, 3, 4]

"""Two sets of learning curves that policies are measured on, and sweeps of four workers over them.

Set A is real: scikit-learn's digits, small networks trained for 40 epochs, early epochs telling much of the end. Set B is made
up to be hostile: of 81 epochs, better ones start slower, so that curves cross; noise, and some diverge late. The reference does
not say what its networks were sampled from; here it was chosen among some to come near the rank correlations and the savings that
it tells, so that agreement in set A is partly by construction.
"""

from __future__ import annotations

import heapq
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from aml_jupyter.hyperdrive import Curve, is_due, reason_to_stop

__all__ = ["correlations", "digits_curves", "hostile_curves", "simulate_policy"]


def digits_curves(cache: Path, count: int = 300, epochs: int = 40) -> np.ndarray:
    """Return validation accuracies, shape (count, epochs); trained once and kept in `cache`."""
    if cache.exists():
        return np.array(json.loads(cache.read_text()))
    import warnings

    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    points, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(points))
    points, labels = points[order] / 16.0, labels[order]
    curves = []
    for index in range(count):
        dice = np.random.default_rng([index, 3])
        network = MLPClassifier(
            hidden_layer_sizes=(int(dice.choice([8, 16, 32, 64])),),
            learning_rate_init=float(10 ** dice.uniform(-5, -0.5)),
            alpha=float(10 ** dice.uniform(-6, 0)),
            batch_size=int(dice.choice([32, 64, 128])),
            solver="sgd",
            random_state=index,
        )
        curve = []
        for _ in range(epochs):
            network.partial_fit(points[:900], labels[:900], classes=range(10))
            curve.append(float(network.score(points[900:], labels[900:])))
        curves.append(curve)
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps(curves))
    return np.array(curves)


def hostile_curves(count: int = 300, epochs: int = 81) -> np.ndarray:
    """Return made-up accuracies, shape (count, epochs), with the rank correlations of the reference's set: .63 and .22."""
    dice = np.random.default_rng(1)
    steps = np.arange(1, epochs + 1)
    quality = dice.beta(2, 2, count)
    end = 0.1 + 0.85 * quality
    speed = np.exp(dice.normal(1.0 - 3.0 * quality, 0.6))[:, None]
    start = 0.1 + dice.normal(0, 0.03, count)
    fallen = (steps**-speed - epochs**-speed) / (1 - epochs**-speed)
    curves = end[:, None] - (end - start)[:, None] * fallen
    curves += dice.normal(0, 0.01, curves.shape)
    for index in np.flatnonzero(dice.random(count) < 0.05):
        curves[index, int(dice.integers(30, 70)) :] = 0.1
    return np.clip(curves, 0, 1)


def correlations(curves: np.ndarray, epoch: int = 5) -> tuple[float, float]:
    """Return the rank correlation of an epoch with the end: over all curves, and over the half that ends best."""

    def ranks(values: np.ndarray) -> np.ndarray:
        return np.argsort(np.argsort(values))

    half = np.argsort(curves[:, -1])[len(curves) // 2 :]
    both = [curves, curves[half]]
    first, second = (float(np.corrcoef(ranks(each[:, epoch - 1]), ranks(each[:, -1]))[0, 1]) for each in both)
    return first, second


def simulate_policy(
    policy: Any, curves: np.ndarray, seed: int, total: int = 100, workers: int = 4
) -> tuple[float, float]:
    """Run a sweep of random curves at unequal speeds.

    Returns
    -------
    tuple of float
        Which part of the epochs was saved, and the regret: the best end of all curves less the best value of any child.
    """
    dice = np.random.default_rng([seed, 9])
    chosen = curves[dice.choice(len(curves), total, replace=False)]
    pace = np.exp(dice.normal(0, 0.4, total))
    logged: list[list[float]] = [[] for _ in range(total)]
    running = [(float(pace[child]), child) for child in range(workers)]
    heapq.heapify(running)
    started, ended = workers, set()
    while running:
        now, child = heapq.heappop(running)
        logged[child].append(float(chosen[child, len(logged[child])]))
        interval = len(logged[child])
        stops = False
        if is_due(policy, interval, child):
            seen = [Curve(other, values, other not in ended) for other, values in enumerate(logged) if values]
            stops = reason_to_stop(policy, "maximize", seen, child, interval) is not None
        if not stops and interval < chosen.shape[1]:
            heapq.heappush(running, (now + float(pace[child]), child))
            continue
        ended.add(child)
        if started < total:
            heapq.heappush(running, (now + float(pace[started]), started))
            started += 1
    run = sum(map(len, logged))
    best = max(max(values) for values in logged)
    return 1 - run / chosen.size, max(0.0, float(chosen[:, -1].max()) - best) if math.isfinite(best) else 1.0

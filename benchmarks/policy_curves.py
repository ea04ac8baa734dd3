"""Two sets of learning curves that policies are measured on, and sweeps of four workers over them.

Set A is real: scikit-learn's digits, small networks trained for 40 epochs, early epochs telling much of the end. Set B is made
up to be hostile: power laws of 81 epochs, better ones starting slower, so that curves cross; noise, and some fall back late.

The reference tells its figures, and of its curves no more than that. So what the networks are sampled from, the parameters of
the power laws and both seeds were chosen to come near the reference's rank correlations and its table: agreement shows that one
set of curves of that kind gives all its figures at once under these rules, not that any would. Nothing in a policy was chosen so.
Other seeds leave most rows within 3 points of the table, and single ones up to 7 away.
"""

from __future__ import annotations

import heapq
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from aml_jupyter.hyperdrive import Curve, is_due, reason_to_stop

__all__ = ["Swept", "correlations", "digits_curves", "hostile_curves", "simulate_policy"]


def digits_curves(cache: Path, count: int = 300, epochs: int = 40) -> np.ndarray:
    """Return validation accuracies of networks that SGD trains, shape (count, epochs); trained once and kept in `cache`."""
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
        dice = np.random.default_rng([index, 4])
        width, layers = int(2 ** dice.uniform(2, 7)), int(dice.integers(1, 3))
        network = MLPClassifier(
            hidden_layer_sizes=(width,) * layers,
            activation=str(dice.choice(["relu", "tanh", "logistic"], p=[0.6, 0.2, 0.2])),
            solver="sgd",
            learning_rate_init=float(10 ** dice.uniform(-3.5, -0.5)),
            momentum=float(dice.choice([0.9, 0.5, 0.0], p=[0.6, 0.2, 0.2])),
            alpha=float(10 ** dice.uniform(-6, 0.5)),
            batch_size=int(dice.choice([32, 64, 128, 256])),
            random_state=index,
        )
        curve: list[float] = []
        for _ in range(epochs):
            try:
                network.partial_fit(points[:1200], labels[:1200], classes=range(10))
                curve.append(float(network.score(points[1200:], labels[1200:])))
            except ValueError:  # its weights overflowed: it stays what it was
                curve.append(curve[-1] if curve else 0.1)
        curves.append(curve)
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps(curves))
    return np.array(curves)


def hostile_curves(count: int = 300, epochs: int = 81) -> np.ndarray:
    """Return made-up accuracies, shape (count, epochs): power laws ``a - (a - s) * (1 + n / t) ** -2.5`` of the epoch n.

    The better a curve's end ``a`` is, the longer is its time ``t`` and the lower its start ``s``. One in 13 falls back late.
    """
    dice = np.random.default_rng(1)
    quality = np.array([NormalDist().inv_cdf((index + 0.5) / count) for index in range(count)])
    end = np.minimum(0.81 + 0.032 * quality, 0.99)[:, None]
    time = np.exp(3.7 + 0.69 * quality + 0.51 * dice.normal(0, 1, count))[:, None]
    start = (0.13 - 0.013 * quality + 0.063 * dice.normal(0, 1, count))[:, None]
    curves = end - (end - start) * (1 + np.arange(1, epochs + 1) / time) ** -2.5
    curves += dice.normal(0, 0.0054, curves.shape)
    for index in np.flatnonzero(dice.random(count) < 0.077):
        curves[index, int(dice.integers(15, 75)) :] *= 0.8
    return np.clip(curves, 0, 1)


def correlations(curves: np.ndarray, epoch: int = 5) -> tuple[float, float]:
    """Return the rank correlation of an epoch with the end: over all curves, and over the half that ends best."""

    def ranks(values: np.ndarray) -> np.ndarray:
        return np.argsort(np.argsort(values))

    half = np.argsort(curves[:, -1])[len(curves) // 2 :]
    both = [curves, curves[half]]
    first, second = (float(np.corrcoef(ranks(each[:, epoch - 1]), ranks(each[:, -1]))[0, 1]) for each in both)
    return first, second


@dataclass(frozen=True)
class Swept:
    """Hold what a policy did in one sweep: which part of all epochs it saved, its regret, and whether it stopped the best child.

    The regret is the best end of all curves less the best value that any child logged, at least 0.
    """

    saved: float
    regret: float
    best_was_stopped: bool


def simulate_policy(policy: Any, curves: np.ndarray, seed: int, total: int = 100, workers: int = 4) -> Swept:
    """Run a sweep of `total` random curves at unequal speeds, a child after the other on each worker."""
    dice = np.random.default_rng([seed, 9])
    chosen = curves[dice.choice(len(curves), total, replace=False)]
    pace = np.exp(dice.normal(0, 0.4, total))
    seen: dict[int, Curve] = {}
    running = [(float(pace[child]), child) for child in range(workers)]
    heapq.heapify(running)
    started, stopped = workers, set()
    while running:
        now, child = heapq.heappop(running)
        interval = len(seen[child].values) + 1 if child in seen else 1
        seen[child] = Curve(child, chosen[child, :interval].tolist())
        if is_due(policy, interval, child) and reason_to_stop(policy, "maximize", [*seen.values()], child, interval):
            stopped.add(child)
        elif interval < chosen.shape[1]:
            heapq.heappush(running, (now + float(pace[child]), child))
            continue
        seen[child] = Curve(child, seen[child].values, is_running=False)
        if started < total:
            heapq.heappush(running, (now + float(pace[started]), started))
            started += 1
    run = sum(len(curve.values) for curve in seen.values())
    best = max(max(curve.values) for curve in seen.values())
    ends = chosen[:, -1]
    return Swept(1 - run / chosen.size, max(0.0, float(ends.max()) - best), int(ends.argmax()) in stopped)

"""Functions that sweeps are measured on, with their spaces as HyperDrive expressions; needs NumPy only, for peers run it, too.

Every function is to be minimised, and returns what it exceeds its least value by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["PROBLEMS", "Problem", "simulate"]

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """Describe one function: its space, and the deviation of the noise that is added to what a child reports."""

    regret: Callable[[Parameters], float]
    space: dict[str, list[Any]]
    noise: float = 0.0


def _vector(parameters: Parameters) -> np.ndarray:
    return np.array(list(parameters.values()))


def _branin(parameters: Parameters) -> float:
    x, y = _vector(parameters)
    inner = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return inner**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - 0.397887357729738


_HARTMANN_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def _hartmann(parameters: Parameters) -> float:
    exponents = (_HARTMANN_A * (_vector(parameters) - _HARTMANN_P) ** 2).sum(1)
    return 3.32236801141551 - float(np.array([1, 1.2, 3, 3.2]) @ np.exp(-exponents))


def _rosenbrock(parameters: Parameters) -> float:
    x = _vector(parameters)
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def _ackley(parameters: Parameters) -> float:
    x = _vector(parameters)
    return float(
        -20 * math.exp(-0.2 * math.sqrt((x**2).mean())) - math.exp(np.cos(2 * math.pi * x).mean()) + 20 + math.e
    )


def _training(parameters: Parameters) -> float:
    """Look like a validation error: the best learning rate depends on the optimizer and the layers, too high a one diverges."""
    rate, decay = math.log10(parameters["lr"]), math.log10(parameters["wd"])
    layers, kind = float(parameters["layers"]), parameters["opt"]
    best = {"adam": -3.0, "rmsprop": -2.0, "sgd": -1.2}[kind] - 0.05 * (layers - 4)
    if rate > best + 1.5:
        return 0.85
    kind_costs = {"adam": 0.0, "rmsprop": 0.012, "sgd": 0.03}[kind]
    error = kind_costs + 0.03 * (rate - best) ** 2 + 0.006 * (decay + 4) ** 2
    error += 0.0015 * (layers - 5) ** 2 + 0.15 * (parameters["drop"] - 0.25) ** 2
    return min(error, 0.85)


def _cube(names: str, low: float, high: float) -> dict[str, list[Any]]:
    return {name: ["uniform", [low, high]] for name in names}


_MIXED: dict[str, list[Any]] = {
    "lr": ["loguniform", [math.log(1e-6), 0.0]],
    "wd": ["loguniform", [math.log(1e-7), math.log(1e-1)]],
    "opt": ["choice", [["adam", "rmsprop", "sgd"]]],
    "layers": ["quniform", [1, 10, 1]],
    "drop": ["uniform", [0, 0.7]],
}

PROBLEMS: dict[str, Problem] = {
    "Branin": Problem(_branin, {"x": ["uniform", [-5, 10]], "y": ["uniform", [0, 15]]}),
    "Hartmann-6": Problem(_hartmann, _cube("abcdef", 0, 1)),
    "Rosenbrock-5": Problem(_rosenbrock, _cube("abcde", -5, 10)),
    "Ackley-10": Problem(_ackley, _cube("abcdefghij", -15, 30)),
    "mixed": Problem(_training, _MIXED),
    "mixed, noisy": Problem(_training, _MIXED, 0.01),
}


def simulate(
    problem: Problem,
    seed: int,
    total: int,
    concurrent: int,
    suggest: Callable[[int], Any],
    tell: Callable[[Any, float], None],
) -> Iterator[float]:
    """Run a sweep whose children end in random order; yield after each the true regret of the best that was reported.

    Parameters
    ----------
    problem : Problem
        What is minimised.
    seed : int
        Decides the order and the noise.
    total, concurrent : int
        How many children in all, and at once.
    suggest : callable
        Takes a child's number, returns anything with ``parameters``.
    tell : callable
        Takes what `suggest` returned, and the value.
    """
    order, noise = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    running: list[Any] = []
    started, best, regret = 0, math.inf, math.inf
    for _ in range(total):
        while len(running) < concurrent and started < total:
            running.append(suggest(started))
            started += 1
        child = running.pop(int(order.integers(len(running))))
        true = problem.regret(child.parameters)
        value = true + problem.noise * float(noise.standard_normal())
        tell(child, value)
        if value < best:
            best, regret = value, true
        yield regret

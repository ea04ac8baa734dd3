"""Measure Optuna's samplers on a function: run by `bench_sweep` in an environment of Optuna's own."""

from __future__ import annotations

import json
import math
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import optuna
from sweep_functions import PROBLEMS, simulate

TOTAL, CONCURRENT = 100, 4


def distribution(expression: list[Any]) -> Any:
    """Return Optuna's distribution for an expression."""
    kind, arguments = expression
    if kind == "choice":
        return optuna.distributions.CategoricalDistribution(arguments[0])
    if kind == "quniform":
        return optuna.distributions.IntDistribution(arguments[0], arguments[1], step=arguments[2])
    low, high = arguments
    if kind == "loguniform":
        return optuna.distributions.FloatDistribution(math.exp(low), math.exp(high), log=True)
    return optuna.distributions.FloatDistribution(low, high)


def regrets(name: str, seed: int, sampler: Any) -> list[float]:
    """Return the regret after 50 and 100 children."""
    problem = PROBLEMS[name]
    study = optuna.create_study(sampler=sampler)
    distributions = {key: distribution(expression) for key, expression in problem.space.items()}

    def suggest(_: int) -> Any:
        trial = study.ask(distributions)
        return SimpleNamespace(trial=trial, parameters={key: trial.params[key] for key in problem.space})

    found = list(
        simulate(problem, seed, TOTAL, CONCURRENT, suggest, lambda child, value: study.tell(child.trial, value))
    )
    return [found[49], found[-1]]


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    chosen, seeds = sys.argv[1], int(sys.argv[2])
    print(json.dumps({"TPE": [regrets(chosen, seed, optuna.samplers.TPESampler(seed=seed)) for seed in range(seeds)]}))

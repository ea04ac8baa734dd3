"""Which parameters matter: those that the value was made from."""

from __future__ import annotations

import numpy as np
import pytest

from aml_jupyter.config.sweeps import RandomParameterSampling, choice, loguniform, uniform
from aml_jupyter.hyperdrive import Trial
from aml_jupyter.hyperdrive.importance import importances
from aml_jupyter.hyperdrive.space import Space

SPACE = RandomParameterSampling(
    {"lr": loguniform(-7, 0), "width": choice(8, 16, 32, 64), "kind": choice("a", "b"), "idle": uniform(0, 1)}
).parameter_space


def trials(seed: int, weights: dict[str, float], count: int = 60) -> list[Trial]:
    """Return children whose loss is a weighted sum of squares of where their parameters lie."""
    space, dice = Space(SPACE), np.random.default_rng(seed)
    made = []
    for point in dice.random((count, 4)):
        parameters = space.at(point)
        where = dict(zip(SPACE, space.position(parameters) or (), strict=True))
        made.append(Trial(parameters, sum(weight * (where[name] - 0.25) ** 2 for name, weight in weights.items())))
    return made


@pytest.mark.parametrize("name", ["lr", "width", "kind"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_parameter_that_makes_the_value_comes_first(name: str, seed: int) -> None:
    shares = importances(SPACE, trials(seed, {name: 1.0}), maximise=False)
    assert next(iter(shares)) == name and shares[name] > 0.5
    assert sum(shares.values()) == pytest.approx(1.0)


def test_the_direction_of_the_goal_is_kept() -> None:
    made = trials(4, {"lr": 1.0})
    turned = [Trial(trial.parameters, -float(trial.value or 0.0)) for trial in made]
    assert importances(SPACE, made, maximise=False) == importances(SPACE, turned, maximise=True)


def test_nothing_is_said_of_too_few_or_of_equal_children() -> None:
    assert importances(SPACE, trials(1, {"lr": 1.0}, count=7), maximise=False) == {}
    assert importances(SPACE, [Trial(t.parameters, 1.0) for t in trials(1, {"lr": 1.0})], maximise=False) == {}
    outside = [Trial({"lr": 0.1}, float(number)) for number in range(20)]
    assert importances(SPACE, outside, maximise=False) == {}

"""What each expression samples follows its formula, and the way to the unit cube and back loses nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aml_jupyter.config.sweeps import (
    RandomParameterSampling,
    choice,
    lognormal,
    loguniform,
    normal,
    qlognormal,
    qloguniform,
    qnormal,
    quniform,
    randint,
    uniform,
)
from aml_jupyter.hyperdrive import Sampler
from aml_jupyter.hyperdrive.space import Space

COUNT = 4096


def sampled(expression: Any, rule: str, count: int = COUNT) -> list[Any]:
    sampler = Sampler(RandomParameterSampling({"x": expression, "y": uniform(0, 1)}, rule=rule), "minimize", 7)
    return [(sampler.suggest([], [], index) or {})["x"] for index in range(count)]


CONTINUOUS: list[tuple[Any, Callable[[Any], Any]]] = [
    (uniform(-2, 5), stats.uniform(-2, 7).cdf),
    (loguniform(-6, -1), stats.loguniform(math.exp(-6), math.exp(-1)).cdf),
    (normal(10, 3), stats.norm(10, 3).cdf),
    (lognormal(1, 0.5), stats.lognorm(0.5, scale=math.e).cdf),
]


@pytest.mark.parametrize("rule", ["random", "sobol"])
@pytest.mark.parametrize(("expression", "cdf"), CONTINUOUS, ids=[entry[0][0] for entry in CONTINUOUS])
def test_a_continuous_expression_has_its_distribution(expression: Any, cdf: Any, rule: str) -> None:
    count = COUNT if rule == "random" else 1024
    found = stats.kstest(sampled(expression, rule, count), cdf)
    assert found.pvalue > 0.01
    assert found.statistic < (0.03 if rule == "random" else 0.01)


QUANTISED: list[tuple[Any, Callable[[Any], Any], float]] = [
    (quniform(1, 10, 2), CONTINUOUS[0][1], 2),
    (quniform(0, 1, 0.25), stats.uniform(0, 1).cdf, 0.25),
    (qloguniform(0, 3, 2), stats.loguniform(1, math.exp(3)).cdf, 2),
    (qnormal(10, 3, 2), stats.norm(10, 3).cdf, 2),
    (qlognormal(1, 0.5, 1), stats.lognorm(0.5, scale=math.e).cdf, 1),
]
QUANTISED[0] = (QUANTISED[0][0], stats.uniform(1, 9).cdf, 2)


@pytest.mark.parametrize(("expression", "cdf", "q"), QUANTISED, ids=[str(entry[0]) for entry in QUANTISED])
def test_a_quantised_expression_rounds_its_distribution(expression: Any, cdf: Any, q: float) -> None:
    values = sampled(expression, "random")
    assert all(math.isclose(value / q, round(value / q), abs_tol=1e-9) for value in values)
    assert {type(value) for value in values} == ({int} if float(q).is_integer() else {float})
    counted = Counter(values)
    levels = sorted(counted)
    expected = np.array([cdf(level + q / 2) - cdf(level - q / 2) for level in levels])
    assert expected.sum() > 0.995
    often = expected > 0.002
    observed = np.array([counted[level] for level in levels])[often]
    shares = expected[often] / expected[often].sum()
    assert stats.chisquare(observed, shares * observed.sum()).pvalue > 0.01


@pytest.mark.parametrize(
    ("expression", "options"),
    [
        (choice("a", "b", {"c": [1]}), ["a", "b", {"c": [1]}]),
        (choice(64, 16, 32), [16, 32, 64]),
        (choice(True, False), [True, False]),
        (choice(1, 1, 2), [1, 2]),
        (randint(5), list(range(5))),
        (randint(100_000), None),
    ],
)
def test_choices_and_integers_are_even(expression: Any, options: list[Any] | None) -> None:
    values = sampled(expression, "random")
    if options is None:
        assert all(isinstance(value, int) and 0 <= value < 100_000 for value in values)
        assert stats.kstest(values, stats.uniform(0, 100_000).cdf).pvalue > 0.01
        return
    counts = [sum(value == option for value in values) for option in options]
    assert sum(counts) == COUNT
    even = [COUNT / 3 * 2, COUNT / 3] if options == [1, 2] else [COUNT / len(options)] * len(options)
    assert stats.chisquare(counts, even).pvalue > 0.01


def test_a_distribution_without_width_is_its_middle() -> None:
    assert set(sampled(normal(3, 0), "random", 5)) == {3.0}
    assert set(sampled(qnormal(3, 0, 2), "random", 5)) == {4}


def _numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@st.composite
def expressions(draw: Any) -> Any:
    low = draw(_numbers(-20, 20))
    high = low + draw(_numbers(0.01, 20))
    sigma = draw(_numbers(0.01, 3))
    q = draw(st.sampled_from([1, 2, 5, 0.1, 0.25]))
    kinds: list[Any] = [
        lambda: uniform(low, high),
        lambda: quniform(low, high, q),
        lambda: loguniform(low / 4, high / 4),
        lambda: qloguniform(low / 4, high / 4, q),
        lambda: normal(low, sigma),
        lambda: qnormal(low, sigma, q),
        lambda: lognormal(low / 4, sigma),
        lambda: qlognormal(low / 4, sigma, q),
        lambda: randint(1 + int(abs(low))),
        lambda: choice(draw(st.lists(st.one_of(st.integers(), st.text(), st.booleans()), min_size=1, unique=True))),
    ]
    return draw(st.sampled_from(kinds))()


@settings(max_examples=300, deadline=None)
@given(expressions(), st.floats(0, 1, exclude_max=True))
def test_a_value_is_found_again_on_the_cube(expression: Sequence[Any], u: float) -> None:
    (dimension,) = Space({"x": expression}).dimensions
    value = dimension.value(u)
    back = dimension.position(value)
    assert back is not None and 0 <= back <= 1
    again = dimension.value(back)
    assert again == value or math.isclose(again, value, rel_tol=1e-6, abs_tol=1e-9)


def test_what_a_changed_space_lacks_has_no_place() -> None:
    space = Space({"a": choice("x", "y"), "b": uniform(0, 1)})
    assert space.position({"a": "z", "b": 0.5}) is None
    assert space.position({"a": "x", "b": 1.5}) is None
    assert space.position({"a": "x"}) is None
    assert space.position({"a": "y", "b": 0.5, "c": 3}) == [0.75, 0.5]


def test_the_size_of_a_space() -> None:
    assert Space({"a": choice(1, 2, 3), "b": randint(4), "c": quniform(1, 3, 1)}).size == 36
    assert Space({"a": choice(1, 2, 3), "b": uniform(0, 1)}).size is None

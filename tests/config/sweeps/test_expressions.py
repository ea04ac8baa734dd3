"""The ten expressions: SDK v1's form, and the refusal of arguments that nothing can be sampled from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aml_jupyter.config import sweeps
from aml_jupyter.config.sweeps import (
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
from aml_jupyter.errors import ConfigurationError


@pytest.mark.parametrize(
    ("made", "written"),
    [
        (choice(1, 2, 3), ["choice", [[1, 2, 3]]]),
        (choice([1, 2, 3]), ["choice", [[1, 2, 3]]]),
        (choice(range(3)), ["choice", [[0, 1, 2]]]),
        (choice("a", {"b": [1]}), ["choice", [["a", {"b": [1]}]]]),
        (choice((1, 2)), ["choice", [[[1, 2]]]]),
        (choice(np.array([0.5, 1.0])), ["choice", [[0.5, 1.0]]]),
        (choice(np.int64(3), np.float64(0.5), True, None), ["choice", [[3, 0.5, True, None]]]),
        (randint(5), ["randint", [5]]),
        (uniform(0, 1), ["uniform", [0, 1]]),
        (uniform(-0.5, np.float64(2)), ["uniform", [-0.5, 2.0]]),
        (quniform(1, 10, 2), ["quniform", [1, 10, 2]]),
        (quniform(0, 1, 0.1), ["quniform", [0, 1, 0.1]]),
        (loguniform(-6, -1), ["loguniform", [-6, -1]]),
        (qloguniform(0, 5, 1), ["qloguniform", [0, 5, 1]]),
        (normal(10, 3), ["normal", [10, 3]]),
        (qnormal(10, 3, 1), ["qnormal", [10, 3, 1]]),
        (lognormal(0, 1), ["lognormal", [0, 1]]),
        (qlognormal(0, 1, 2), ["qlognormal", [0, 1, 2]]),
    ],
)
def test_an_expression_is_written_as_sdk_v1_writes_it(made: Any, written: Any) -> None:
    assert made == written
    assert [type(value) for value in np.ravel(np.array(made[1], dtype=object))] == [
        type(value) for value in np.ravel(np.array(written[1], dtype=object))
    ]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: choice(), "choice: expected at least one value to choose from"),
        (lambda: choice([]), "at least one value"),
        (lambda: choice(range(0)), "at least one value"),
        (lambda: choice([1, 2], 3), "either one list or values side by side"),
        (lambda: choice(object()), "values that JSON can say"),
        (lambda: choice(float("nan")), "values that JSON can say"),
        (lambda: randint(0), "randint: expected a whole number above 0 for upper, found 0"),
        (lambda: randint(2.5), "a whole number above 0"),
        (lambda: uniform(1, 1), "uniform: expected min_value < max_value in uniform, found '1 and 1'"),
        (lambda: uniform(2, 1), "min_value < max_value"),
        (lambda: loguniform(0, 0), "min_value < max_value in loguniform"),
        (lambda: qloguniform(1, 0, 1), "min_value < max_value in qloguniform"),
        (lambda: loguniform(0, 1000), "exponents of at most 700"),
        (lambda: lognormal(800, 0), "mu \\+ 9 sigma <= 700"),
        (lambda: quniform(0, 1, 0), "a step q above 0"),
        (lambda: qnormal(0, 1, -1), "a step q above 0"),
        (lambda: normal(0, -1), "sigma >= 0"),
        (lambda: uniform("a", 1), "a number for min_value, found 'a'"),
        (lambda: uniform(0, True), "a number for max_value, found True"),
        (lambda: uniform(0, float("inf")), "a finite number for max_value"),
        (lambda: uniform(0, None), "a number for max_value, found nothing"),
    ],
)
def test_what_nothing_can_be_sampled_from_is_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make()


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({}, "parameter_space: expected at least one parameter"),
        (None, "parameter_space: expected a mapping"),
        ({"lr": 0.1}, "parameter_space.lr: expected an expression such as uniform"),
        ({"lr": ["unifrom", [0, 1]]}, "parameter_space.lr: .*found 'unifrom'; did you mean uniform"),
        ({"lr": ["uniform", [0, 1, 2]]}, r"parameter_space.lr: expected 2 values for uniform\(min_value, max_value\)"),
        ({"lr": ["uniform", "01"]}, "a list of arguments for uniform"),
        ({"--": uniform(0, 1)}, "the name of an argument"),
        ({"a b": uniform(0, 1)}, "the name of an argument"),
        ({"lr": uniform(0, 1), "--lr": uniform(0, 1)}, "found '--lr' beside 'lr'"),
    ],
)
def test_a_wrong_space_is_refused_by_parameter(space: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        sweeps.RandomParameterSampling(space)


def test_a_grid_over_anything_but_choices_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"parameter_space.lr: GridParameterSampling takes choice; found uniform"
    ):
        sweeps.GridParameterSampling({"batch": choice(1, 2), "lr": uniform(0, 1)})


def test_bounds_that_look_like_values_are_remarked_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "aml_jupyter.config"):
        sweeps.RandomParameterSampling({"lr": loguniform(0.0001, 0.1)})
    assert "loguniform(0.0001, 0.1) samples 1.0001 to 1.10517" in caplog.text
    assert "write loguniform(-9.21, -2.303)" in caplog.text

"""Samplers: the same seed gives the same children, whatever the order of asking; results are used, and nothing is tried twice."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_packages import python_with
from scipy.stats import qmc

from aml_jupyter.config.sweeps import (
    BayesianParameterSampling,
    GridParameterSampling,
    RandomParameterSampling,
    choice,
    loguniform,
    normal,
    quniform,
    randint,
    uniform,
)
from aml_jupyter.hyperdrive import Sampler, Trial

ROOT = Path(__file__).parents[2]
SPACE = {"lr": loguniform(-6, -1), "batch": choice(16, 32, 64), "kind": choice("a", "b"), "width": quniform(1, 9, 2)}


def error(parameters: dict[str, Any]) -> float:
    """Have its least value, 0, at lr = exp(-3), 32, a, 4."""
    rate = (np.log(parameters["lr"]) + 3) ** 2
    return float(
        rate + (parameters["kind"] == "b") + abs(parameters["batch"] - 32) / 32 + (parameters["width"] - 4) ** 2 / 16
    )


def sweep(
    make: Callable[[], Sampler],
    total: int,
    concurrent: int = 4,
    judge: Any = error,
    restart: bool = False,
    sign: float = 1,
) -> list[dict[str, Any]]:
    """Run a sweep whose children end in a fixed, mixed order; a restarted one has a new sampler for each child."""
    sampler, history, running, started = make(), [], [], []
    order = np.random.default_rng(5)
    while len(history) < total:
        while len(running) < concurrent and len(started) < total:
            if restart:
                sampler, history = make(), [Trial(dict(each.parameters), each.value, each.state) for each in history]
            parameters = sampler.suggest(history, running, len(started))
            if parameters is None:
                break
            started.append(parameters)
            running.append(parameters)
        if not running:
            return started
        ended = running.pop(int(order.integers(len(running))))
        value = judge(ended)
        history.append(
            Trial(ended, None if value is None else sign * value, "completed" if value is not None else "failed")
        )
    return started


@pytest.mark.parametrize(
    "sampling",
    [
        RandomParameterSampling(SPACE),
        RandomParameterSampling(SPACE, rule="sobol"),
        BayesianParameterSampling(SPACE),
        GridParameterSampling({"batch": choice(16, 32, 64), "kind": choice("a", "b")}),
    ],
    ids=["random", "sobol", "bayesian", "grid"],
)
def test_a_sampler_made_anew_in_the_middle_goes_on_with_the_same_children(sampling: Any) -> None:
    judge = (lambda parameters: parameters["batch"]) if isinstance(sampling, GridParameterSampling) else error
    whole = sweep(lambda: Sampler(sampling, "minimize", 3), 30, judge=judge)
    assert sweep(lambda: Sampler(sampling.to_json(), "minimize", 3), 30, judge=judge, restart=True) == whole
    if not isinstance(sampling, GridParameterSampling):
        assert sweep(lambda: Sampler(sampling, "minimize", 4), 30, judge=judge) != whole


def test_the_definitions_own_seed_counts() -> None:
    given = [Sampler(RandomParameterSampling(SPACE, seed=9), "minimize", seed).suggest([], [], 0) for seed in (1, 2)]
    assert given[0] == given[1]


def test_sobol_point_i_is_child_i() -> None:
    sampler = Sampler(RandomParameterSampling({"a": uniform(0, 1), "b": uniform(0, 1)}, rule="sobol"), "minimize", 11)
    expected = qmc.Sobol(2, scramble=True, rng=np.random.default_rng(11)).random(8)
    for index in (5, 0, 7, 2):
        assert list((sampler.suggest([], [], index) or {}).values()) == pytest.approx(list(expected[index]))


def test_a_grid_is_walked_once() -> None:
    sampler = Sampler(GridParameterSampling({"a": choice(2, 1), "b": choice("x", "y")}), "minimize", 0)
    walked = [sampler.suggest([], [], index) for index in range(5)]
    assert walked == [{"a": 2, "b": "x"}, {"a": 2, "b": "y"}, {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, None]


@pytest.mark.parametrize(("goal", "sign"), [("minimize", 1), ("maximize", -1)])
def test_bayesian_sampling_finds_what_random_does_not(goal: str, sign: float) -> None:
    def best(sampling: Any, seed: int) -> float:
        return min(error(each) for each in sweep(lambda: Sampler(sampling, goal, seed), 40, sign=sign))

    found = [best(BayesianParameterSampling(SPACE), seed) for seed in range(3)]
    plain = [best(RandomParameterSampling(SPACE), seed) for seed in range(3)]
    assert statistics.median(found) < 0.02 < statistics.median(plain)


@pytest.mark.parametrize(
    ("space", "count"),
    [
        ({"a": choice(1, 2, 3), "b": choice("x", "y"), "c": quniform(0, 2, 1)}, 18),
        ({"a": randint(5), "b": choice(True, False)}, 10),
    ],
)
def test_every_combination_of_a_small_space_is_tried_once(space: Any, count: int) -> None:
    started = sweep(lambda: Sampler(BayesianParameterSampling(space), "minimize", 1), 40, judge=lambda p: float(p["a"]))
    assert len(started) == count == len({str(each) for each in started})


def test_a_large_discrete_space_has_no_duplicates() -> None:
    space = {"a": randint(60), "b": randint(60)}
    judge = lambda p: float((p["a"] - 20) ** 2 + (p["b"] - 40) ** 2)  # noqa: E731
    started = sweep(lambda: Sampler(BayesianParameterSampling(space), "minimize", 1), 60, judge=judge)
    assert len({str(each) for each in started}) == 60
    assert min(map(judge, started)) == 0


def test_children_that_run_are_counted_in() -> None:
    sampler = Sampler(BayesianParameterSampling({"x": uniform(0, 1), "y": normal(0, 1)}), "minimize", 2)
    starts = [sampler.suggest([], [], index) or {} for index in range(12)]
    history = [Trial(each, each["x"] ** 2 + each["y"] ** 2) for each in starts]
    first = sampler.suggest(history, [], 12) or {}
    running = [first]
    for index in range(13, 16):
        running.append(sampler.suggest(history, running, index) or {})
    places = [sampler.space.position(each) for each in running]
    for left in range(4):
        for right in range(left):
            assert np.abs(np.subtract(places[left], places[right])).max() >= 0.005


def test_where_children_fail_is_avoided() -> None:
    def judge(parameters: dict[str, Any]) -> float | None:
        return None if parameters["x"] > 0.6 else (parameters["x"] - 0.6) ** 2 + parameters["y"] ** 2

    space = {"x": uniform(0, 1), "y": uniform(-1, 1)}
    started = sweep(lambda: Sampler(BayesianParameterSampling(space), "minimize", 1), 40, judge=judge)
    failed = [judge(each) is None for each in started]
    assert sum(failed[:10]) >= 3
    assert sum(failed[20:]) <= 6
    assert min(value for each in started if (value := judge(each)) is not None) < 0.01


def test_all_that_fails_is_no_reason_to_stop_sampling() -> None:
    started = sweep(lambda: Sampler(BayesianParameterSampling(SPACE), "minimize", 1), 20, judge=lambda _: None)
    assert len({str(each) for each in started}) == 20


def test_stopped_children_teach_without_being_the_best() -> None:
    space = {"x": uniform(0, 1)}
    completed = [Trial({"x": 0.05 * i}, 1 - (0.05 * i - 0.32) ** 2) for i in range(11)]

    def next_ones(*values: float) -> list[Any]:
        stopped = [Trial({"x": 0.6 + 0.05 * i}, value, "stopped") for i, value in enumerate(values)]
        sampler = Sampler(BayesianParameterSampling(space), "maximize", 1)
        return [sampler.suggest([*completed, *stopped], [], 16 + i) for i in range(4)]

    best = max(trial.value for trial in completed if trial.value is not None)
    assert next_ones(5.0, 6.0) == next_ones(best, best)
    assert next_ones(0.1, 0.1) != next_ones(best, best)


def test_results_of_another_space_do_no_harm() -> None:
    sampler = Sampler(BayesianParameterSampling({"x": uniform(0, 1)}), "minimize", 1)
    foreign = [
        Trial({"z": 3}, 1.0),
        Trial({"x": 7.0}, 1.0),
        Trial({"x": 0.5}, float("nan")),
        Trial({"x": 0.5}, None, "stopped"),
    ]
    prior = [Trial({"x": i / 20}, (i / 20 - 0.4) ** 2) for i in range(0, 21, 2)]
    assert abs((sampler.suggest([*foreign, *prior], [], 0) or {})["x"] - 0.4) < 0.1


def test_equal_results_are_no_reason_to_fail() -> None:
    started = sweep(lambda: Sampler(BayesianParameterSampling(SPACE), "minimize", 1), 20, judge=lambda _: 1.0)
    assert len(started) == 20


def test_a_missing_scipy_is_said(tmp_path: Path) -> None:
    text = """
import sys
sys.modules["scipy"] = sys.modules["scipy.stats"] = None
from aml_jupyter.config.sweeps import BayesianParameterSampling, RandomParameterSampling, uniform
from aml_jupyter.hyperdrive import Sampler
space = {"x": uniform(0, 1)}
print(sorted(Sampler(RandomParameterSampling(space), "minimize", 1).suggest([], [], 0)))
for sampling in (BayesianParameterSampling(space), RandomParameterSampling(space, rule="sobol")):
    try:
        Sampler(sampling, "minimize", 1).suggest([], [], 0)
    except Exception as error:
        print(type(error).__name__, error)
"""
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=True
    ).stdout
    lines = out.splitlines()
    assert lines[0] == "['x']"
    assert all(line.startswith("UserErrorException") and "aml-jupyter[hyperdrive]" in line for line in lines[1:])
    assert len(lines) == 3


def test_optunas_samplers_without_optuna() -> None:
    pytest.importorskip("scipy")
    text = "import sys; sys.modules['optuna'] = None\n" + OPTUNA
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert "UserErrorException: Sampling with 'tpe' needs Optuna, which is not installed" in done.stderr.replace(
        "aml_jupyter.errors.", ""
    )


OPTUNA = """
import warnings; warnings.simplefilter("ignore")
from aml_jupyter.config.sweeps import BayesianParameterSampling, choice, normal, quniform, uniform
from aml_jupyter.hyperdrive import Sampler, Trial
space = {"x": normal(0, 1), "batch": choice(16, 32, 64), "kind": choice("a", {"b": 1}), "n": quniform(1, 9, 2)}
def judge(p):
    return (p["x"] - 1) ** 2 + (p["kind"] != "a") + abs(p["batch"] - 32) / 32 + (p["n"] - 4) ** 2 / 16
for name in ("tpe", "cmaes"):
    def children():
        history, running = [], []
        for index in range(40):
            sampler = Sampler(BayesianParameterSampling(space, sampler=name), "minimize", 3)
            running.append(sampler.suggest(history, running, index))
            if len(running) == 4:
                ended = running.pop(0)
                history.append(Trial(ended, judge(ended)) if index % 9 else Trial(ended, None, "failed"))
        return history
    first = children()
    assert first == children()
    assert all(t.parameters["kind"] in ("a", {"b": 1}) and t.parameters["n"] in (2, 4, 6, 8) for t in first)
    print(name, min(judge(t.parameters) for t in first) < 1)
"""


def test_optunas_samplers_where_it_is_installed() -> None:
    packages = ("optuna==5.0.0", "cmaes", "numpy", "scipy", "ruamel.yaml")
    python = python_with("optuna", *packages, check="import optuna, cmaes")
    done = subprocess.run(
        [python, "-c", OPTUNA], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["tpe", "True", "cmaes", "True"]

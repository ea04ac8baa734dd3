"""Sampling, policies and the whole of a sweep: defaults, serialised form, and what is refused."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from aml_jupyter.config import RunConfiguration, ScriptRunConfig
from aml_jupyter.config.sweeps import (
    AshaPolicy,
    BanditPolicy,
    BayesianParameterSampling,
    GridParameterSampling,
    HyperbandPolicy,
    HyperDriveConfig,
    MedianStoppingPolicy,
    NoTerminationPolicy,
    PrimaryMetricGoal,
    RandomParameterSampling,
    TruncationSelectionPolicy,
    choice,
    loguniform,
)
from aml_jupyter.config.sweeps.policies import policy_from_dict
from aml_jupyter.config.sweeps.sampling import sampling_from_dict
from aml_jupyter.errors import ConfigurationError

SPACE = {"lr": loguniform(-6, -1), "--batch": choice(16, 32)}


def configure(**changes: Any) -> HyperDriveConfig:
    given: dict[str, Any] = {
        "hyperparameter_sampling": RandomParameterSampling(SPACE),
        "primary_metric_name": "accuracy",
        "primary_metric_goal": PrimaryMetricGoal.MAXIMIZE,
        "max_total_runs": 8,
        "run_config": ScriptRunConfig(".", "train.py", ["--epochs", 3]),
    }
    return HyperDriveConfig(**{**given, **changes})


@pytest.mark.parametrize(
    ("sampling", "written"),
    [
        (RandomParameterSampling(SPACE), {"name": "RANDOM", "parameter_space": SPACE}),
        (GridParameterSampling({"a": choice(1, 2)}), {"name": "GRID", "parameter_space": {"a": ["choice", [[1, 2]]]}}),
        (BayesianParameterSampling(SPACE), {"name": "BayesianOptimization", "parameter_space": SPACE}),
        (
            RandomParameterSampling(SPACE, properties={"seed": 3, "rule": "Sobol"}),
            {"name": "RANDOM", "parameter_space": SPACE, "properties": {"seed": 3, "rule": "sobol"}},
        ),
        (
            RandomParameterSampling(SPACE, seed=3, rule="sobol"),
            {"name": "RANDOM", "parameter_space": SPACE, "properties": {"seed": 3, "rule": "sobol"}},
        ),
        (
            BayesianParameterSampling(SPACE, sampler="TPE"),
            {"name": "BayesianOptimization", "parameter_space": SPACE, "properties": {"sampler": "tpe"}},
        ),
    ],
)
def test_sampling_in_sdk_v1s_form_and_back(sampling: Any, written: dict[str, Any]) -> None:
    assert sampling.to_json() == written
    assert sampling_from_dict(json.loads(json.dumps(written))) == sampling


@pytest.mark.parametrize(
    ("policy", "written"),
    [
        (
            BanditPolicy(2, 0.1, delay_evaluation=5),
            {
                "name": "Bandit",
                "properties": {"evaluation_interval": 2, "delay_evaluation": 5, "slack_factor": 0.1},
            },
        ),
        (
            BanditPolicy(slack_factor=0, slack_amount=0.2),
            {"name": "Bandit", "properties": {"evaluation_interval": 1, "delay_evaluation": 0, "slack_amount": 0.2}},
        ),
        (
            BanditPolicy(slack_factor=0),
            {"name": "Bandit", "properties": {"evaluation_interval": 1, "delay_evaluation": 0, "slack_factor": 0}},
        ),
        (
            MedianStoppingPolicy(),
            {"name": "MedianStopping", "properties": {"evaluation_interval": 1, "delay_evaluation": 0}},
        ),
        (
            TruncationSelectionPolicy(20, 1, 5),
            {
                "name": "TruncationSelection",
                "properties": {
                    "evaluation_interval": 1,
                    "delay_evaluation": 5,
                    "truncation_percentage": 20,
                    "exclude_finished_jobs": False,
                },
            },
        ),
        (NoTerminationPolicy(), {"name": "Default"}),
        (AshaPolicy(), {"name": "Asha", "properties": {"reduction_factor": 3, "grace": 1}}),
        (HyperbandPolicy(81), {"name": "Hyperband", "properties": {"max_intervals": 81, "reduction_factor": 3}}),
        (
            NoTerminationPolicy(stop_on_nan=True, protect_top_k=0),
            {"name": "Default", "properties": {"stop_on_nan": True}},
        ),
    ],
)
def test_policies_in_sdk_v1s_form_and_back(policy: Any, written: dict[str, Any]) -> None:
    assert policy.to_json() == written
    assert policy_from_dict(json.loads(json.dumps(written))) == policy


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BanditPolicy(), "expected exactly one of the two, found neither"),
        (
            lambda: BanditPolicy(slack_factor=0.1, slack_amount=0.1),
            "expected exactly one of the two, found 0.1 and 0.1",
        ),
        (lambda: BanditPolicy(slack_factor=-0.1), "slack_factor: expected a slack of at least 0"),
        (lambda: BanditPolicy(slack_amount="x"), "slack_amount: expected a number"),
        (lambda: BanditPolicy(-1, 0.1), "evaluation_interval: expected a whole number of at least 0"),
        (lambda: MedianStoppingPolicy(1.5), "evaluation_interval: expected a whole number"),
        (lambda: MedianStoppingPolicy(delay_evaluation=-1), "delay_evaluation"),
        (lambda: MedianStoppingPolicy(protect_top=1), "no such setting; did you mean protect_top_k"),
        (lambda: TruncationSelectionPolicy(0), "truncation_percentage: expected a whole number from 1 to 99, found 0"),
        (lambda: TruncationSelectionPolicy(100), "from 1 to 99"),
        (lambda: AshaPolicy(1), "reduction_factor: expected a whole number of at least 2"),
        (lambda: AshaPolicy(grace=4, max_intervals=3), "max_intervals: expected a whole number of at least 4"),
        (lambda: NoTerminationPolicy(max_silence_minutes=-1), "minutes above 0"),
        (lambda: RandomParameterSampling(SPACE, rule="halton"), "rule: expected one of random, sobol"),
        (lambda: RandomParameterSampling(SPACE, seed=-1), "seed: expected a whole number of at least 0"),
        (lambda: RandomParameterSampling(SPACE, {"seed": 1}, seed=2), "seed: found 2 and, in properties, 1"),
        (lambda: BayesianParameterSampling(SPACE, sampler="gpp"), "sampler: expected one of gp, tpe, optuna-gp, cmaes"),
    ],
)
def test_wrong_settings_are_refused_by_field(make: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"run_config": None}, "expected exactly one of estimator, run_config and pipeline, found none"),
        ({"pipeline": object()}, "found run_config and pipeline"),
        ({"run_config": None, "estimator": object()}, "estimator: sweeps over an estimator are not supported yet"),
        ({"run_config": RunConfiguration()}, "run_config: expected a ScriptRunConfig"),
        (
            {"hyperparameter_sampling": None},
            "hyperparameter_sampling: expected a HyperParameterSampling, found nothing",
        ),
        ({"hyperparameter_sampling": SPACE}, "hyperparameter_sampling: expected a HyperParameterSampling"),
        ({"policy": "bandit"}, "policy: expected an EarlyTerminationPolicy"),
        ({"primary_metric_name": ""}, "primary_metric_name: expected the name of the metric"),
        ({"primary_metric_name": None}, "primary_metric_name"),
        ({"primary_metric_goal": "up"}, "primary_metric_goal: expected one of MAXIMIZE, MINIMIZE"),
        ({"max_total_runs": 0}, "max_total_runs: expected a whole number from 1 to 10,000, found 0"),
        ({"max_total_runs": 10_001}, "max_total_runs"),
        ({"max_concurrent_runs": 0}, "max_concurrent_runs: expected a whole number from 1 to 1,000"),
        ({"max_duration_minutes": 0}, "max_duration_minutes"),
        ({"resume_from": list("abcdef")}, "resume_from: expected at most 5 runs, found 6"),
        ({"resume_from": ["a", "a"]}, "resume_from: expected each run once, found a twice"),
        ({"run_config": ScriptRunConfig(".", "t.py", ["--batch", 4])}, "parameter_space.--batch: '--batch' stands in"),
        ({"run_config": ScriptRunConfig(".", "t.py", ["--lr=0.1"])}, "parameter_space.lr: '--lr=0.1' stands in"),
        ({"run_config": ScriptRunConfig(".", "t.py", ["lr", 1])}, "parameter_space.lr: 'lr' stands in"),
    ],
)
def test_a_wrong_sweep_is_refused_by_field(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        configure(**changes)


def test_the_same_argument_in_a_run_configuration_is_refused() -> None:
    settings = RunConfiguration()
    settings.arguments = ["-batch", "4"]
    with pytest.raises(ConfigurationError, match=r"parameter_space\.--batch"):
        configure(run_config=ScriptRunConfig(".", "t.py", run_config=settings))


def test_a_sweep_in_sdk_v1s_form_and_back() -> None:
    sweep = configure(policy=MedianStoppingPolicy(1, 5), primary_metric_goal="Minimize")
    written = sweep.to_dict()
    assert written == {
        "generator_config": {"name": "RANDOM", "parameter_space": SPACE},
        "policy_config": {"name": "MedianStopping", "properties": {"evaluation_interval": 1, "delay_evaluation": 5}},
        "primary_metric_config": {"name": "accuracy", "goal": "minimize"},
        "max_total_jobs": 8,
        "max_concurrent_jobs": 8,
        "max_duration_minutes": 10080,
    }
    assert HyperDriveConfig.from_dict(json.loads(json.dumps(written)), sweep.run_config).to_dict() == written
    assert sweep.source_directory == "." and sweep.estimator is None and sweep.pipeline is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hyperparameter_sampling": BayesianParameterSampling(SPACE)}, "20 or more for each parameter: 40"),
        (
            {
                "hyperparameter_sampling": BayesianParameterSampling(SPACE),
                "max_total_runs": 50,
                "max_concurrent_runs": 30,
            },
            "20 or fewer at once do better",
        ),
        (
            {"hyperparameter_sampling": RandomParameterSampling(SPACE, rule="sobol"), "max_total_runs": 9},
            "powers of two",
        ),
        (
            {"hyperparameter_sampling": GridParameterSampling({"a": choice(range(9))}), "max_total_runs": 4},
            "The grid has 9 points; the last 5 are not run",
        ),
        (
            {"policy": TruncationSelectionPolicy(20, exclude_finished_jobs=True), "max_concurrent_runs": 4},
            "none is ever stopped",
        ),
    ],
)
def test_what_is_allowed_but_seldom_meant_is_remarked_on(
    changes: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "aml_jupyter.config"):
        configure(**changes)
    assert said in caplog.text


def test_a_plain_sweep_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    configure(policy=BanditPolicy(slack_factor=0.2), max_duration_minutes=20_000)
    assert caplog.text == ""


def test_the_goal_by_name() -> None:
    assert PrimaryMetricGoal.from_str("maxiMIZE") is PrimaryMetricGoal.MAXIMIZE
    assert PrimaryMetricGoal.from_str("min") is PrimaryMetricGoal.MINIMIZE

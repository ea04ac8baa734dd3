"""Define `HyperDriveConfig`: what one sweep is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from aml_jupyter.config.reading import Place, read_number, read_text, warn
from aml_jupyter.config.script_run_config import ScriptRunConfig
from aml_jupyter.config.sweeps.goal import PrimaryMetricGoal, read_goal
from aml_jupyter.config.sweeps.policies import (
    EarlyTerminationPolicy,
    NoTerminationPolicy,
    TruncationSelectionPolicy,
    policy_from_dict,
)
from aml_jupyter.config.sweeps.sampling import (
    BayesianParameterSampling,
    GridParameterSampling,
    HyperParameterSampling,
    sampling_from_dict,
)
from aml_jupyter.errors import ConfigurationError

MAX_DURATION_MINUTES = 10080
MOST_RUNS = 10_000
MOST_CONCURRENT = 1_000
MOST_PARENTS = 5
T = TypeVar("T")


class HyperDriveConfig:
    """Say what a sweep samples, runs, measures and stops.

    Parameters
    ----------
    hyperparameter_sampling : HyperParameterSampling
        The space, and how it is sampled.
    primary_metric_name : str
        The metric that the script logs.
    primary_metric_goal : PrimaryMetricGoal or str
        Which way it shall go.
    max_total_runs : int
        How many children at the most (1 to 10,000; SDK v1: 1,000).
    max_concurrent_runs : int, optional
        How many at once (1 to 1,000; SDK v1: 100); as many as there are in all unless given.
    max_duration_minutes : int
        When it is over, whatever still runs is canceled (min).
    policy : EarlyTerminationPolicy, optional
        Which children are stopped early; none unless given.
    estimator, pipeline : optional
        SDK v1's other two ways to say what runs; not built yet.
    run_config : ScriptRunConfig
        What each child runs.
    resume_from : run or list of runs, optional
        Up to five ended sweeps whose results count as if they were this one's.
    resume_child_runs : run or list of runs, optional
        Children of ended sweeps that go on as children of this one.

    Raises
    ------
    ConfigurationError
        With the field, the value, and what was expected.
    """

    _PLATFORM: ClassVar[str] = "AML"

    def __init__(
        self,
        hyperparameter_sampling: HyperParameterSampling,
        primary_metric_name: str,
        primary_metric_goal: PrimaryMetricGoal | str,
        max_total_runs: int,
        max_concurrent_runs: int | None = None,
        max_duration_minutes: int = MAX_DURATION_MINUTES,
        policy: EarlyTerminationPolicy | None = None,
        estimator: Any = None,
        run_config: ScriptRunConfig | None = None,
        resume_from: Any = None,
        resume_child_runs: Any = None,
        pipeline: Any = None,
        debug_flag: Any = None,
        custom_run_id: str | None = None,
    ) -> None:
        self._run_config = _what_runs(run_config, estimator, pipeline)
        self._sampling = _instance(hyperparameter_sampling, HyperParameterSampling, "hyperparameter_sampling")
        self._policy = _instance(policy or NoTerminationPolicy(), EarlyTerminationPolicy, "policy")
        self._primary_metric_name = read_metric_name(primary_metric_name, _at("primary_metric_name"))
        self._primary_metric_goal = read_goal(primary_metric_goal, _at("primary_metric_goal"))
        self._max_total_runs = read_total(max_total_runs, _at("max_total_runs"), MOST_RUNS)
        self._max_concurrent_runs = (
            self._max_total_runs
            if max_concurrent_runs is None
            else read_total(max_concurrent_runs, _at("max_concurrent_runs"), MOST_CONCURRENT)
        )
        minutes = MAX_DURATION_MINUTES if max_duration_minutes is None else max_duration_minutes
        self._max_duration_minutes = read_number(minutes, _at("max_duration_minutes"), 1)
        self._resume_from = _run_ids(resume_from, "resume_from")
        self._resume_child_runs = _run_ids(resume_child_runs, "resume_child_runs", self._max_total_runs)
        self._custom_run_id = custom_run_id
        self._debug_flag = debug_flag
        self.check_arguments()
        for text in self.advice():
            warn(text)

    @property
    def run_config(self) -> ScriptRunConfig:
        """Return what each child runs."""
        return self._run_config

    @property
    def estimator(self) -> None:
        """Return None: estimators are not built yet."""

    @property
    def pipeline(self) -> None:
        """Return None: sweeps over pipelines are not built yet."""

    @property
    def source_directory(self) -> str | None:
        """Return the folder that is snapshotted once for all children."""
        return self._run_config.source_directory

    @property
    def hyperparameter_sampling(self) -> HyperParameterSampling:
        """Return the space, and how it is sampled."""
        return self._sampling

    @property
    def policy(self) -> EarlyTerminationPolicy:
        """Return the early termination policy."""
        return self._policy

    @property
    def _generator_config(self) -> dict[str, Any]:
        return self._sampling.to_json()

    @property
    def _policy_config(self) -> dict[str, Any]:
        return self._policy.to_json()

    @property
    def _primary_metric_config(self) -> dict[str, str]:
        return {"name": self._primary_metric_name, "goal": self._primary_metric_goal.name.lower()}

    def to_dict(self) -> dict[str, Any]:
        """Return the sweep without what it runs, in the form of SDK v1's tags."""
        written: dict[str, Any] = {
            "generator_config": self._generator_config,
            "policy_config": self._policy_config,
            "primary_metric_config": self._primary_metric_config,
            "max_total_jobs": self._max_total_runs,
            "max_concurrent_jobs": self._max_concurrent_runs,
            "max_duration_minutes": self._max_duration_minutes,
        }
        if self._resume_from:
            written["resume_from"] = list(self._resume_from)
        if self._resume_child_runs:
            written["resume_child_runs"] = list(self._resume_child_runs)
        return written

    @classmethod
    def from_dict(cls, definition: Mapping[str, Any], run_config: ScriptRunConfig) -> HyperDriveConfig:
        """Return the sweep that `to_dict` wrote."""
        metric = definition["primary_metric_config"]
        return cls(
            sampling_from_dict(definition["generator_config"]),
            metric["name"],
            metric["goal"],
            definition["max_total_jobs"],
            definition["max_concurrent_jobs"],
            definition["max_duration_minutes"],
            policy_from_dict(definition["policy_config"]),
            run_config=run_config,
            resume_from=definition.get("resume_from"),
            resume_child_runs=definition.get("resume_child_runs"),
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], run_config: ScriptRunConfig) -> HyperDriveConfig:
        """Return the sweep that an ``hdconfig.yml`` describes.

        Raises
        ------
        ConfigurationError
            With file, line, field and value.
        """
        from aml_jupyter.config.sweeps.hdconfig import read_hdconfig

        return cls(**read_hdconfig(path), run_config=run_config)

    def check_arguments(self) -> None:
        """Refuse an argument that stands in the run configuration and in the parameter space.

        Raises
        ------
        ConfigurationError
            Names it.
        """
        run_config = self._run_config
        arguments = run_config.arguments or run_config.run_config.arguments or []
        for name in self._sampling.parameter_space:
            found = next((entry for entry in arguments if _means(entry, name)), None)
            if found is not None:
                raise ConfigurationError(
                    f"parameter_space.{name}: {found!r} stands in the arguments of the run configuration, too. "
                    "Remove it there: the sweep adds it with the value of each child.",
                    field=f"parameter_space.{name}",
                )

    def advice(self) -> list[str]:
        """Return what is allowed but seldom meant."""
        said = []
        sampling, policy, total = self._sampling, self._policy, self._max_total_runs
        concurrent = min(self._max_concurrent_runs, total)
        if isinstance(sampling, BayesianParameterSampling):
            recommended = 20 * len(sampling.parameter_space)
            if total < recommended:
                said.append(
                    f"max_total_runs: {total}. Bayesian sampling does best with 20 or more for each parameter: {recommended}."
                )
            if concurrent > 20:
                said.append(
                    f"max_concurrent_runs: {concurrent}. Bayesian sampling learns from ended runs; 20 or fewer at once do better."
                )
        if isinstance(sampling, GridParameterSampling):
            size = 1
            for _, (options,) in sampling.parameter_space.values():
                size *= len(options)
            if size > total:
                said.append(
                    f"max_total_runs: {total}. The grid has {size} points; the last {size - total} are not run."
                )
        if getattr(sampling, "rule", "random") == "sobol" and total & (total - 1):
            said.append(f"max_total_runs: {total}. A Sobol sequence is even at powers of two.")
        if isinstance(policy, TruncationSelectionPolicy) and policy.exclude_finished_jobs:
            percentage = policy.truncation_percentage
            if concurrent * percentage < 100:
                said.append(
                    f"truncation_percentage: {percentage} % of {concurrent} concurrent runs is less than one, "
                    "so with exclude_finished_jobs none is ever stopped."
                )
        return said

    def __repr__(self) -> str:
        return (
            f"HyperDriveConfig({self._sampling!r}, {self._primary_metric_goal.name.lower()} {self._primary_metric_name!r}, "
            f"max_total_runs={self._max_total_runs}, policy={self._policy!r})"
        )


def read_metric_name(value: Any, place: Place) -> str:
    """Return the name of the primary metric."""
    name = read_text(value, place) if isinstance(value, str) else ""
    if not name.strip() or len(name) > 255:
        raise place.refusal("the name of the metric that the script logs (1 to 255 characters)", value)
    return name


def read_total(value: Any, place: Place, most: int) -> int:
    """Return a number of runs."""
    number = read_number(value, place)
    if not 1 <= number <= most:
        raise place.refusal(f"a whole number from 1 to {most:,}", value)
    return number


def _at(name: str) -> Place:
    return Place(keys=(name,))


def _what_runs(run_config: Any, estimator: Any, pipeline: Any) -> ScriptRunConfig:
    given = {"estimator": estimator, "run_config": run_config, "pipeline": pipeline}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        found = " and ".join(named) or "none"
        raise ConfigurationError(
            f"HyperDriveConfig: expected exactly one of estimator, run_config and pipeline, found {found}. "
            "run_config=ScriptRunConfig(...) says what each run of the sweep runs.",
            field="run_config",
        )
    if run_config is None:
        raise ConfigurationError(
            f"{named[0]}: sweeps over an {named[0]} are not supported yet. Pass run_config=ScriptRunConfig(...) instead."
            if named[0] == "estimator"
            else "pipeline: sweeps over a pipeline are not supported yet. Pass run_config=ScriptRunConfig(...) instead.",
            field=named[0],
        )
    return _instance(run_config, ScriptRunConfig, "run_config")


def _instance(value: Any, kind: type[T], name: str) -> T:
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise _at(name).refusal(f"{article} {kind.__name__}", value)
    return value


def _run_ids(runs: Any, name: str, most: int = MOST_PARENTS) -> list[str]:
    """Return the ids of runs (or ids themselves)."""
    if runs is None:
        return []
    listed = list(runs) if isinstance(runs, (list, tuple)) else [runs]
    ids = [str(getattr(run, "id", run)) for run in listed]
    if len(ids) > most:
        raise ConfigurationError(f"{name}: expected at most {most} runs, found {len(ids)}.", field=name)
    twice = next((entry for entry in ids if ids.count(entry) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"{name}: expected each run once, found {twice} twice.", field=name)
    return ids


def _means(argument: Any, name: str) -> bool:
    """Say whether a word of a command line is the argument `name`, with or without its value."""
    word, _, _ = str(argument).partition("=")
    return word == name or (word.startswith("-") and word.lstrip("-") == name.lstrip("-"))

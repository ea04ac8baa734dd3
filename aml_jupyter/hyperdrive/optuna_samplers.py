"""Choose the next child with one of Optuna's samplers, where Optuna is installed.

A study in memory is made from the history for every suggestion, so that the rows of the workspace stay the only record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aml_jupyter.errors import UserErrorException
from aml_jupyter.hyperdrive.space import Dimension, Space
from aml_jupyter.hyperdrive.trial import Trial

__all__ = ["OptunaSampler"]

_CLASSES = {"tpe": "TPESampler", "optuna-gp": "GPSampler", "cmaes": "CmaEsSampler"}


class OptunaSampler:
    """Suggest parameters as `BayesianSampler` does, by a sampler of Optuna's.

    Parameters
    ----------
    name : str
        ``tpe``, ``optuna-gp`` or ``cmaes``.
    space : Space
        The parameter space.
    maximise : bool
        Whether a greater value is better.
    seed : int
        The same seed and the same results in the same order give the same parameters.

    Raises
    ------
    UserErrorException
        When Optuna is not installed.
    """

    def __init__(self, name: str, space: Space, maximise: bool, seed: int) -> None:
        try:
            import optuna
        except ImportError as error:
            raise UserErrorException(
                f"Sampling with {name!r} needs Optuna, which is not installed. Install it (pip install optuna), or leave the "
                "sampler out: Bayesian sampling has an engine of its own.",
                "hyperparameter_sampling",
            ) from error
        self._optuna: Any = optuna
        self.name, self.space, self.maximise, self.seed = name, space, maximise, seed

    def suggest(
        self, history: Sequence[Trial], pending: Sequence[Mapping[str, Any]], index: int
    ) -> dict[str, Any] | None:
        """Return the parameters of child `index`, as `BayesianSampler.suggest`."""
        optuna = self._optuna
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            dice = int(np.random.default_rng([self.seed, index]).integers(2**31))
            sampler = getattr(optuna.samplers, _CLASSES[self.name])(seed=dice)
            study = optuna.create_study(direction="maximize" if self.maximise else "minimize", sampler=sampler)
            distributions = {entry.name: self._distribution(entry) for entry in self.space.dimensions}
            study.add_trials(self._trials(history, pending, distributions))
            trial = study.ask(distributions)
            return {entry.name: _value(entry, trial.params[entry.name]) for entry in self.space.dimensions}
        finally:
            optuna.logging.set_verbosity(before)

    def _distribution(self, entry: Dimension) -> Any:
        kinds = self._optuna.distributions
        if entry.is_category:
            return kinds.CategoricalDistribution(tuple(range(len(entry.options))))
        if entry.is_discrete:
            return kinds.IntDistribution(0, len(entry.options) - 1)
        return kinds.FloatDistribution(0.0, 1.0)

    def _trials(
        self, history: Sequence[Trial], pending: Sequence[Mapping[str, Any]], distributions: Mapping[str, Any]
    ) -> list[Any]:
        """Return Optuna's form of the history; failed children are told as they are, stopped ones as completed."""
        create, states = self._optuna.trial.create_trial, self._optuna.trial.TrialState
        told = []
        for trial in history:
            params = self._params(trial.parameters)
            if params is None:
                continue
            if trial.is_measured:
                told.append(create(params=params, distributions=dict(distributions), value=trial.value))
            elif trial.state != "stopped":
                told.append(create(params=params, distributions=dict(distributions), state=states.FAIL))
        for parameters in pending:
            params = self._params(parameters)
            if params is not None:
                told.append(create(params=params, distributions=dict(distributions), state=states.RUNNING))
        return told

    def _params(self, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
        point = self.space.position(parameters)
        if point is None:
            return None
        return {
            entry.name: int(np.searchsorted(entry.edges, u, side="right")) if entry.is_discrete else u
            for entry, u in zip(self.space.dimensions, point, strict=True)
        }


def _value(entry: Dimension, chosen: Any) -> Any:
    return entry.options[int(chosen)] if entry.is_discrete else entry.value(float(chosen))

"""Choose the way of sampling that a definition asks for."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aml_jupyter.config.sweeps import GridParameterSampling, HyperParameterSampling, RandomParameterSampling
from aml_jupyter.config.sweeps.sampling import BayesianParameterSampling, sampling_from_dict
from aml_jupyter.hyperdrive.trial import Trial, parameters_key

if TYPE_CHECKING:
    from aml_jupyter.hyperdrive.space import Space

__all__ = ["Sampler"]


class Sampler:
    """Suggest the parameters of a sweep's children.

    The answer is a function of (definition, goal, seed, history, pending, index) alone: a service that starts anew in the
    middle of a sweep goes on with the same children.

    Parameters
    ----------
    sampling : HyperParameterSampling or dict
        The definition, or its serialised form.
    goal : str
        ``maximize`` or ``minimize``.
    seed : int
        What stands for the definition's own seed where it has none.
    """

    def __init__(self, sampling: HyperParameterSampling | Mapping[str, Any], goal: str, seed: int) -> None:
        from aml_jupyter.hyperdrive.space import Space

        self.sampling = sampling_from_dict(sampling) if isinstance(sampling, Mapping) else sampling
        self.seed = seed if self.sampling.seed is None else self.sampling.seed
        self.space: Space = Space(self.sampling.parameter_space)
        self._bayesian: Any = None
        self._combinations: list[tuple[dict[str, Any], str]] = []
        if isinstance(self.sampling, BayesianParameterSampling):
            self._bayesian = self._engine(self.sampling.sampler, goal.lower() == "maximize")

    def _engine(self, name: str, maximise: bool) -> Any:
        if name == "gp":
            from aml_jupyter.hyperdrive.bayesian import BayesianSampler

            return BayesianSampler(self.space, maximise, self.seed)
        from aml_jupyter.hyperdrive.optuna_samplers import OptunaSampler

        return OptunaSampler(name, self.space, maximise, self.seed)

    @property
    def looks_at_results(self) -> bool:
        """Say whether what children reached changes what is suggested."""
        return self._bayesian is not None

    @property
    def is_grid(self) -> bool:
        """Say whether it goes through listed combinations."""
        return isinstance(self.sampling, GridParameterSampling)

    def suggest(
        self, history: Sequence[Trial], pending: Sequence[Mapping[str, Any]], index: int
    ) -> dict[str, Any] | None:
        """Return the parameters of child `index`, or None where the space has no more.

        Parameters
        ----------
        history : sequence of Trial
            The ended children in the order in which they ended, those of earlier sweeps first. To hand over the same objects
            again saves time.
        pending : sequence of dict
            Parameters of the children that have no result yet.
        index : int
            The child's number, from 0.

        Raises
        ------
        UserErrorException
            When SciPy or Optuna is needed and not installed.
        """
        from aml_jupyter.hyperdrive.plain_samplers import grid_parameters, random_point, sobol_point

        if self._bayesian is not None:
            suggested: dict[str, Any] | None = self._bayesian.suggest(history, pending, index)
            return suggested
        if isinstance(self.sampling, GridParameterSampling):
            return grid_parameters(self.space, index)
        assert isinstance(self.sampling, RandomParameterSampling)
        draw = sobol_point if self.sampling.rule == "sobol" else random_point
        return self.space.at(draw(self.seed, index, len(self.space)))

    def untried(self, tried: Container[str]) -> dict[str, Any] | None:
        """Return the first combination of a grid that is not among those `tried` (`parameters_key`), or None."""
        from aml_jupyter.hyperdrive.plain_samplers import grid_parameters

        for parameters, key in self._combinations:
            if key not in tried:
                return parameters
        while (found := grid_parameters(self.space, len(self._combinations))) is not None:
            self._combinations.append((found, parameters_key(found)))
            if self._combinations[-1][1] not in tried:
                return found
        return None

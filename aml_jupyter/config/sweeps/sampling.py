"""Define how the parameters of a sweep's children are chosen: random, grid, Bayesian.

SDK v1's classes and serialised form. What it says about `properties` stands there too, and as keywords here: `seed`, `rule`
(``random`` or ``sobol``) and `sampler`. Bayesian sampling takes all ten expressions (SDK v1: three).
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from aml_jupyter.config.reading import Place, read_choice, read_number, read_text, show, warn
from aml_jupyter.config.sweeps.expressions import Expression, advice, read_expression
from aml_jupyter.errors import ConfigurationError, nearest

RULES = ("random", "sobol")
SAMPLERS = ("gp", "tpe", "optuna-gp", "cmaes")
"""The engines of Bayesian sampling: our own, and three of Optuna's where that is installed."""


class HyperParameterSampling:
    """Hold a parameter space and the way to sample it.

    Parameters
    ----------
    sampling_method_name : str
        The name in the serialised form.
    parameter_space : dict
        Name of the script's argument -> expression.
    properties : dict, optional
        ``seed`` (int), ``rule`` and ``sampler``; whatever else is kept without effect.
    """

    SAMPLING_NAME: ClassVar[str] = ""
    _known: ClassVar[tuple[str, ...]] = ("seed",)

    def __init__(
        self,
        sampling_method_name: str,
        parameter_space: Mapping[str, Any],
        properties: Mapping[str, Any] | None = None,
        supported_distributions: set[str] | None = None,
        distributions_validators: Any = None,
    ) -> None:
        self._sampling_method_name = sampling_method_name
        self._parameter_space = read_space(parameter_space, Place(keys=("parameter_space",)))
        self._properties = self._read_properties(properties)
        for name, expression in self._parameter_space.items():
            if supported_distributions and expression[0] not in supported_distributions:
                raise ConfigurationError(
                    f"parameter_space.{name}: {type(self).__name__} takes {', '.join(sorted(supported_distributions))}; "
                    f"found {expression[0]}. Write its values out with choice(...), or sample at random.",
                    field=f"parameter_space.{name}",
                )
            said = advice(name, expression)
            if said:
                warn(said)

    @property
    def parameter_space(self) -> dict[str, Expression]:
        """Return the space: name -> expression."""
        return self._parameter_space

    @property
    def seed(self) -> int | None:
        """Return the seed; None where the sweep makes one up."""
        seed: int | None = self._properties.get("seed")
        return seed

    def _read_properties(self, properties: Mapping[str, Any] | None) -> dict[str, Any]:
        place = Place(keys=("properties",))
        if properties is not None and not isinstance(properties, Mapping):
            raise place.refusal("a mapping", properties)
        read: dict[str, Any] = {}
        for key, value in (properties or {}).items():
            there = place.child(str(key))
            if value is None:
                continue
            if key == "seed" and "seed" in self._known:
                read["seed"] = read_number(value, there, 0)
            elif key == "rule" and "rule" in self._known:
                read["rule"] = read_choice(value, there, RULES)
            elif key == "sampler" and "sampler" in self._known:
                read["sampler"] = read_choice(value, there, SAMPLERS)
            else:
                warn(f"{there}: unknown property, kept but without effect; {nearest(str(key), list(self._known))}")
                read[str(key)] = value
        return read

    def to_json(self) -> dict[str, Any]:
        """Return the sampling as SDK v1 writes it."""
        definition: dict[str, Any] = {"name": self._sampling_method_name, "parameter_space": self._parameter_space}
        if self._properties:
            definition["properties"] = dict(self._properties)
        return definition

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HyperParameterSampling) and other.to_json() == self.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        names = ", ".join(f"{name}={expression[0]}" for name, expression in self._parameter_space.items())
        return f"{type(self).__name__}({names})"


class RandomParameterSampling(HyperParameterSampling):
    """Sample each parameter by itself, at random or along a scrambled Sobol sequence.

    Parameters
    ----------
    parameter_space : dict
        Name of the script's argument -> expression.
    properties : dict, optional
        ``seed`` and ``rule``.
    seed : int, optional
        The same seed gives the same children.
    rule : str, optional
        ``random``, or ``sobol``, which covers the space more evenly.
    """

    SAMPLING_NAME = "RANDOM"
    _known = ("rule", "seed")

    def __init__(
        self,
        parameter_space: Mapping[str, Any],
        properties: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        rule: str | None = None,
    ) -> None:
        super().__init__(self.SAMPLING_NAME, parameter_space, _together(properties, seed=seed, rule=rule))

    @property
    def rule(self) -> str:
        """Return ``random`` or ``sobol``."""
        return str(self._properties.get("rule", "random"))


class GridParameterSampling(HyperParameterSampling):
    """Run every combination of the values; the last parameter changes first.

    Parameters
    ----------
    parameter_space : dict
        Name of the script's argument -> ``choice(...)``.
    """

    SAMPLING_NAME = "GRID"

    def __init__(self, parameter_space: Mapping[str, Any], properties: Mapping[str, Any] | None = None) -> None:
        super().__init__(self.SAMPLING_NAME, parameter_space, properties, {"choice"})


class BayesianParameterSampling(HyperParameterSampling):
    """Choose the next child by what the earlier ones reached.

    Parameters
    ----------
    parameter_space : dict
        Name of the script's argument -> any of the ten expressions.
    properties : dict, optional
        ``seed`` and ``sampler``.
    seed : int, optional
        The same seed and the same order of results give the same children.
    sampler : str, optional
        ``gp``, or one of Optuna's where that is installed: ``tpe``, ``optuna-gp``, ``cmaes``.
    """

    SAMPLING_NAME = "BayesianOptimization"
    _known = ("sampler", "seed")

    def __init__(
        self,
        parameter_space: Mapping[str, Any],
        properties: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        sampler: str | None = None,
    ) -> None:
        super().__init__(self.SAMPLING_NAME, parameter_space, _together(properties, seed=seed, sampler=sampler))

    @property
    def sampler(self) -> str:
        """Return the engine."""
        return str(self._properties.get("sampler", "gp"))


SAMPLINGS: dict[str, type[HyperParameterSampling]] = {
    "random": RandomParameterSampling,
    "grid": GridParameterSampling,
    "bayesian": BayesianParameterSampling,
}
"""Name in ``hdconfig.yml`` -> class."""


def sampling_class(value: Any, place: Place) -> type[HyperParameterSampling]:
    """Return the class that a name means: ``random``, ``RandomParameterSampling``, ``BayesianOptimization``, in any case."""
    word = value.strip().lower() if isinstance(value, str) else ""
    for name, kind in SAMPLINGS.items():
        if word in (name, kind.__name__.lower(), kind.SAMPLING_NAME.lower()):
            return kind
    raise ConfigurationError(
        f"{place}: expected a way of sampling, found {show(value)}; {nearest(word, list(SAMPLINGS))}.", field=place.key
    )


def sampling_from_dict(definition: Mapping[str, Any]) -> HyperParameterSampling:
    """Return the sampling that `HyperParameterSampling.to_json` wrote."""
    kind: Any = sampling_class(definition.get("name"), Place(keys=("generator_config", "name")))
    made: HyperParameterSampling = kind(definition.get("parameter_space"), definition.get("properties"))
    return made


def read_space(space: Any, place: Place) -> dict[str, Expression]:
    """Return a checked parameter space.

    Raises
    ------
    ConfigurationError
        When it is empty, a name stands twice (``lr`` and ``--lr`` are one), or an expression is wrong.
    """
    if not isinstance(space, Mapping):
        raise place.refusal("a mapping of argument names to expressions", space)
    if not space:
        raise place.refusal("at least one parameter", dict(space))
    read: dict[str, Expression] = {}
    for name, expression in space.items():
        add_parameter(read, name, place)
        read[str(name)] = read_expression(expression, place.child(str(name), space))
    return read


def add_parameter(read: Mapping[str, Any], name: Any, place: Place) -> str:
    """Return the name of a parameter after a check; `read` are the ones before it."""
    text = read_text(name, place) if name is not None else ""
    if not text.lstrip("-") or any(character.isspace() or character in "=\0" for character in text):
        raise place.refusal("the name of an argument, such as --lr", name)
    twin = next((known for known in read if known.lstrip("-") == text.lstrip("-")), None)
    if twin is not None:
        raise ConfigurationError(
            f"{place}: expected each parameter once, found {text!r} beside {twin!r}. Keep one of them.", field=place.key
        )
    return text


def variable_names(space: Iterable[str]) -> dict[str, str]:
    """Return, for each parameter of a space, the variable that it is in a cell or notebook: ``--batch-size``, `batch_size`.

    Raises
    ------
    ConfigurationError
        When a name cannot be a variable's, or two would be one.
    """
    names: dict[str, str] = {}
    for name in space:
        variable = name.lstrip("-").replace("-", "_")
        if not variable.isidentifier() or keyword.iskeyword(variable):
            raise ConfigurationError(
                f"parameter_space.{name}: in a cell or notebook a parameter is a variable, and {variable!r} cannot be the name "
                "of one. Call it otherwise.",
                field=f"parameter_space.{name}",
            )
        twin = next((known for known, taken in names.items() if taken == variable), None)
        if twin is not None:
            raise ConfigurationError(
                f"parameter_space.{name}: in a cell or notebook it would be the variable {variable!r}, as {twin} is. "
                "Rename one of them.",
                field=f"parameter_space.{name}",
            )
        names[name] = variable
    return names


def _together(properties: Any, **keywords: Any) -> Any:
    """Return the properties with the keywords that are set; what stands in both has to agree."""
    given = {key: value for key, value in keywords.items() if value is not None}
    if not given or (properties is not None and not isinstance(properties, Mapping)):
        return properties
    for key, value in given.items():
        if properties and properties.get(key) not in (None, value):
            raise ConfigurationError(
                f"{key}: found {value!r} and, in properties, {properties[key]!r}. Keep one of them.", field=key
            )
    return {**(properties or {}), **given}

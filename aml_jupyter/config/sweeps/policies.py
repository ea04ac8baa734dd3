"""Define when a child of a sweep is stopped early: SDK v1's four policies, and guards that go with any of them.

SDK v1's names, defaults and serialised form; the rules that decide are in `aml_jupyter.hyperdrive.policies`. An interval is one
logged value of the primary metric. A policy is applied at every interval that is a multiple of `evaluation_interval` and not
below `delay_evaluation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aml_jupyter.config.reading import Place, read_boolean, read_decimal, read_number, show
from aml_jupyter.errors import ConfigurationError, nearest

_GUARDS = ("max_silence_minutes", "min_runs", "protect_top_k", "stop_on_nan")


class EarlyTerminationPolicy:
    """Hold the name and the settings of a policy.

    Parameters
    ----------
    name : str
        The name in the serialised form.
    properties : dict, optional
        The settings.
    **guards
        `stop_on_nan` (bool): stop a child as soon as its metric is not a finite number. `max_silence_minutes` (float): stop a
        child that logs no metric for so long. `protect_top_k` (int): never stop the best k children at their interval.
        `min_runs` (int): stop nothing before so many children have logged a value.
    """

    POLICY_NAME: ClassVar[str] = ""
    _settings: ClassVar[tuple[str, ...]] = ()

    def __init__(self, name: str, properties: Mapping[str, Any] | None = None, **guards: Any) -> None:
        self._name = name
        self._guards = _read_guards(guards)
        self._properties = {**(properties or {}), **self._guards} if properties is not None or self._guards else None

    @property
    def guards(self) -> dict[str, Any]:
        """Return the guards that are set."""
        return dict(self._guards)

    def to_json(self) -> dict[str, Any]:
        """Return the policy as SDK v1 writes it."""
        written: dict[str, Any] = {"name": self._name}
        if self._properties is not None:
            written["properties"] = dict(self._properties)
        return written

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EarlyTerminationPolicy) and other.to_json() == self.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        said = ", ".join(f"{key}={value!r}" for key, value in (self._properties or {}).items())
        return f"{type(self).__name__}({said})"


class IntervalPolicy(EarlyTerminationPolicy):
    """Hold when a policy is applied: `evaluation_interval` and `delay_evaluation`."""

    def __init__(
        self, name: str, evaluation_interval: int, delay_evaluation: int, settings: Mapping[str, Any], **guards: Any
    ) -> None:
        self._evaluation_interval = read_number(evaluation_interval, Place(keys=("evaluation_interval",)), 0)
        self._delay_evaluation = read_number(delay_evaluation, Place(keys=("delay_evaluation",)), 0)
        when = {"evaluation_interval": self._evaluation_interval, "delay_evaluation": self._delay_evaluation}
        super().__init__(name, {**when, **settings}, **guards)

    @property
    def evaluation_interval(self) -> int:
        """Return how often the policy is applied, in intervals; 0 is as 1."""
        return self._evaluation_interval

    @property
    def delay_evaluation(self) -> int:
        """Return before which interval it is not applied."""
        return self._delay_evaluation


class BanditPolicy(IntervalPolicy):
    """Stop a child whose best value lies further behind the best of all than a slack, at the same interval.

    Parameters
    ----------
    evaluation_interval : int
        How often it is applied (intervals).
    slack_factor : float, optional
        The slack as a ratio: when maximising, stop below ``best / (1 + slack_factor)``. It has no meaning for metrics <= 0.
    slack_amount : float, optional
        The slack as a distance. Exactly one of the two.
    delay_evaluation : int
        The first interval at which it may be applied.

    Raises
    ------
    ConfigurationError
        For none or both of the slacks, or a negative one.
    """

    POLICY_NAME = "Bandit"
    _settings = ("delay_evaluation", "evaluation_interval", "slack_amount", "slack_factor")

    def __init__(
        self,
        evaluation_interval: int = 1,
        slack_factor: float | None = None,
        slack_amount: float | None = None,
        delay_evaluation: int = 0,
        **guards: Any,
    ) -> None:
        factor = _slack(slack_factor, "slack_factor")
        amount = _slack(slack_amount, "slack_amount")
        if factor and amount:
            raise ConfigurationError(
                f"slack_factor, slack_amount: expected exactly one of the two, found {factor:g} and {amount:g}. "
                "Keep one of them.",
                field="slack_factor",
            )
        if factor is None and amount is None:
            raise ConfigurationError(
                "slack_factor, slack_amount: expected exactly one of the two, found neither. "
                "slack_factor=0.2 stops children below best / 1.2.",
                field="slack_factor",
            )
        if amount and factor is not None:  # 0 beside the other one counts as unset, as in SDK v1
            factor = None
        self._slack_factor, self._slack_amount = factor, None if factor is not None else amount
        slack = {"slack_factor": factor} if factor is not None else {"slack_amount": amount}
        super().__init__(self.POLICY_NAME, evaluation_interval, delay_evaluation, slack, **guards)

    @property
    def slack_factor(self) -> float | None:
        """Return the slack as a ratio."""
        return self._slack_factor

    @property
    def slack_amount(self) -> float | None:
        """Return the slack as a distance."""
        return self._slack_amount


class MedianStoppingPolicy(IntervalPolicy):
    """Stop a child whose best value is worse than the median of all children's running averages, at the same interval.

    Parameters
    ----------
    evaluation_interval : int
        How often it is applied (intervals).
    delay_evaluation : int
        The first interval at which it may be applied; 5 is a good one.
    """

    POLICY_NAME = "MedianStopping"
    _settings = ("delay_evaluation", "evaluation_interval")

    def __init__(self, evaluation_interval: int = 1, delay_evaluation: int = 0, **guards: Any) -> None:
        super().__init__(self.POLICY_NAME, evaluation_interval, delay_evaluation, {}, **guards)


class TruncationSelectionPolicy(IntervalPolicy):
    """Stop the worst children at an interval.

    Parameters
    ----------
    truncation_percentage : int
        How many of them (1 to 99 percent).
    evaluation_interval : int
        How often it is applied (intervals).
    delay_evaluation : int
        The first interval at which it may be applied.
    exclude_finished_jobs : bool
        Compare with the children that are running only. With few at a time it never stops any.
    """

    POLICY_NAME = "TruncationSelection"
    _settings = ("delay_evaluation", "evaluation_interval", "exclude_finished_jobs", "truncation_percentage")

    def __init__(
        self,
        truncation_percentage: int,
        evaluation_interval: int = 1,
        delay_evaluation: int = 0,
        *,
        exclude_finished_jobs: bool = False,
        **guards: Any,
    ) -> None:
        place = Place(keys=("truncation_percentage",))
        self._truncation_percentage = read_number(truncation_percentage, place)
        if not 1 <= self._truncation_percentage <= 99:
            raise place.refusal("a whole number from 1 to 99", truncation_percentage)
        self._exclude_finished_jobs = read_boolean(exclude_finished_jobs, Place(keys=("exclude_finished_jobs",)))
        settings = {
            "truncation_percentage": self._truncation_percentage,
            "exclude_finished_jobs": self._exclude_finished_jobs,
        }
        super().__init__(self.POLICY_NAME, evaluation_interval, delay_evaluation, settings, **guards)

    @property
    def truncation_percentage(self) -> int:
        """Return how many children are stopped (percent)."""
        return self._truncation_percentage

    @property
    def exclude_finished_jobs(self) -> bool:
        """Say whether ended children are left out of the comparison."""
        return self._exclude_finished_jobs


class NoTerminationPolicy(EarlyTerminationPolicy):
    """Let every child run to its end."""

    POLICY_NAME = "Default"

    def __init__(self, **guards: Any) -> None:
        super().__init__(self.POLICY_NAME, None, **guards)


def _slack(value: Any, name: str) -> float | None:
    if value is None:
        return None
    place = Place(keys=(name,))
    number = read_decimal(value, place)
    if number < 0:
        raise place.refusal("a slack of at least 0", value)
    return number


def _read_guards(guards: Mapping[str, Any]) -> dict[str, Any]:
    """Return the guards that are set to something."""
    read: dict[str, Any] = {}
    for key, value in guards.items():
        place = Place(keys=(key,))
        if key not in _GUARDS:
            raise ConfigurationError(f"{key}: a policy has no such setting; {nearest(key, list(_GUARDS))}.", field=key)
        if value is None:
            continue
        if key == "stop_on_nan":
            read[key] = read_boolean(value, place)
        elif key == "max_silence_minutes":
            read[key] = read_decimal(value, place)
            if read[key] <= 0:
                raise place.refusal("minutes above 0", value)
        else:
            read[key] = read_number(value, place, 0)
    return {key: value for key, value in read.items() if value}


def policies() -> dict[str, type[EarlyTerminationPolicy]]:
    """Return name of a policy's class -> class."""
    from aml_jupyter.config.sweeps.more_policies import AshaPolicy, HyperbandPolicy

    kinds = (
        BanditPolicy,
        MedianStoppingPolicy,
        TruncationSelectionPolicy,
        NoTerminationPolicy,
        AshaPolicy,
        HyperbandPolicy,
    )
    return {kind.__name__: kind for kind in kinds}


def policy_class(value: Any, place: Place) -> type[EarlyTerminationPolicy]:
    """Return the class that a name means: ``BanditPolicy``, ``bandit``, ``Default``, in any case; nothing means no policy."""
    if value is None:
        return NoTerminationPolicy
    word = value.strip().lower().replace("_", "") if isinstance(value, str) else ""
    for name, kind in policies().items():
        if word in (name.lower(), name.lower().removesuffix("policy"), kind.POLICY_NAME.lower()) or (
            kind is NoTerminationPolicy and word in ("none", "no")
        ):
            return kind
    short = [name.removesuffix("Policy") for name in policies()]
    raise ConfigurationError(
        f"{place}: expected a policy, found {show(value)}; {nearest(word, short)}.", field=place.key
    )


def settings_of(kind: type[EarlyTerminationPolicy]) -> list[str]:
    """Return the names of the settings that a policy takes, its guards included."""
    return sorted({*kind._settings, *_GUARDS})


def policy_from_dict(definition: Mapping[str, Any]) -> EarlyTerminationPolicy:
    """Return the policy that `EarlyTerminationPolicy.to_json` wrote."""
    kind: Any = policy_class(definition.get("name"), Place(keys=("policy_config", "name")))
    made: EarlyTerminationPolicy = kind(**(definition.get("properties") or {}))
    return made

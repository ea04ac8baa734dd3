"""Apply what was changed about a sweep while it ran to its definition: a pure function of both.

A change has one or more of these keys: ``pause`` (true or false); ``limits`` (``max_total_runs``, ``max_concurrent_runs``,
``max_duration_minutes``); ``parameter_space`` (as `HyperParameterSampling.to_json` writes it); ``add`` (a child's parameters).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aml_jupyter.config.reading import Place, read_number
from aml_jupyter.config.sweeps.hyperdrive_config import MOST_CONCURRENT, MOST_RUNS, read_total
from aml_jupyter.config.sweeps.sampling import sampling_from_dict
from aml_jupyter.errors import ConfigurationError, nearest
from aml_jupyter.hyperdrive.rows import Chosen

__all__ = ["Changed", "check_added", "check_limits", "check_space", "with_changes"]

_LIMITS = {
    "max_total_runs": "max_total_jobs",
    "max_concurrent_runs": "max_concurrent_jobs",
    "max_duration_minutes": "max_duration_minutes",
}


@dataclass(frozen=True)
class Changed:
    """Hold a sweep as it is after all changes.

    Parameters
    ----------
    definition : dict
        As `HyperDriveConfig.to_dict` writes it.
    is_paused : bool
        It starts no children for now.
    added : tuple of Chosen
        Children that a person has added, the oldest first.
    has_other_space : bool
        Its parameter space is not the one it began with.
    """

    definition: Mapping[str, Any]
    is_paused: bool = False
    added: tuple[Chosen, ...] = ()
    has_other_space: bool = False


def with_changes(definition: Mapping[str, Any], changes: Sequence[Mapping[str, Any]]) -> Changed:
    """Return a sweep after `changes`, the oldest first; a change of an unknown kind is passed over."""
    now = dict(definition)
    is_paused, added, has_other_space = False, [], False
    for change in changes:
        if "pause" in change:
            is_paused = bool(change["pause"])
        now |= {_LIMITS[name]: value for name, value in change.get("limits", {}).items() if name in _LIMITS}
        if "parameter_space" in change:
            now["generator_config"] = {**now["generator_config"], "parameter_space": change["parameter_space"]}
            has_other_space = True
        if "add" in change:
            added.append(Chosen(change["add"]))
    return Changed(now, is_paused, tuple(added), has_other_space)


def check_limits(definition: Mapping[str, Any], limits: Mapping[str, Any], children: int) -> dict[str, int]:
    """Return limits after a check.

    Parameters
    ----------
    definition : dict
        The sweep as it is.
    limits : dict
        ``max_total_runs``, ``max_concurrent_runs``, ``max_duration_minutes``; None leaves one as it is.
    children : int
        How many children there are.

    Raises
    ------
    ConfigurationError
        With the field, the value, and what was expected.
    """
    checked: dict[str, int] = {}
    for name, value in limits.items():
        if name not in _LIMITS:
            raise ConfigurationError(f"{name}: cannot be changed; {nearest(name, list(_LIMITS))}.", field=name)
        if value is None:
            continue
        place = Place(keys=(name,))
        if name == "max_duration_minutes":
            checked[name] = read_number(value, place, 1)
        else:
            checked[name] = read_total(value, place, MOST_RUNS if name == "max_total_runs" else MOST_CONCURRENT)
    if checked.get("max_total_runs", children) < children:
        raise ConfigurationError(
            f"max_total_runs: {checked['max_total_runs']} is less than the {children} children that there are. Cancel the sweep "
            "to end it.",
            field="max_total_runs",
        )
    return checked


def check_space(definition: Mapping[str, Any], space: Mapping[str, Any]) -> dict[str, Any]:
    """Return another parameter space after a check: the same parameters, other expressions; one that is not named stays.

    ``lr`` and ``--lr`` are one, as for a child that is added.

    Raises
    ------
    ConfigurationError
        When a parameter is new (the children so far have no value of it), or an expression is wrong.
    """
    generator = definition["generator_config"]
    before = generator["parameter_space"]
    bare = {name.lstrip("-"): name for name in before}
    changed: dict[str, Any] = {}
    for name, expression in space.items():
        known = name if name in before else bare.get(str(name).lstrip("-"))
        if known is None:
            raise ConfigurationError(
                f"parameter_space.{name}: the sweep has no such parameter; {nearest(str(name), list(before))}. A new parameter "
                "needs a new sweep: the children so far have no value of it.",
                field=f"parameter_space.{name}",
            )
        changed[known] = expression
    checked: dict[str, Any] = sampling_from_dict({**generator, "parameter_space": {**before, **changed}}).to_json()
    return dict(checked["parameter_space"])


def check_added(definition: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a child that a person adds, in the order of the space; the values may lie outside of it.

    Raises
    ------
    ConfigurationError
        When one is missing or unknown, or is no text, number or boolean.
    """
    names = list(definition["generator_config"]["parameter_space"])
    bare = {name.lstrip("-"): name for name in names}
    given: dict[str, Any] = {}
    for name, value in parameters.items():
        known = bare.get(str(name).lstrip("-"))
        if known is None:
            raise ConfigurationError(
                f"{name}: the sweep has no such parameter; {nearest(str(name), names)}.", field=str(name)
            )
        if not isinstance(value, (str, int, float, bool, list, dict)) and value is not None:
            raise Place(keys=(str(name),)).refusal("a text, a number or a boolean", value)
        given[known] = value
    missing = [name for name in names if name not in given]
    if missing:
        raise ConfigurationError(
            f"{', '.join(missing)}: missing. A child needs a value of each of the sweep's parameters.", field=missing[0]
        )
    return {name: given[name] for name in names}

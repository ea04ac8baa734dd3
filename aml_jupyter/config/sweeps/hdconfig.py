"""Read ``hdconfig.yml``, the file that says what a sweep is on the command line.

Keys and values are matched whatever their case; what is wrong is refused with file, line, field and value. The form is drawn in
the documentation of ``aml run submit-hyperdrive``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aml_jupyter.config.keys import folded
from aml_jupyter.config.reading import Place, read_mapping, read_number, show
from aml_jupyter.config.sweeps.expressions import expression_name, expression_of, read_expression
from aml_jupyter.config.sweeps.goal import read_goal
from aml_jupyter.config.sweeps.hyperdrive_config import MOST_CONCURRENT, MOST_RUNS, read_metric_name, read_total
from aml_jupyter.config.sweeps.policies import EarlyTerminationPolicy, policy_class, settings_of
from aml_jupyter.config.sweeps.sampling import HyperParameterSampling, add_parameter, sampling_class
from aml_jupyter.errors import AmlError, ConfigurationError, UserErrorException, nearest

FOLDERS = (".azureml", "aml_config", "")
KEYS = (
    "sampling",
    "policy",
    "primary_metric_name",
    "primary_metric_goal",
    "max_total_runs",
    "max_concurrent_runs",
    "max_duration_minutes",
)
_NEEDED = ("sampling", "primary_metric_name", "primary_metric_goal", "max_total_runs")


def find_hdconfig(name: str, project: str | os.PathLike[str] | None = None) -> Path:
    """Return the file that a name on the command line means.

    Parameters
    ----------
    name : str
        A path; or a file in ``.azureml``, ``aml_config`` or the project folder itself, with or without ``.yml``.
    project : path, optional
        The project folder; the current one unless given.

    Raises
    ------
    UserErrorException
        When there is none, or more than one.
    """
    root = Path(project) if project else Path.cwd()
    if os.path.isfile(name):
        return Path(name)
    endings = ("",) if name.lower().endswith((".yml", ".yaml")) else ("", ".yml", ".yaml")
    found = [root / folder / f"{name}{ending}" for folder in FOLDERS for ending in endings]
    hits = [path for path in dict.fromkeys(found) if os.path.isfile(path)]
    if len(hits) == 1:
        return hits[0]
    if hits:
        listed = ", ".join(str(path) for path in hits)
        raise UserErrorException(
            f"HyperDrive configuration {name!r}: expected one file, found {len(hits)}: {listed}. Give the path of the one "
            "that is meant.",
            "hyperdrive_configuration_name",
        )
    there = sorted(
        {path.name for folder in FOLDERS for ending in ("*.yml", "*.yaml") for path in (root / folder).glob(ending)}
    )
    searched = ", ".join(str(root / folder) for folder in FOLDERS)
    hint = f"{nearest(name, there)}." if there else "There are no .yml files in these."
    raise UserErrorException(
        f"HyperDrive configuration {name!r}: there is no such file, nor in {searched}. {hint}",
        "hyperdrive_configuration_name",
    )


def read_hdconfig(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what the file says, as arguments of `HyperDriveConfig`.

    Raises
    ------
    ConfigurationError
        With file, line, field, value, and what was expected.
    """
    from aml_jupyter.config.yaml_files import parse, read_file

    source = Path(path)
    content = parse(read_file(source, "HyperDrive configuration"), str(source))
    place = Place(str(source))
    given = _entries(content, place, KEYS)
    for key in _NEEDED:
        if key not in given or given[key][0] is None:
            raise ConfigurationError(f"{place}: expected the key {key}, found none of that name.", field=key)
    read: dict[str, Any] = {
        "hyperparameter_sampling": _sampling(*given["sampling"]),
        "primary_metric_name": read_metric_name(*given["primary_metric_name"]),
        "primary_metric_goal": read_goal(*given["primary_metric_goal"]),
        "max_total_runs": read_total(*given["max_total_runs"], MOST_RUNS),
        "policy": _policy(*given.get("policy", (None, place))),
    }
    if given.get("max_concurrent_runs", (None,))[0] is not None:
        read["max_concurrent_runs"] = read_total(*given["max_concurrent_runs"], MOST_CONCURRENT)
    if given.get("max_duration_minutes", (None,))[0] is not None:
        read["max_duration_minutes"] = read_number(*given["max_duration_minutes"], 1)
    return read


def _entries(value: Any, place: Place, known: tuple[str, ...] | list[str]) -> dict[str, tuple[Any, Place]]:
    """Return known key -> (value, place) of a mapping; any other key is refused with the nearest known one."""
    names = {folded(key).replace("-", ""): key for key in known}
    read: dict[str, tuple[Any, Place]] = {}
    for raw, entry in read_mapping(value, place).items():
        there = place.child(str(raw), value)
        key = names.get(folded(str(raw)).replace("-", ""))
        if key is None:
            raise ConfigurationError(
                f"{there}: unknown key, with the value {show(entry)}; {nearest(str(raw), list(known))}.",
                field=there.key,
            )
        if key in read:
            raise ConfigurationError(f"{there}: the same key stands here twice. Keep one of them.", field=there.key)
        read[key] = (entry, there)
    return read


def _sampling(value: Any, place: Place) -> HyperParameterSampling:
    kinds: dict[str, tuple[str, ...]] = {
        "RANDOM": ("seed", "rule"),
        "GRID": (),
        "BayesianOptimization": ("seed", "sampler"),
    }
    every = ("type", "parameter_space", "properties", "seed", "rule", "sampler")
    given = _entries(value, place, every)
    if "type" not in given:
        raise ConfigurationError(
            f"{place}: expected the key type (random, grid or bayesian), found none.", field=place.key
        )
    kind = sampling_class(*given["type"])
    if "parameter_space" not in given:
        raise ConfigurationError(f"{place}: expected the key parameter_space, found none.", field=place.key)
    options = {key: given[key][0] for key in kinds[kind.SAMPLING_NAME] if key in given}
    for key in ("seed", "rule", "sampler"):
        if key in given and key not in options:
            raise ConfigurationError(f"{given[key][1]}: {kind.__name__} has no {key}.", field=given[key][1].key)
    space = _space(*given["parameter_space"])
    make: Any = kind
    made: HyperParameterSampling = _said_at(
        lambda: make(space, given.get("properties", (None,))[0], **options), given["parameter_space"][1]
    )
    return made


def _space(value: Any, place: Place) -> dict[str, Any]:
    """Return a parameter space from a list of name, expression, values; or from a mapping of names to those."""
    space: dict[str, Any] = {}
    if isinstance(value, Mapping):
        for name, entry in value.items():
            there = place.child(str(name), value)
            space[add_parameter(space, name, there)] = (
                _expression(entry, there) if isinstance(entry, Mapping) else read_expression(entry, there)
            )
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            there = place.item(index, value)
            given = _entries(entry, there, ("name", "expression", "values"))
            if "name" not in given:
                raise ConfigurationError(f"{there}: expected the key name, found none.", field=there.key)
            name = add_parameter(space, *given["name"])
            space[name] = _expression(
                {key: value for key, value in entry.items() if folded(str(key)) != "name"}, there, entry
            )
    else:
        raise place.refusal("a list of parameters (name, expression, values)", value)
    if not space:
        raise place.refusal("at least one parameter", value)
    return space


def _expression(entry: Mapping[Any, Any], place: Place, lines: Any = None) -> Any:
    given = _entries(entry, place, ("expression", "values"))
    at = {key: place.child(key, lines if lines is not None else entry) for key in given}
    for key in ("expression", "values"):
        if key not in given:
            raise ConfigurationError(f"{place}: expected the key {key}, found none.", field=place.key)
    name = expression_name(given["expression"][0], at["expression"])
    values = given["values"][0]
    if values is None or isinstance(values, Mapping):
        raise at["values"].refusal(f"a list of values for {name}", values)
    listed = values if isinstance(values, list) else [values]
    return expression_of(name, listed, at["values"], values if isinstance(values, list) else None)


def _policy(value: Any, place: Place) -> EarlyTerminationPolicy | None:
    """Return the policy of the file; None where it has none."""
    if value is None:
        return None
    if isinstance(value, str):
        value = {"type": value}
    written = next((key for key in read_mapping(value, place) if folded(str(key)) == "type"), None)
    kind = policy_class(None if written is None else value[written], place.child(str(written), value))
    given = _entries(value, place, ["type", *settings_of(kind)])
    settings = {key: entry for key, (entry, _) in given.items() if key != "type" and entry is not None}
    make: Any = kind
    try:
        made: EarlyTerminationPolicy = make(**settings)
    except TypeError:
        missing = [
            key
            for key in ("truncation_percentage", "max_intervals")
            if key in settings_of(kind) and key not in settings
        ]
        raise ConfigurationError(
            f"{place}: {kind.__name__} needs {' and '.join(missing)}, found none.", field=place.key
        ) from None
    except AmlError as error:
        where = given.get(str(error.field), (None, place))[1]
        raise ConfigurationError(f"{_before(where)}{error.message}", field=where.key) from error
    return made


def _said_at(make: Any, place: Place) -> Any:
    """Return what `make` makes; its refusal gets the file and the line in front."""
    try:
        return make()
    except AmlError as error:
        raise ConfigurationError(f"{_before(place)}{error.message}", field=error.field) from error


def _before(place: Place) -> str:
    line = f", line {place.line}" if place.line is not None else ""
    return f"{place.source}{line}, " if place.source else ""

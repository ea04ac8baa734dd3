"""Own ``run.json``: the whole definition of a run, which only its owner can read, and what the database may know of it.

The values of environment variables and whatever is called a password or a token stand in ``run.json`` alone
(mode 0600); the database has the names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.errors import WorkspaceException
from aml_jupyter.supervisor import durable, protocol

if TYPE_CHECKING:
    from .layout import Layout

__all__ = ["HIDDEN", "read_definition", "without_values", "write_definition"]

HIDDEN: Final = "***"
"""Stands in the database where ``run.json`` has a value."""

_VARIABLES: Final = frozenset({"environment_variables", "environmentVariables"})
_SECRET: Final = re.compile(r"password|passwd|secret|token|credential", re.IGNORECASE)

_CREDENTIALS: Final = re.compile(r"([a-z][a-z0-9+.\-]*://)[^/@\s]+@", re.IGNORECASE)
"""A user and a password in an address: those of a package index, say."""


def write_definition(layout: Layout, definition: Mapping[str, Any]) -> None:
    """Write ``run.json`` into the run's folder, for its owner's eyes only.

    Raises
    ------
    OSError
        When it cannot be written; nothing is left behind then.
    """
    path = str(layout.run(str(definition["id"])).definition)
    durable.write_json(path, definition, point="submit.definition", mode=0o600)


def read_definition(layout: Layout, run_id: str) -> dict[str, Any]:
    """Return the whole definition of a run that was submitted.

    Raises
    ------
    WorkspaceException
        When its ``run.json`` is missing or damaged.
    """
    path = layout.run(run_id).definition
    try:
        definition = protocol.read_json(str(path))
    except (OSError, ValueError) as error:
        raise WorkspaceException(f"The definition of run {run_id}, {path}, cannot be read: {error}.") from error
    if definition is None:
        raise WorkspaceException(
            f"The definition of run {run_id} is gone: there is no {path}. The run cannot be started from anything else; "
            "aml workspace verify lists what else is missing."
        )
    return definition


def without_values(definition: Mapping[str, Any], run_config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a definition as the database has it: variables by their names, and nothing that is called a secret.

    Parameters
    ----------
    definition : mapping
        As ``run.json`` has it.
    run_config : mapping, optional
        Its ``run_config`` without values, where that was worked out before: the children of a sweep share it.
    """
    shown = {**definition, "run_config": run_config or _without_secrets(definition.get("run_config") or {})}
    if definition.get("environment"):
        shown["environment"] = {key: value for key, value in definition["environment"].items() if key != "asked"}
    if definition.get("environment_variables"):
        shown["environment_variables"] = dict.fromkeys(definition["environment_variables"], HIDDEN)
    return shown


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return _CREDENTIALS.sub(r"\1", value) if "@" in value else value
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    if value is None or isinstance(value, (int, float)) or not isinstance(value, Mapping):
        return value
    shown: dict[str, Any] = {}
    for key, content in value.items():
        if key in _VARIABLES and isinstance(content, Mapping):
            shown[key] = dict.fromkeys(content, HIDDEN)
        elif isinstance(content, str) and content and _SECRET.search(str(key)):
            shown[key] = HIDDEN
        else:
            shown[key] = _without_secrets(content)
    return shown

"""Write down what a sweep's child is: the sweep's definition with its parameters."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from aml_jupyter.config.sweeps import variable_names
from aml_jupyter.errors import UserErrorException
from aml_jupyter.hyperdrive import StartChild
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run

__all__ = ["BY_HAND", "CHOSEN", "HYPERPARAMETERS", "KIND", "check_variables", "child_definition", "last_words"]

KIND = "hyperdrive"
"""The kind of run that a sweep is."""

HYPERPARAMETERS = "hyperparameters"
"""The property of a child that has its parameters, as JSON."""

CHOSEN = "aml.chosen"
"""The property of a child that nobody sampled: `BY_HAND`, or which run it goes on from."""

BY_HAND = "by hand"

BY_NAME = ("cell", "notebook")
"""Kinds of runs that get a parameter as a variable: ``--learning-rate`` is `learning_rate`. Others get it as an argument."""


def check_variables(space: Iterable[str], kind: str, given: Collection[str]) -> None:
    """Refuse a parameter that cannot be a variable of a cell or notebook, or is one of those that it is `given` already.

    Raises
    ------
    UserErrorException
        Naming it.
    """
    if kind not in BY_NAME:
        return
    for name, variable in variable_names(space).items():
        if variable in given:
            raise UserErrorException(
                f"{variable} is given twice: as parameter {name} of the sweep, and with -p or -i. Leave one out.",
                variable,
            )


def child_definition(folder: WorkspaceFolder, template: Mapping[str, Any], start: StartChild) -> dict[str, Any]:
    """Return the ``run.json`` of a child: the sweep's, with its parameters behind the arguments, or as variables."""
    names = variable_names(start.parameters) if template["sweep"]["kind"] in BY_NAME else None
    words = (
        []
        if names is not None
        else [word for name, value in start.parameters.items() for word in (name, _as_word(value))]
    )
    child = {key: value for key, value in template.items() if key != "sweep"}
    run_id = f"{template['id']}_{start.number}"
    child |= {
        "id": run_id,
        "parent": template["id"],
        "kind": template["sweep"]["kind"],
        "number": None,
        "created": time.time(),
    }
    child["display_name"] = f"{template['display_name']}_{start.number}"
    child["properties"] = {**template["properties"], "azureml.runsource": "azureml.scriptrun"}
    child["properties"][HYPERPARAMETERS] = json.dumps(start.parameters)
    if start.chosen is not None:
        before = start.chosen.resume_from
        child["properties"][CHOSEN] = BY_HAND if before is None else f"resumed from {before}"
        if before is not None:
            words += ["--resume-from", str(_outputs(folder, before))]
    if names is not None:
        values = {names[name]: value for name, value in start.parameters.items()}
        child |= {"parameters": {**template["parameters"], **values}, "values_of": template["id"]}
    if template["command"] is None:
        child["arguments"] = [*template["arguments"], *words]
    elif isinstance(template["command"], str):
        child["command"] = " ".join([template["command"], *map(shlex.quote, words)])
    else:
        child["command"] = [*template["command"], *words]
    return child


def _outputs(folder: WorkspaceFolder, run_id: str) -> Path:
    """Return the folder that a run's last attempt has left its outputs in."""
    attempt = get_run(folder.store.read(), run_id).attempt
    return folder.layout.run(run_id).attempt(attempt).work / "outputs"


def last_words(run: RunRecord) -> str:
    """Return the last line that a failed run has logged; where there is none, why it failed."""
    error = run.error or {}
    tail = error.get("log_tail") or ""
    lines = tail if isinstance(tail, list) else str(tail).splitlines()
    return next((str(line).strip() for line in reversed(lines) if str(line).strip()), str(error.get("message") or ""))


def _as_word(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)

"""Change a sweep from outside: pause it, go on, extend it, add a child by hand.

A change is noted in the sweep's ``changes.jsonl``, committed, and then carried out by the service with its next look.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from typing import Any

from aml_jupyter.errors import UserErrorException
from aml_jupyter.hyperdrive import check_added, check_limits, check_space, with_changes
from aml_jupyter.service.client import ensure_service
from aml_jupyter.service.launch import values_sent
from aml_jupyter.service.queueing import queue_again
from aml_jupyter.service.sweeps import BY_HAND, CHOSEN, KIND
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    add_sweep_change,
    append_change,
    child_number,
    find_runs,
    get_run,
    read_definition,
    sweep_changes,
)
from aml_jupyter.workspace.states import FINAL

__all__ = ["add_to_sweep", "extend_sweep", "pause_sweep", "sweep_definition"]


def sweep_definition(folder: WorkspaceFolder, run_id: str) -> tuple[RunRecord, dict[str, Any]]:
    """Return a sweep and its definition as it is now, in the form of `HyperDriveConfig.to_dict`.

    Raises
    ------
    UserErrorException
        When the run is not a sweep.
    """
    run = get_run(folder.store.read(), run_id)
    if run.kind != KIND:
        raise UserErrorException(f"Run {run_id} is not a sweep but of kind {run.kind!r}.", "run_id")
    changes = sweep_changes(folder.store.read(), run_id)
    return run, dict(with_changes(run.definition["sweep"]["config"], changes).definition)


def pause_sweep(folder: WorkspaceFolder, run_id: str, paused: bool = True) -> RunRecord:
    """Let a sweep start no more children, or go on (`paused` is False).

    Running children are left alone, and the clock of ``max_duration_minutes`` goes on.

    Raises
    ------
    UserErrorException
        When it is not a sweep, or has ended.
    """
    _change(folder, run_id, {"pause": paused})
    return get_run(folder.store.read(), run_id)


def add_to_sweep(folder: WorkspaceFolder, run_id: str, parameters: Mapping[str, Any]) -> RunRecord:
    """Add a child with chosen parameters to a running sweep: the next one that it starts. It counts beside ``max_total_runs``.

    Parameters
    ----------
    parameters : mapping
        A value of each parameter of the sweep, also outside of its space; ``lr`` and ``--lr`` are one.

    Raises
    ------
    UserErrorException
        When it has ended, or a parameter is missing or unknown.
    """
    _, definition = sweep_definition(folder, run_id)
    _change(folder, run_id, {"add": check_added(definition, parameters)})
    return get_run(folder.store.read(), run_id)


def extend_sweep(
    folder: WorkspaceFolder,
    run_id: str,
    parameter_space: Mapping[str, Any] | None = None,
    **limits: int | None,
) -> RunRecord:
    """Give a sweep more runs, more time, more at once, or another space.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    run_id : str
        The sweep.
    parameter_space : mapping, optional
        Parameter -> its new expression; parameters that it does not name stay as they are.
    limits
        ``max_total_runs`` (of a sweep that has ended: with those that it had), ``max_concurrent_runs``, ``max_duration_minutes``.

    Returns
    -------
    RunRecord
        The sweep itself where it still runs. One that has ended stays as it is: a new one goes on with its results, its snapshot
        and its sequence.

    Raises
    ------
    ConfigurationError
        When a value is wrong; nothing was changed then.
    """
    run, definition = sweep_definition(folder, run_id)
    children = find_runs(folder.store.read(), parent=run_id)
    own = [child for child in children if child_number(run_id, child.id) is not None]
    there = sum(child.properties.get(CHOSEN) != BY_HAND for child in own)
    change: dict[str, Any] = {}
    checked = check_limits(definition, limits, there)
    if checked:
        change["limits"] = checked
    if parameter_space:
        change["parameter_space"] = check_space(definition, parameter_space)
    if not change:
        raise UserErrorException(
            "Nothing to change was given: max_total_runs, max_concurrent_runs, max_duration_minutes or parameter_space."
        )
    if run.status in FINAL:
        return _go_on(folder, run, change, there)
    _change(folder, run_id, change)
    return get_run(folder.store.read(), run_id)


def _change(folder: WorkspaceFolder, run_id: str, change: dict[str, Any]) -> None:
    with folder.store.transaction() as tx:
        run = get_run(tx, run_id)
        if run.kind != KIND:
            raise UserErrorException(f"Run {run_id} is not a sweep but of kind {run.kind!r}.", "run_id")
        if run.status in FINAL:
            raise UserErrorException(
                f"Sweep {run_id} has ended ({run.status}). Extending it makes a sweep that goes on where it ended.",
                "run_id",
            )
        add_sweep_change(tx, run_id, change)
        append_change(folder, run_id, {"op": "sweep", "change": change})
    ensure_service(folder)


def _go_on(folder: WorkspaceFolder, run: RunRecord, change: Mapping[str, Any], there: int) -> RunRecord:
    """Queue a sweep that begins with the results of one that has ended."""
    template = copy.deepcopy(read_definition(folder.layout, run.id))
    before = template["sweep"]
    ancestors = [*before.get("continues", []), run.id]
    changes = sweep_changes(folder.store.read(), run.id)
    config = dict(with_changes(before["config"], [*changes, change]).definition)
    total = int(config["max_total_jobs"])
    left = total - there
    if left < 1:
        raise UserErrorException(
            f"max_total_runs: {total} leaves nothing to run: the sweep has {there} children already. Give a higher number.",
            "max_total_runs",
        )
    config["max_total_jobs"] = left
    config.pop("resume_child_runs", None)
    template["sweep"] = {**before, "config": config, "continues": ancestors}
    template["tags"] = dict(run.tags)
    template["properties"] = {**(template.get("properties") or {}), "aml.continues": run.id}
    return queue_again(folder, template, values_sent(folder, template), run_id=f"HD_{uuid.uuid4()}").run

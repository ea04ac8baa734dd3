"""Turn what a person wrote into a durable run in the queue.

The order is: check everything, snapshot, write ``run.json``, commit, wake the service. Whatever is wrong with the input is
said before anything is copied, and whatever was acknowledged is on disk.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aml_jupyter import environments
from aml_jupyter.config import RunConfiguration, ScriptRunConfig, refuse_unbuilt, source_folder
from aml_jupyter.errors import ComputeTargetException, ConfigurationError, UserErrorException
from aml_jupyter.service.elsewhere import is_elsewhere, there_of
from aml_jupyter.service.environments import autosave, requirement_folders, with_environment
from aml_jupyter.service.launch import is_spark, needs_of
from aml_jupyter.service.queueing import Submission, queue, queue_again, target_for_runs
from aml_jupyter.supervisor.runners.spark import find_spark_submit
from aml_jupyter.targets import Container, check_container, create_backend, engine_there, notes_on_room
from aml_jupyter.transports.docker_engine import find_engine
from aml_jupyter.workspace import (
    TargetRecord,
    WorkspaceFolder,
    check_experiment_name,
    check_run_id,
    find_target,
    git_properties,
    new_run_id,
    take_snapshot,
)
from aml_jupyter.workspace.removal import is_untracked
from aml_jupyter.workspace.snapshots.collect import content_in_use
from aml_jupyter.workspace.snapshots.store import store_errors

__all__ = ["LONGEST_NAME", "Submission", "SubmitRequest", "queue_again", "submit"]


LONGEST_NAME = 256
"""Characters that a display name may have."""

LEAST_MEMORY = 10**6
"""Bytes; a smaller limit is a slip: ``--memory 4`` for 4GB."""

LARGEST_NUMBER = 2**53
"""More than that, JSON does not carry unharmed everywhere."""


@dataclass(frozen=True)
class SubmitRequest:
    """Everything that a submit can say.

    `overlay` maps names to the content of files that join the snapshot; `inputs` is the pickled values of a cell
    (``values.pkl``), `cell` and `notebook` are stored in the definition as they are. `memory` is in bytes. `notes` is what the
    caller has to say already. `sweep` makes it a sweep (`sweeps.submit_sweep` fills it in).
    """

    config: ScriptRunConfig
    experiment: str
    kind: str = "script"
    parent: str | None = None
    display_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    overlay: Mapping[str, bytes] = field(default_factory=dict)
    inputs: bytes | None = None
    cell: Mapping[str, Any] | None = None
    notebook: Mapping[str, Any] | None = None
    priority: int = 0
    cores: int = 1
    memory: int = 0
    gpus: int = 0
    max_retries: int = 0
    grace_seconds: float = 10
    hidden: bool = False
    submitter: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    progress: Callable[[int, int], None] | None = None
    run_id: str | None = None
    sweep: Mapping[str, Any] | None = None


def submit(folder: WorkspaceFolder, request: SubmitRequest) -> Submission:
    """Check, snapshot and queue what `request` says; durable when it returns.

    Raises
    ------
    UserErrorException
        When something in the request is wrong; nothing was copied then.
    SnapshotException
        When the source directory cannot be snapshotted.
    WorkspaceException
        When the workspace cannot be written.
    """
    check_experiment_name(request.experiment)
    folder.store.check_host()
    request, said = _written_out(folder, request)
    config = request.config
    run_config = config.run_config
    target = _target(folder, run_config.target if run_config.target_is_set else None)
    submitter = dict(request.submitter) if request.submitter is not None else environments.submitter()
    refuse_unbuilt(run_config)
    container = _container(run_config, target, str(submitter.get("engine") or ""))
    there = there_of(target, request, submitter, container)
    if container is None and there is None:
        environments.check(run_config, submitter)
    _check_numbers(request)
    if request.run_id is not None:
        check_run_id(request.run_id)
    source = source_folder(config.source_directory).resolve()
    script = config.check(also=request.overlay)
    folders, engine = requirement_folders(source), None if container is None else container["engine"]
    recipe = built = None
    if there is None:
        recipe = environments.choose_recipe(run_config.environment, submitter, folders, engine)
    if recipe is not None:
        _refuse_unprepared(run_config, recipe)
    definition = _definition(folder, request, target, submitter, source, script)
    if there is not None:
        built = environments.choose_there(
            run_config.environment,
            there,
            target.name,
            [*folders, definition["submitter"]["cwd"]],
            definition["submitter"].get("variables") or {},
        )
        if built is not None:
            _keep_files(built)
        definition["there"] = there if built is None else {**there, "environment": built.as_dict()}
    if recipe is not None:
        definition["environment"] = recipe.as_dict()
    if container is not None:
        definition["container"] = container
    if not run_config.tracked_run or is_untracked(folder.store.read(), request.parent):
        definition["hidden"] = True
        definition["run_config"]["trackedRun"] = False
    if recipe is None and there is None:
        _check_spark(definition)
    needs = needs_of(definition)
    refusal = create_backend(folder, target).refusal(needs)
    if refusal:
        raise ComputeTargetException(f"The run can never start on {target.name!r}: {refusal}.", "target")
    if container is not None:
        image = run_config.environment.docker.base_image or ""
        wanted = Container(image, container["engine"], "", "", container["shm_size"], tuple(container["arguments"]))
        said = (*said, *check_container(wanted, needs, (target.settings.get("found") or {}).get("engine")))
    required = [script] if script and script not in request.overlay else []
    if recipe is not None:
        _keep_files(recipe)
    kept = autosave(folder, run_config.environment) if run_config.tracked_run else None
    if kept is not None:
        definition["run_config"]["environment"] |= {"name": kept.name, "version": kept.version}
    notes = (
        *request.notes,
        *run_config.notes,
        *said,
        *_not_remembered(definition),
        *environments.without_effect(run_config),
        *(notes_on_room(target, needs) if not is_elsewhere(target) else ()),
    )
    to_build = recipe or built
    if to_build is not None:
        notes = (*notes, *to_build.notes)
    with content_in_use(folder):
        snapshot = take_snapshot(
            folder, source, overlay=dict(request.overlay), progress=request.progress, required=required
        )
        definition["snapshot"] = snapshot.id
        return queue(folder, definition, snapshot, request.inputs, notes, request.run_id)


def _check_spark(definition: Mapping[str, Any]) -> None:
    """Refuse a PySpark script for a Python that has no Spark; one that is still to be built may get it."""
    if (definition.get("sweep") or definition)["kind"] != "script" or not is_spark(definition["run_config"]):
        return
    found = environments.resolve(definition)
    if find_spark_submit(found.interpreter, found.variables) is None:
        raise ConfigurationError(
            f"framework = PySpark: there is no spark-submit beside {found.interpreter}, in SPARK_HOME or on the PATH. Add "
            "pyspark to the packages of the run's environment (--pip pyspark; it needs Java, too), or use framework Python.",
            "framework",
        )


def _refuse_unprepared(run_config: RunConfiguration, recipe: environments.Recipe) -> None:
    """Refuse a run whose file of 2017 says that it may not build its environment, while that is not there."""
    line = run_config.prepare_line
    if line is not None and environments.EnvironmentCache().entry(recipe.key).built() is None:
        raise ConfigurationError(
            f"PrepareEnvironment is false, and the environment of the run ({recipe.title}) is not prepared on this machine. "
            f"Prepare it first: {line} (or say PrepareEnvironment: true, and the run builds it)",
            "prepare_environment",
        )


def _target(folder: WorkspaceFolder, name: str | None) -> TargetRecord:
    """Return the target of a run; the first run on ``docker`` makes it, where an engine answers."""
    if name is not None and name.lower() == "docker" and find_target(folder.store.read(), name) is None:
        from aml_jupyter.service.compute import create_target  # which needs this module

        create_target(folder, "docker", "docker")
    return target_for_runs(folder.store.read(), name)


def _container(run_config: RunConfiguration, target: TargetRecord, engine: str) -> dict[str, Any] | None:
    """Return the container that the run is to have, or None."""
    only = target.type in ("docker", "remotedocker")
    if not only and not environments.is_in_container(run_config):
        return None
    if is_elsewhere(target):
        return environments.choose_container(run_config, engine_there(target))
    chosen = str(target.settings.get("engine") or "") if only else engine
    return environments.choose_container(run_config, chosen or find_engine().host)


def _written_out(folder: WorkspaceFolder, request: SubmitRequest) -> tuple[SubmitRequest, tuple[str, ...]]:
    """Return the request with the content of an environment that it only names, and what is to be said about it."""
    run_config, notes = with_environment(folder, request.config.run_config)
    if run_config is request.config.run_config:
        return request, notes
    config = copy(request.config)
    config.run_config = run_config
    return replace(request, config=config), notes


def _keep_files(recipe: environments.Recipe) -> None:
    """Copy the local wheels that a recipe names, so that they are there when it is built."""
    cache = environments.EnvironmentCache()
    with store_errors(str(cache.root)):
        environments.keep_sources(cache, recipe)


def _not_remembered(definition: Mapping[str, Any]) -> list[str]:
    """Say that a run with ``TrackedRun: false`` leaves nothing behind."""
    if definition["run_config"].get("trackedRun", True):
        return []
    return ["TrackedRun is false: the run is in no list, and is removed with its files when it has ended"]


def _check_numbers(request: SubmitRequest) -> None:
    """Refuse counts that make no sense."""
    most = f" and at most {LARGEST_NUMBER:,}"
    for name, least in (("cores", 1), ("memory", 0), ("gpus", 0), ("max_retries", 0), ("grace_seconds", 0)):
        value = getattr(request, name)
        kinds = (int, float) if name == "grace_seconds" else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= LARGEST_NUMBER:
            what = {"memory": "a whole number of bytes", "grace_seconds": "a number"}.get(name, "a whole number")
            raise UserErrorException(f"{name} is {value!r}; {what} of at least {least}{most} was expected.", name)
    if 0 < request.memory < LEAST_MEMORY:
        raise UserErrorException(
            f"memory is {request.memory} bytes; at least 1 MB was expected. Write the unit: {request.memory}GB, "
            f"{request.memory}MB.",
            "memory",
        )
    display_name = request.display_name
    if display_name is not None and not isinstance(display_name, str):
        raise UserErrorException(f"display_name is {display_name!r:.60}; a text was expected.", "display_name")
    if display_name is not None and len(display_name) > LONGEST_NAME:
        raise UserErrorException(
            f"A display name has 1 to {LONGEST_NAME} characters; this one has {len(display_name)}.", "display_name"
        )
    check_priority(request.priority)


def check_priority(priority: int) -> None:
    """Refuse a priority that is no whole number, or that the database cannot hold.

    Raises
    ------
    UserErrorException
        Naming the field.
    """
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > LARGEST_NUMBER:
        raise UserErrorException(
            f"priority is {priority!r}; a whole number of at most {LARGEST_NUMBER:,} was expected.", "priority"
        )


def _definition(
    folder: WorkspaceFolder,
    request: SubmitRequest,
    target: TargetRecord,
    submitter: Mapping[str, Any],
    source: Path,
    script: str | None,
) -> dict[str, Any]:
    """Return the content of ``run.json``."""
    config, run_config = request.config, request.config.run_config
    run_id = request.run_id or new_run_id(request.experiment)
    sweep = {"sweep": dict(request.sweep)} if request.sweep is not None else {}
    sweep_kind = request.sweep["kind"] if request.sweep is not None else None
    return {
        **sweep,
        "format": 1,
        "id": run_id,
        "experiment": request.experiment,
        "parent": request.parent,
        "number": None,
        "display_name": request.display_name or f"run_{run_id}",
        "kind": request.kind,
        "target": target.name,
        "source_directory": str(source),
        "snapshot": None,
        "script": script,
        "command": config.command if "command" in (request.kind, sweep_kind) else None,
        "arguments": _arguments(config.arguments),
        "parameters": dict(request.parameters),
        "run_config": run_config.to_dict(),
        "environment_variables": run_config.declared_variables(),
        "submitter": {
            **submitter,
            "host": socket.gethostname(),
            "user": _user(),
            "cwd": submitter.get("cwd") or os.getcwd(),
        },
        "cell": dict(request.cell) if request.cell is not None else None,
        "notebook": dict(request.notebook) if request.notebook is not None else None,
        "max_run_duration_seconds": run_config.max_run_duration_seconds or None,
        "grace_seconds": request.grace_seconds,
        "max_retries": request.max_retries,
        "priority": request.priority or run_config.priority or 0,
        "cores": request.cores,
        "memory": request.memory,
        "gpus": request.gpus,
        "tags": {str(key): str(value) for key, value in request.tags.items()},
        "properties": {
            **git_properties(source),
            **{str(key): str(value) for key, value in request.properties.items()},
            "azureml.runsource": "azureml.scriptrun" if sweep_kind is None else request.kind,
        },
        "created": time.time(),
        "hidden": request.hidden,
    }


def _arguments(arguments: Sequence[Any] | None) -> list[str]:
    return [str(argument) for argument in arguments or []]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())

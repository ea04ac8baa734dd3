"""Answer what running scripts ask: each request once, with a value or with an error that says what to do.

The files and operations are those of `supervisor/protocol.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aml_jupyter import environments
from aml_jupyter.config import Environment, RunConfiguration, ScriptRunConfig
from aml_jupyter.errors import AmlError, UserErrorException
from aml_jupyter.service.actions import cancel_run, tag_run
from aml_jupyter.service.active import ActiveRun
from aml_jupyter.service.asked import environments_for, log_files, secrets_for
from aml_jupyter.service.ingestion import ingest_all
from aml_jupyter.service.models import answer_model, index_running
from aml_jupyter.service.submission import SubmitRequest, submit
from aml_jupyter.supervisor import durable, protocol
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    artifact_path,
    find_run,
    find_runs,
    get_metrics,
    get_run,
    list_artifacts,
)
from aml_jupyter.workspace.states import FINAL

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["answer", "as_run"]

log = logging.getLogger("aml_jupyter.service")

_LATER = object()


def answer(service: Reconciler) -> None:
    """Hand every unanswered request of every running attempt to the pool."""
    for active in service.active.values():
        if active.seen is None or not active.seen.requests:
            active.answered.clear()
            continue
        active.answered &= set(active.seen.requests)
        _drop_done(active)
        for name in active.seen.requests:
            if name not in active.answered and name not in active.busy:
                active.busy[name] = service.answers.submit(
                    _answer_one, service.folder, active, name, service.lease.epoch
                )


def _drop_done(active: ActiveRun) -> None:
    """Forget the requests that were worked on; those without an answer are taken up again."""
    for name, future in list(active.busy.items()):
        if future.done():
            del active.busy[name]
            if future.exception() is not None:
                log.error("run %s: request %s is not answered yet: %s", active.run.id, name, future.exception())


def _answer_one(folder: WorkspaceFolder, active: ActiveRun, name: str, epoch: int) -> None:
    control = folder.layout.run(active.run.id).attempt(active.handle.attempt).control
    reply = control / protocol.REPLIES / name
    if reply.exists():
        active.backend.deliver(active.handle, f"{protocol.REPLIES}/{name}")
        active.answered.add(name)
        return
    try:
        request = protocol.read_json(str(control / protocol.REQUESTS / name))
        if request is None:
            return
        active.backend.gather(active.handle, request)
        value = _perform(folder, active, request, epoch)
        if value is _LATER:
            return
        content = {"ok": True, "value": value}
    except AmlError as error:
        content = {"ok": False, "error": {"type": type(error).__name__, "message": error.message}}
    except (OSError, TypeError, ValueError) as error:
        message = f"The request {name} cannot be answered: {error}."
        content = {"ok": False, "error": {"type": "UserErrorException", "message": message}}
    except Exception as error:
        log.exception("run %s: request %s failed", active.run.id, name)
        content = {"ok": False, "error": {"type": "AmlError", "message": f"{type(error).__name__}: {error}"}}
    reply.parent.mkdir(exist_ok=True)
    durable.write_json(str(reply), content, point="service.reply", mode=0o600)
    active.backend.deliver(active.handle, f"{protocol.REPLIES}/{name}")
    active.answered.add(name)
    if not (control / protocol.REQUESTS / name).exists():  # who asked is gone, or has read it already
        with fault_point("service.discard_answer"):
            reply.unlink(missing_ok=True)


def _perform(folder: WorkspaceFolder, active: ActiveRun, request: dict[str, Any], epoch: int) -> Any:
    """Do what a request asks and return its value."""
    operation, arguments = str(request.get("op")), request.get("args") or {}
    if not isinstance(arguments, dict):
        raise UserErrorException(
            f"args of the request {operation!r} are {arguments!r}; an object was expected.", "args"
        )
    if arguments.get("after"):
        ingest_all(folder, active, epoch)
    db = folder.store.read()
    subject = str(arguments.get("id") or active.run.id)
    if operation == "get_workspace":
        return {
            "id": folder.id,
            "name": folder.name,
            "location": folder.location,
            "resource_group": folder.resource_group,
            "subscription_id": folder.subscription_id,
        }
    if operation == "submit_child":
        return as_run(_submit_child(folder, active, arguments))
    if operation == "get_run":
        run = get_run(db, subject)
        logs = {name: _lent(active, path) for name, path in log_files(folder, run).items()}
        return {**as_run(run), "log_files": logs}
    if operation.endswith(("_model", "_models")):
        control = folder.layout.run(active.run.id).attempt(active.handle.attempt).control
        answer = answer_model(folder, control, operation, {**arguments, "id": subject})
        if operation == "get_model" and arguments.get("lend"):
            return {**answer, "path": _lent(active, answer["path"])}
        return answer
    if operation == "get_secrets":
        return secrets_for(folder, arguments)
    if operation in ("get_environment", "list_environments"):
        return environments_for(folder, arguments, every=operation == "list_environments")
    if operation == "wait":
        run = get_run(db, subject)
        waited = time.time() - float(request.get("time") or 0)
        return as_run(run) if run.status in FINAL or waited >= float(arguments.get("seconds") or 0) else _LATER
    if operation == "cancel":
        return as_run(cancel_run(folder, subject, f"canceled by run {active.run.id}"))
    if operation == "set_tags":
        return as_run(tag_run(folder, subject, _tags(arguments.get("tags"))))
    if operation == "get_metrics":
        return get_metrics(db, subject, arguments.get("name"), recursive=bool(arguments.get("recursive")))
    if operation == "get_children":
        return [as_run(run) for run in _children(folder, subject, arguments)]
    if operation in ("list_files", "fetch_file"):
        index_running(folder, subject)
        db = folder.store.read()
    if operation == "list_files":
        return [artifact.name for artifact in list_artifacts(db, subject)]
    if operation == "fetch_file":
        return {"path": _lent(active, str(artifact_path(folder, subject, str(arguments.get("name")))))}
    raise UserErrorException(f"The service does not know the request {operation!r}.")


def _lent(active: ActiveRun, path: str) -> str:
    """Return where the asking attempt finds a file or folder of the workspace."""
    return active.backend.lend(active.handle, path)


def _tags(given: Any) -> dict[str, str | None]:
    """Return the tags of a request.

    Raises
    ------
    UserErrorException
        When they are not texts by their names; None, which removes one, counts as text.
    """
    if not isinstance(given, dict) or not all(value is None or isinstance(value, str) for value in given.values()):
        raise UserErrorException(f"tags are {given!r}; texts (or None) by their names were expected.", "tags")
    return given


def _submit_child(folder: WorkspaceFolder, active: ActiveRun, arguments: dict[str, Any]) -> RunRecord:
    """Queue a child of the asking run; the id comes from the client, so that a repeated request finds the first one's run."""
    wanted = str(arguments.get("id") or "")
    db = folder.store.read()
    known = find_run(db, wanted) if wanted else None
    if known is not None:
        return known
    work = folder.layout.run(active.run.id).attempt(active.handle.attempt).work
    config = _child_config(dict(arguments.get("config") or {}), work, active.run.definition)
    said = arguments.get("submitter")
    if active.backend.is_remote:  # its Python is there, not here
        said = {"cwd": str(work)}
        if not config.run_config.target_is_set:
            config.run_config.target = active.run.target
    request = SubmitRequest(
        config=config,
        experiment=active.run.experiment,
        kind="command" if config.command else "script",
        parent=_parent_of_child(folder, active.run.id, arguments.get("parent")),
        display_name=arguments.get("display_name"),
        tags=arguments.get("tags") or {},
        submitter={
            **_submitter_of_child(active.run.definition["submitter"], said, work),
            "engine": (active.run.definition.get("container") or {}).get("engine"),
        },
        run_id=wanted or None,
    )
    return submit(folder, request).run


def _child_config(given: dict[str, Any], work: Path, parent: Mapping[str, Any]) -> ScriptRunConfig:
    """Return what a script wants to run; a relative source directory lies in its working directory.

    A child of a script in a container has that one's environment unless it names another, as others have the script's
    Python.
    """
    config = ScriptRunConfig(
        source_directory=str(work / str(given.get("source_directory") or ".")),
        script=given.get("script"),
        arguments=given.get("arguments"),
        run_config=RunConfiguration.from_dict(given["run_config"]) if given.get("run_config") else None,
        command=given.get("command"),
    )
    if parent.get("container") and not given.get("run_config"):
        config.run_config.environment = Environment.from_dict(parent["run_config"]["environment"])
        config.run_config.environment.docker.enabled = True
        config.run_config.docker.arguments = list(parent["container"].get("arguments") or [])
    for name in ("target", "environment", "environment_variables", "max_run_duration_seconds"):
        if given.get(name):
            setattr(config.run_config, name, given[name])
    return config


def _parent_of_child(folder: WorkspaceFolder, asking: str, wanted: Any) -> str:
    """Return the run that the child is to be below: the one that asks, or one that lives inside its process."""
    above = find_run(folder.store.read(), str(wanted)) if wanted else None
    while above is not None and above.id != asking:
        above = find_run(folder.store.read(), above.parent) if above.parent else None
    return asking if above is None else str(wanted)


def _submitter_of_child(parents: Mapping[str, Any], asking: Any, work: Path) -> dict[str, Any]:
    """Return the submitter of a child: the Python that the asking script runs on, with its parent's variables."""
    said = asking if isinstance(asking, Mapping) else {}
    python = str(said.get("python") or parents["python"])
    return {
        "python": python,
        "version": str(said.get("version") or parents.get("version") or ""),
        "variables": environments.around(python, parents.get("variables") or {}, own=python == parents["python"]),
        "cwd": str(said.get("cwd") or work),
    }


def _children(folder: WorkspaceFolder, parent: str, arguments: dict[str, Any]) -> list[RunRecord]:
    """Return the children of `parent`, newest first, also those of its children when asked."""
    db = folder.store.read()
    found = find_runs(db, parent=parent, include_hidden=True, children=True)
    if arguments.get("recursive"):
        for child in list(found):
            found += _children(folder, child.id, {"recursive": True})
    tags, properties = arguments.get("tags"), arguments.get("properties")
    return [
        run
        for run in found
        if arguments.get("status") in (None, run.status)
        and arguments.get("type") in (None, run.properties.get("azureml.runsource"))
        and _has(run.tags, tags)
        and _has(run.properties, properties)
    ]


def _has(values: dict[str, str], wanted: Any) -> bool:
    """Tell whether `values` has the keys, or the keys and values, of `wanted` (None: anything)."""
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return wanted in values
    return all(key in values and value in (None, values[key]) for key, value in dict(wanted).items())


def as_run(run: RunRecord) -> dict[str, Any]:
    """Return a run as the in-run client gets it."""
    return {
        "id": run.id,
        "parent": run.parent,
        "experiment": run.experiment,
        "number": run.number,
        "display_name": run.display_name,
        "type": run.properties.get("azureml.runsource", "azureml.scriptrun"),
        "status": run.status,
        "target": run.target,
        "attempt": run.attempt,
        "exit_code": run.exit_code,
        "tags": run.tags,
        "properties": run.properties,
        "created": run.created,
        "start_time": run.started,
        "end_time": run.ended,
        "error": (run.error or {}).get("message"),
        "log_tail": (run.error or {}).get("log_tail"),
        "log_path": (run.error or {}).get("log_path"),
        "definition": run.definition,
    }

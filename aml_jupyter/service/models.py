"""Register what runs made, and answer what they ask of the model registry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aml_jupyter.errors import ModelException, UserErrorException
from aml_jupyter.service.fetching import fetch_there
from aml_jupyter.workspace import (
    ModelRecord,
    WorkspaceFolder,
    artifact_path,
    delete_model,
    files_of_path,
    get_model,
    get_run,
    index_files,
    list_artifacts,
    list_models,
    model_folder,
    register_model,
    update_model,
)
from aml_jupyter.workspace.outcome import watched_folders
from aml_jupyter.workspace.states import FINAL

__all__ = ["answer_model", "index_running", "register_run_model"]

_LISTED = 20


def register_run_model(
    folder: WorkspaceFolder, run_id: str, name: str, path: str | None = None, **fields: Any
) -> ModelRecord:
    """Register a file, or all files below a folder, of a run.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    run_id : str
        The run; while it runs, files still in its ``./outputs`` count as well.
    name : str
        The model's name.
    path : str, optional
        A file's name, or what the names of several begin with, such as ``outputs/model``; `name` when it is left out.
    **fields
        As for `register_model`.

    Raises
    ------
    ModelException
        When the run has no such file; lists those it has.
    """
    files, root = _files_of_run(folder, run_id, path or name)
    experiment = get_run(folder.store.read(), run_id).experiment
    return register_model(folder, name, files, root, run=run_id, experiment=experiment, **fields)


def index_running(folder: WorkspaceFolder, run_id: str) -> None:
    """Bring the list of files of a run that has not ended up to now: what MLflow and the script itself have written."""
    run = get_run(folder.store.read(), run_id)
    if run.status not in FINAL and run.attempt and not run.in_process:
        index_files(folder, run_id, run.attempt, watch=watched_folders(run.definition), open_only=True)


def _files_of_run(folder: WorkspaceFolder, run_id: str, path: str) -> tuple[dict[str, Path], str]:
    index_running(folder, run_id)
    wanted = "/".join(part for part in path.replace("\\", "/").split("/") if part not in ("", "."))
    root = wanted.rpartition("/")[2]
    names = [artifact.name for artifact in list_artifacts(folder.store.read(), run_id)]
    if wanted in names:
        found = {root: wanted}
    else:
        found = {root + name[len(wanted) :]: name for name in names if wanted and name.startswith(wanted + "/")}
    if not found:
        listed = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
        raise ModelException(
            f"ModelPathNotFound: run {run_id} has no file or folder {path!r}. Its files: {listed or 'none'}.",
            "model_path",
        )
    fetch_there(folder, run_id, set(found.values()))
    return {inside: artifact_path(folder, run_id, name) for inside, name in found.items()}, root


def answer_model(folder: WorkspaceFolder, control: Path, operation: str, arguments: Mapping[str, Any]) -> Any:
    """Return the answer to one of the registry's requests (see ``supervisor/protocol.py``).

    Raises
    ------
    UserErrorException
        When it cannot be done; says why.
    """
    db = folder.store.read()
    name = str(arguments.get("name") or "")
    if operation == "register_model":
        return _as_model(folder, _register(folder, control, name, arguments))
    if operation == "list_models":
        wanted = ("tags", "properties", "run", "framework", "latest")
        given = {key: arguments[key] for key in wanted if arguments.get(key)}
        return [
            _as_model(folder, record) for record in list_models(db, name or None, arguments.get("version"), **given)
        ]
    record = get_model(db, name, arguments.get("version"))
    if operation == "update_model":
        changes = {
            key: arguments[key] for key in ("tags", "replace_tags", "properties", "description") if key in arguments
        }
        record = update_model(folder, name, record.version, **changes)
    elif operation == "delete_model":
        delete_model(folder, name, record.version)
    return _as_model(folder, record)


def _register(folder: WorkspaceFolder, control: Path, name: str, arguments: Mapping[str, Any]) -> ModelRecord:
    keys = ("tags", "properties", "description", "framework", "framework_version")
    fields = {key: arguments[key] for key in keys if arguments.get(key)}
    if not arguments.get("staged"):
        return register_run_model(folder, str(arguments["id"]), name, arguments.get("path"), **fields)
    if arguments.get("of_run"):
        run = get_run(folder.store.read(), str(arguments["id"]))
        fields |= {"run": run.id, "experiment": run.experiment}
    staged = Path(os.path.realpath(control / str(arguments["staged"])))
    if not staged.is_relative_to(os.path.realpath(control)):
        raise UserErrorException(f"staged: {arguments['staged']!r} leads out of the run's folder.", "staged")
    files, root = files_of_path(staged)
    if any(not Path(os.path.realpath(path)).is_relative_to(staged) for path in files.values()):
        raise UserErrorException("staged: a link in it leads out of the run's folder.", "staged")
    return register_model(folder, name, files, root, **fields)


def _as_model(folder: WorkspaceFolder, record: ModelRecord) -> dict[str, Any]:
    """Return a model as the in-run client gets it."""
    place = model_folder(folder.layout, record.name, record.version) / record.root
    return {**vars(record), "id": record.id, "path": str(place)}

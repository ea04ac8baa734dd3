"""Answer what a run asks for beyond its own history: where logs lie, the workspace's secrets and environments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from aml_jupyter.errors import UserErrorException
from aml_jupyter.service.environments import environment_names, find_registered
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    artifact_path,
    check_secret_name,
    get_run,
    get_secret,
    list_artifacts,
    read_definition,
)

__all__ = ["discard_answers", "environments_for", "log_files", "secrets_for"]

_LOGS = ("logs/", "user_logs/")
_NAMES_LIMIT = 100


def log_files(folder: WorkspaceFolder, run: RunRecord) -> dict[str, str]:
    """Return the run's logs, name to absolute path: what its process printed, and what it wrote to ``./logs``."""
    found: dict[str, str] = {}
    if run.attempt and not run.in_process:
        printed = folder.layout.run(run.id).attempt(run.attempt).control / protocol.LOG
        if printed.is_file():
            found["user_logs/std_log.txt"] = str(printed)
    for artifact in list_artifacts(folder.store.read(), run.id):
        if artifact.name.startswith(_LOGS) and artifact.name not in found:
            try:
                found[artifact.name] = str(artifact_path(folder, run.id, artifact.name))
            except UserErrorException:
                continue  # it was listed, and has gone since
    return found


def secrets_for(folder: WorkspaceFolder, arguments: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the secrets that a run asks for by name; None for one that there is not.

    Raises
    ------
    UserErrorException
        When the names are no list of names that a person's secret can have.
    """
    names = arguments.get("names")
    if not isinstance(names, list) or len(names) > _NAMES_LIMIT:
        raise UserErrorException(f"names: a list of at most {_NAMES_LIMIT} secret names was expected.", "names")
    return {check_secret_name(name): get_secret(folder, name) for name in names}


def environments_for(folder: WorkspaceFolder, arguments: Mapping[str, Any], every: bool = False) -> Any:
    """Return the environment of a run, one that the workspace keeps, or the newest version of every one, as plain data.

    Raises
    ------
    UserErrorException
        When there is no such run or environment, or the run was not submitted.
    """
    if every:
        return [find_registered(folder, name)[0].to_dict() for name in environment_names(folder)]
    wanted = arguments.get("run")
    if wanted is None:
        name, version, label = (arguments.get(field) for field in ("name", "version", "label"))
        return find_registered(folder, str(name), version, label)[0].to_dict()
    run = get_run(folder.store.read(), str(wanted))
    if run.in_process:
        raise UserErrorException(f"Run {run.id} was not submitted; it has the Python of its own process.", "run")
    return read_definition(folder.layout, run.id)["run_config"]["environment"]


def discard_answers(folder: WorkspaceFolder, run_id: str, attempt: int) -> None:
    """Remove the answers that a process of an ended attempt was killed before it could take: they may hold secrets."""
    replies = folder.layout.run(run_id).attempt(attempt).control / protocol.REPLIES
    try:
        left = os.listdir(replies)
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in map(replies.joinpath, left):
        if path.is_file() or path.is_symlink():
            with fault_point("service.discard_answer"):
                path.unlink(missing_ok=True)

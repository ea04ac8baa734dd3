"""List and fetch the files of a run: artifacts, logs and the snapshot."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aml_jupyter.errors import UserErrorException, nearest
from aml_jupyter.sdk.copies import copy_all
from aml_jupyter.service.fetching import fetch_there
from aml_jupyter.supervisor import protocol
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, artifact_path, get_run, list_artifacts, materialise
from aml_jupyter.workspace.states import FINAL

__all__ = [
    "download_file",
    "download_files",
    "download_logs",
    "download_snapshot",
    "file_names",
    "log_files",
    "populated",
    "restore_snapshot",
]

log = logging.getLogger("aml_jupyter")

USER_LOG = protocol.LOG.replace(os.sep, "/")
SUPERVISOR_LOG = "system_logs/" + protocol.SUPERVISOR_LOG


def log_files(folder: WorkspaceFolder, run_id: str) -> dict[str, Path]:
    """Return the run's logs, name to path: what the process printed, what it wrote to ``./logs``, and the supervisor's."""
    record = get_run(folder.store.read(), run_id)
    found: dict[str, Path] = {}
    if record.attempt:
        control = folder.layout.run(run_id).attempt(record.attempt).control
        found = {USER_LOG: control / protocol.LOG, SUPERVISOR_LOG: control / protocol.SUPERVISOR_LOG}
    for artifact in list_artifacts(folder.store.read(), run_id):
        if artifact.name.startswith("logs/"):
            with contextlib.suppress(UserErrorException):  # its script removed it since it was listed
                found[artifact.name] = artifact_path(folder, run_id, artifact.name)
    return {name: path for name, path in found.items() if path.is_file()}


def file_names(folder: WorkspaceFolder, run_id: str) -> list[str]:
    """Return the names of all files of the run, sorted."""
    artifacts = {artifact.name for artifact in list_artifacts(folder.store.read(), run_id)}
    return sorted(artifacts | log_files(folder, run_id).keys())


def download_file(
    folder: WorkspaceFolder, run_id: str, name: str, output: str | os.PathLike[str] | None = None
) -> None:
    """Copy the file called `name` to `output`, a file or a folder; by default into the current folder.

    Raises
    ------
    UserErrorException
        When the run has no file of that name.
    """
    target = Path(output) if output is not None else Path.cwd()
    if target.is_dir() or str(output or "").endswith(("/", os.sep)):
        target = target / Path(name).name
    if copy_all([(_path_of(folder, run_id, name), target)], f"download of {name}"):
        raise UserErrorException(f"The file {name!r} of run {run_id} is not there any more.", "name")


def download_files(
    folder: WorkspaceFolder,
    run_id: str,
    prefix: str | None,
    output_directory: str | os.PathLike[str] | None,
    output_paths: Sequence[str] | None,
    append_prefix: bool,
) -> None:
    """Copy every file whose name begins with the folder `prefix` below `output_directory`.

    What the script of a run that goes on has removed since it was listed is left out, and a warning names it.

    Raises
    ------
    UserErrorException
        When there is none, or `output_paths` has not one path for each; for a run that is over, when one is not there any more.
    """
    known = file_names(folder, run_id)
    start = (prefix or "").strip("/")
    names = [name for name in known if not start or name == start or name.startswith(start + "/")]
    if not names:
        raise UserErrorException(
            f"Run {run_id} has no file that begins with {prefix!r}; {nearest(start, known) or 'it has none at all'}.",
            "prefix",
        )
    if output_paths is not None and len(output_paths) != len(names):
        raise UserErrorException(
            f"output_paths has {len(output_paths)} paths for {len(names)} files: {', '.join(names[:10])}.",
            "output_paths",
        )
    root = Path(output_directory or ".")
    fetch_there(folder, run_id, names)
    logs, is_over = log_files(folder, run_id), get_run(folder.store.read(), run_id).status in FINAL
    files, gone = {}, []
    for index, name in enumerate(names):
        inside = name if append_prefix or not start else name[len(start) :].lstrip("/") or Path(name).name
        place = root / (output_paths[index] if output_paths is not None else inside)
        try:
            files[logs.get(name) or artifact_path(folder, run_id, name)] = (name, place)
        except UserErrorException:
            if is_over:
                raise
            gone.append(name)
    missing = copy_all([(path, place) for path, (_, place) in files.items()], f"download of {run_id}")
    gone += [files[path][0] for path in missing]
    if gone:
        told = f"These files of run {run_id} are not there any more: {', '.join(gone[:10])}"
        if is_over:
            raise UserErrorException(told, "prefix")
        log.warning("%s", told)


def download_logs(folder: WorkspaceFolder, run_id: str, destination: str | os.PathLike[str] | None) -> list[str]:
    """Copy the run's logs below `destination` and return where they went."""
    root = Path(destination) if destination is not None else Path("assets") / run_id
    files = [(path, root / name) for name, path in log_files(folder, run_id).items()]
    gone = copy_all(files, f"download of the logs of {run_id}")
    return [str(place) for path, place in files if path not in gone]


def populated(folder: WorkspaceFolder, run_id: str, metrics: dict[str, Any], recursive: bool) -> dict[str, Any]:
    """Return `metrics` with the body of each typed chart in place of its file's address."""
    if recursive:
        return {each: populated(folder, each, found, False) for each, found in metrics.items()}
    addresses = f"aml://artifactId/ExperimentRun/dcid.{run_id}/"

    def body(value: Any) -> Any:
        if isinstance(value, list):
            return [body(item) for item in value]
        if not isinstance(value, str) or not value.startswith(addresses):
            return value
        try:
            return json.loads(artifact_path(folder, run_id, value.removeprefix(addresses)).read_bytes())
        except (UserErrorException, OSError, ValueError):  # an image, or a file that has gone
            return value

    return {name: body(value) for name, value in metrics.items()}


def download_snapshot(folder: WorkspaceFolder, record: RunRecord, destination: str | os.PathLike[str]) -> str:
    """Write the files of the run's snapshot into the folder `destination`, and return its path.

    Raises
    ------
    UserErrorException
        When the run has no snapshot, or the folder has something in it.
    """
    target = Path(destination)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserErrorException(
            f"{target} is there already and is not an empty folder; nothing was written.", "destination"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    materialise(folder, _snapshot(record), target)
    return str(target)


def restore_snapshot(
    folder: WorkspaceFolder, record: RunRecord, snapshot_id: str | None, path: str | os.PathLike[str] | None
) -> str:
    """Write the snapshot as ``<its id>.zip`` into the folder `path` (the current one) and return the file's path."""
    wanted = snapshot_id or _snapshot(record)
    target = Path(path or ".")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        materialise(folder, wanted, Path(scratch) / "tree")
        return shutil.make_archive(str(target / wanted), "zip", Path(scratch) / "tree")


def _snapshot(record: RunRecord) -> str:
    if record.snapshot is None:
        raise UserErrorException(f"Run {record.id} has no snapshot: it was started with start_logging.", "snapshot")
    return record.snapshot


def _path_of(folder: WorkspaceFolder, run_id: str, name: str) -> Path:
    logs = log_files(folder, run_id)
    if name in logs:
        return logs[name]
    known = file_names(folder, run_id)
    if name not in known:
        raise UserErrorException(
            f"Run {run_id} has no file {name!r}; {nearest(name, known) or 'it has none at all'}.", "name"
        )
    fetch_there(folder, run_id, [name])
    return artifact_path(folder, run_id, name)

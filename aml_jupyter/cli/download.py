"""Own `aml run download`: fetch a run's outputs and logs."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aml_jupyter.cli.common import emit_json, open_workspace, select_run, wants_json
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, accept_experiment, add_verb
from aml_jupyter.errors import ComputeTargetException, UserErrorException, nearest

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.workspace import ArtifactRecord

__all__ = ["add_verb_to"]

LOGS: Final = ("user_logs/", "logs/", "azureml-logs/", "system_logs/")
"""Folders whose files are logs."""


def add_verb_to(verbs: Nouns) -> None:
    """Add `aml run download`."""
    everything = add_verb(
        verbs,
        "download",
        _download,
        "Copy a run's outputs and logs into a folder.",
        "aml run download last\naml run download last outputs/model.pkl -d models",
    )
    _add_options(everything)
    logs = add_verb(
        verbs,
        "download-logs",
        _download,
        "Copy a run's logs into a folder, as SDK v1's command line did.",
        "aml run download-logs -r last -d logs-of-last",
    )
    logs.set_defaults(only=LOGS)
    _add_options(logs)


def _add_options(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "-d",
        "--dir",
        "--output-dir",
        metavar="FOLDER",
        help="where to; else a folder called like the run, in the current one",
    )
    add("run", nargs="?", metavar="RUN", help="id, unique beginning of one, name, or last")
    add("names", nargs="*", metavar="NAME", help="files, or beginnings of names such as outputs/; all when left out")
    add("-r", "--run", dest="run_option", metavar="RUN", help="the run, as an option")
    accept_experiment(parser)


def _download(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.cli.run import named_run
    from aml_jupyter.sdk.copies import copy_file
    from aml_jupyter.service.fetching import fetch_there
    from aml_jupyter.views import log_path
    from aml_jupyter.workspace import artifact_path, list_artifacts

    folder = open_workspace(arguments)
    run = select_run(folder, named_run(arguments), arguments)
    names = list(arguments.names)
    if arguments.run_option is not None and arguments.run is not None:
        names, arguments.run = [arguments.run, *names], None
        run = select_run(folder, arguments.run_option, arguments)
    everything = list_artifacts(folder.store.read(), run.id)
    only = getattr(arguments, "only", None)
    if only is not None:
        everything = [entry for entry in everything if entry.name.startswith(only)]
    wanted = _chosen(everything, names, run.id)
    destination = Path(arguments.dir or run.id).expanduser().absolute()
    failed: list[str] = []
    sources = []
    try:
        fetch_there(folder, run.id, [artifact.name for artifact in wanted])
    except ComputeTargetException as error:  # what is here is fetched nevertheless
        failed.append(error.message)
    for artifact in wanted:
        try:
            sources.append((artifact.name, artifact_path(folder, run.id, artifact.name)))
        except UserErrorException as error:  # gone since it was listed
            failed.append(error.message)
    log = log_path(folder, run)
    if not names and log is not None and log.is_file() and "user_logs/std_log.txt" not in {name for name, _ in sources}:
        sources.append(("user_logs/std_log.txt", log))
    copied: list[dict[str, object]] = []
    total = sum(artifact.size for artifact in wanted)
    done = 0
    with door.progress(f"download of {run.id}", "bytes") as progress:

        def moved(size: int) -> None:
            nonlocal done
            done += size
            if progress is not None:
                progress(done, total)

        for name, path in sources:
            place = (destination / name).resolve()
            if not place.is_relative_to(destination.resolve()):
                raise UserErrorException(f"the file name {name!r} leaves the folder {destination}", "names")
            try:
                copy_file(path, place, moved)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS) or not os.access(destination, os.W_OK):
                    raise UserErrorException(
                        f"nothing can be written to {destination}: {error.strerror}", "dir"
                    ) from error
                failed.append(f"{name} of run {run.id} could not be fetched: {error.strerror}")
                continue
            copied.append({"name": name, "path": str(place), "size": place.stat().st_size})
    for message in failed:
        door.remark(f"aml: {message}")
    if wants_json(arguments):
        emit_json(door, {"id": run.id, "directory": str(destination), "files": copied})
        return 1 if failed else 0
    for entry in copied:
        door.write(f"{entry['path']}\n")
    if not copied and not failed:
        door.remark(f"run {run.id} is {run.status} and has no files yet")
    return 1 if failed else 0


def _chosen(artifacts: list[ArtifactRecord], names: list[str], run: str) -> list[ArtifactRecord]:
    """Return the artifacts that `names` mean: exact names, or folders; all when there are none."""
    if not names:
        return artifacts
    chosen: dict[str, ArtifactRecord] = {}
    for name in names:
        found = [entry for entry in artifacts if entry.name == name or entry.name.startswith(name.rstrip("/") + "/")]
        if not found:
            known = nearest(name, [entry.name for entry in artifacts])
            raise UserErrorException(f"run {run} has no file {name!r}; {known or 'it has no files'}", "names")
        chosen.update((entry.name, entry) for entry in found)
    return list(chosen.values())

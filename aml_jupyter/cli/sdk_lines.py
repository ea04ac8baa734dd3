"""Own the submit lines of other times: `aml run submit-script|submit-hyperdrive` (SDK v1), `aml experiment submit` (2017).

They read like the originals and do what `aml submit` does; like the originals they show the log until the end unless told
not to.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from aml_jupyter.cli.common import current_folder, emit_json, open_workspace, wants_json
from aml_jupyter.cli.old_targets import refuse_old_target
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, add_verb
from aml_jupyter.cli.submit import add_line, load_configuration, submit_and_tell, submit_line, tell
from aml_jupyter.cli.sweep_options import add_sweep_options

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.config import RunConfiguration
    from aml_jupyter.service import Submission
    from aml_jupyter.workspace import TargetRecord, WorkspaceFolder

__all__ = ["add_experiment_prepare", "add_experiment_submit", "add_submit_hyperdrive", "add_submit_script"]


def add_submit_script(verbs: Nouns) -> None:
    """Add `aml run submit-script`."""
    parser = add_verb(
        verbs,
        "submit-script",
        _submit_script,
        "Submit a script as SDK v1's command line did; shows the log until the end unless --async is said.",
        "aml run submit-script -e digits -c docker train.py --lr 0.1",
    )
    _add_sdk_options(parser)
    add_line(parser)


def _add_sdk_options(parser: Parser) -> None:
    """Add what `submit-script` and `submit-hyperdrive` had in common."""
    add = parser.add_argument
    add(
        "-e",
        "--experiment-name",
        dest="experiment",
        metavar="NAME",
        help="experiment; else the source directory's name",
    )
    add("-c", "--run-configuration-name", dest="run_configuration", metavar="NAME", help="run configuration")
    add("--ct", "--target", dest="target", metavar="NAME", help="compute target; wins over the run configuration's")
    add(
        "--source-directory",
        "--path",
        dest="source_directory",
        metavar="FOLDER",
        help="folder to snapshot; else the current one",
    )
    add("--async", dest="wait", action="store_false", help="return as soon as the run is queued")
    add("-t", "--output-metadata-file", dest="metadata_file", metavar="FILE", help="write the run as JSON to this file")


def add_submit_hyperdrive(verbs: Nouns) -> None:
    """Add `aml run submit-hyperdrive`."""
    parser = add_verb(
        verbs,
        "submit-hyperdrive",
        _submit_hyperdrive,
        "Start a sweep as SDK v1's command line did; shows how it goes until the end unless --async is said.",
        "aml run submit-hyperdrive -e digits -c local --hyperdrive-configuration-name hdconfig.yml train.py",
    )
    add_sweep_options(parser, "--hyperdrive-configuration-name")
    _add_sdk_options(parser)
    add_line(parser)


def add_experiment_submit(verbs: Nouns) -> None:
    """Add `aml experiment submit`."""
    parser = add_verb(
        verbs,
        "submit",
        submit_and_tell,
        "Submit a script as the command line of 2017 did; shows the log until the end unless --async is said.",
        "aml experiment submit -c local myscript.py",
    )
    add = parser.add_argument
    add("-c", "--run-configuration", metavar="NAME", help="run configuration; local is always there")
    add("-t", "--target", metavar="NAME", help="compute target; wins over the run configuration's")
    add("-e", "--experiment", metavar="NAME", help="experiment; else the project folder's name")
    add("-p", "--project", dest="source_directory", metavar="FOLDER", help="folder to snapshot; else the current one")
    add("-a", "--async", dest="wait", action="store_false", help="return as soon as the run is queued")
    add("--wait", dest="wait", action="store_true", default=True, help="wait for the end, as it does anyhow")
    add_line(parser)


def add_experiment_prepare(verbs: Nouns) -> None:
    """Add `aml experiment prepare`."""
    parser = add_verb(
        verbs,
        "prepare",
        _prepare,
        "Build the environment of a run configuration ahead, so that its first run need not wait; shows the build's log.",
        "aml experiment prepare -c docker",
    )
    add = parser.add_argument
    add("-c", "--run-configuration", metavar="NAME", help="run configuration; local is always there")
    add("-t", "--target", metavar="NAME", help="compute target; wins over the run configuration's")
    add("-p", "--project", dest="source_directory", metavar="FOLDER", help="the project's folder; else the current one")


def _prepare(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.cli.environment import build_and_tell
    from aml_jupyter.config import RunConfiguration, refuse_unbuilt
    from aml_jupyter.environments import is_in_container, submitter
    from aml_jupyter.service.elsewhere import is_elsewhere, open_way_to_engine
    from aml_jupyter.service.environments import with_environment
    from aml_jupyter.service.queueing import target_for_runs

    if not arguments.run_configuration and not arguments.target:
        arguments.parser.error("the run configuration is missing: aml experiment prepare -c NAME")
    folder = open_workspace(arguments)
    here = current_folder()
    source = here / Path(arguments.source_directory).expanduser() if arguments.source_directory else here
    name = arguments.run_configuration
    configuration = load_configuration(name, source, folder) if name else RunConfiguration()
    if arguments.target:
        configuration.target = arguments.target
    refuse_old_target(folder, configuration, source)
    target = target_for_runs(folder.store.read(), configuration.target if configuration.target_is_set else None)
    configuration, said = with_environment(folder, configuration)
    refuse_unbuilt(configuration)
    engine = ""
    if is_elsewhere(target) and (target.type == "remotedocker" or is_in_container(configuration)):
        engine = open_way_to_engine(folder, target)
    elif is_elsewhere(target):
        return _prepare_there(arguments, door, folder, target, configuration, source)
    return build_and_tell(
        arguments,
        door,
        configuration.environment,
        [*configuration.notes, *said],
        submitter(),
        source,
        engine=engine,
    )


def _prepare_there(
    arguments: Arguments,
    door: Door,
    folder: WorkspaceFolder,
    target: TargetRecord,
    configuration: RunConfiguration,
    source: Path,
) -> int:
    from aml_jupyter.service.environments import requirement_folders
    from aml_jupyter.service.remote import prepare_there

    is_quiet = wants_json(arguments)
    folders = requirement_folders(source)
    python = prepare_there(
        folder, target, configuration.environment, folders, (lambda text: None) if is_quiet else door.write
    )
    if is_quiet:
        return emit_json(door, {"state": "ready" if python else "nothing to build", "python": python})
    door.write(
        f"ready: {python} on {target.name}\n"
        if python
        else f"nothing to build: the run uses a Python that is on {target.name} already\n"
    )
    return 0


def _submit_script(arguments: Arguments, door: Door) -> int:
    return _tell(arguments, door, *submit_line(arguments, door))


def _submit_hyperdrive(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.cli.sweep_lines import submit_sweep_line, tell_best

    if not arguments.sweep:
        arguments.parser.error("what is sampled is missing: --hyperdrive-configuration-name hdconfig.yml")
    folder, submission = submit_sweep_line(arguments, door)
    code = _tell(arguments, door, folder, submission)
    if arguments.wait and not wants_json(arguments):
        tell_best(folder, submission.run.id, door)
    return code


def _tell(arguments: Arguments, door: Door, folder: WorkspaceFolder, submission: Submission) -> int:
    if arguments.metadata_file:
        from aml_jupyter.views import run_view

        metadata = {"runId": submission.run.id, **run_view(folder, submission.run.id).as_json()}
        Path(arguments.metadata_file).write_text(json.dumps(metadata, indent=2) + "\n", "utf-8")
    return tell(arguments, door, folder, submission, arguments.wait)

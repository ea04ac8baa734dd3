"""Own `aml submit` and the submit lines of SDK v1 and of 2017: what a person wrote becomes a run in the queue."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aml_jupyter.cli.common import config_says, current_folder, emit_json, open_workspace, pairs, wants_json
from aml_jupyter.cli.environment_options import add_environment_options, line_environment
from aml_jupyter.cli.follow import wait_for_runs
from aml_jupyter.cli.notebooks import check_parameters, typed_value
from aml_jupyter.cli.old_targets import refuse_old_target
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, add_verb
from aml_jupyter.cli.run_options import add_run_options
from aml_jupyter.errors import ConfigurationError, UserErrorException

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.config import RunConfiguration, ScriptRunConfig
    from aml_jupyter.service import Submission, SubmitRequest
    from aml_jupyter.workspace import WorkspaceFolder

__all__ = [
    "add_line",
    "add_verbs",
    "experiment_name",
    "line_request",
    "load_configuration",
    "submit_and_tell",
    "submit_line",
    "tell",
]

EXAMPLES = """aml submit train.py --lr 0.1
aml submit -t gpu-box -e digits --wait train.py --lr 0.1
aml submit train.ipynb -p alpha=0.1
aml submit --pip pandas==2.2.3 --pip 'scikit-learn joblib' train.py
aml submit --command 'make train'"""


def add_verbs(nouns: Nouns) -> None:
    """Add `aml submit`."""
    parser = add_verb(
        nouns,
        "submit",
        submit_and_tell,
        "Queue a script, a notebook or a command on a compute target. Everything after the script goes to the script.",
        EXAMPLES,
    )
    add = parser.add_argument
    add(
        "-t",
        "--target",
        metavar="NAME",
        help="compute target; else the run configuration's, else the workspace's default",
    )
    add("-e", "--experiment", metavar="NAME", help="experiment; else the source directory's name")
    add(
        "-c",
        "--run-configuration",
        "--runconfig",
        metavar="NAME",
        help="run configuration (.azureml/NAME.runconfig, or a file)",
    )
    add("--source-directory", metavar="FOLDER", help="folder to snapshot; else the current one")
    add("--command", metavar="TEXT", help="a command line to run in place of a script")
    add("-p", "--parameter", action="append", metavar="NAME=VALUE", help="parameter of a notebook; may be repeated")
    add("-k", "--kernel", metavar="NAME", help="kernel of a notebook; else its own")
    add("--wait", action="store_true", help="wait for the end, show the log; exit code 0 only when the run completed")
    add("--name", metavar="TEXT", help="name of the run in lists")
    add("--tag", action="append", metavar="KEY=VALUE", help="tag of the run; may be repeated")
    add_run_options(parser)
    add_environment_options(parser)
    add_line(parser)


def add_line(parser: Parser) -> None:
    """Add the script and everything after it as one list of words that no option is looked for in."""
    parser.add_argument(
        "line", nargs=argparse.REMAINDER, metavar="SCRIPT_OR_NOTEBOOK [ARGS...]", help="what to run, and its arguments"
    )


def submit_line(arguments: Arguments, door: Door) -> tuple[WorkspaceFolder, Submission]:
    """Queue what a line says."""
    from dataclasses import replace

    from aml_jupyter.service import submit

    folder, request = line_request(arguments)
    with door.progress(f"snapshot of {request.config.source_directory}", "bytes") as progress:
        return folder, submit(folder, replace(request, progress=progress))


def line_request(arguments: Arguments) -> tuple[WorkspaceFolder, SubmitRequest]:
    """Return what a line asks for, and of which workspace; options that it does not have are as if not given."""
    from aml_jupyter.config import bytes_of
    from aml_jupyter.environments import submitter
    from aml_jupyter.service import SubmitRequest

    given = _given(arguments)
    wanted = line_environment(arguments)
    folder = open_workspace(arguments)
    who = submitter()
    written = _run_configuration(given, folder)
    refuse_old_target(folder, written, given.source)
    run_configuration, notes = wanted.apply(folder, written, who)
    config = _script_run_config(given, run_configuration)
    is_notebook = not given.command and str(config.script or "").endswith(".ipynb")
    parameters = _parameters(given, config, is_notebook)
    return folder, SubmitRequest(
        config,
        getattr(arguments, "experiment", None) or experiment_name(given.source),
        kind="notebook" if is_notebook else "command" if config.command else "script",
        display_name=getattr(arguments, "name", None),
        tags=pairs(getattr(arguments, "tag", None), "--tag"),
        parameters=parameters,
        notebook=_notebook(arguments, str(config.script)) if is_notebook else None,
        priority=getattr(arguments, "priority", 0),
        cores=getattr(arguments, "cores", 1),
        memory=bytes_of(getattr(arguments, "memory", "0")),
        gpus=getattr(arguments, "gpus", 0),
        max_retries=getattr(arguments, "max_retries", 0),
        grace_seconds=getattr(arguments, "grace_seconds", 10),
        submitter=who,
        notes=notes,
    )


def tell(arguments: Arguments, door: Door, folder: WorkspaceFolder, submission: Submission, wait: bool) -> int:
    """Say what was queued and, when asked for, wait for its end."""
    run = submission.run
    notes = [str(note) for note in submission.notes]
    extra = {"notes": notes, "files": submission.snapshot.files if submission.snapshot else None}
    shown = False
    if not wants_json(arguments):
        shown = door.submitted(folder, submission)
        if not shown:
            for note in notes:
                door.remark(f"note: {note}")
            door.write(f"{run.id}\n")
        if not shown and not wait:
            door.remark(f"queued on {run.target}; follow it: aml run logs -f {run.id}")
    elif not wait:
        from aml_jupyter.views import run_view

        return emit_json(door, {**run_view(folder, run.id).as_json(), **extra})
    return wait_for_runs(folder, [run.id], arguments, door, show_log=not shown, extra=extra) if wait else 0


def experiment_name(source: Path) -> str:
    """Return the experiment that a folder was attached to, else a name made of its own: letters, digits, ``_``, ``-``."""
    from aml_jupyter.workspace.project import remembered_experiment

    remembered = remembered_experiment(source) if source.is_dir() else None
    if remembered:
        return remembered
    return re.sub(r"[^\w-]+", "-", source.name).strip("-_")[:255] or "experiment"


class _Given(NamedTuple):
    """Say what a line names: the folder to snapshot, the script in it, and the arguments."""

    source: Path
    script: str | None
    arguments: Sequence[str]
    command: str | None
    configuration: str | None
    target: str | None
    max_seconds: int | None
    parameters: dict[str, str]


def submit_and_tell(arguments: Arguments, door: Door) -> int:
    """Queue what a line says, say so, and wait for its end when that is asked for."""
    folder, submission = submit_line(arguments, door)
    stray = None if submission.run.kind == "notebook" else _stray_option(folder, arguments.line[1:])
    if stray:
        door.remark(f"note: {stray} stands after the script, so it goes to the script; put it before to give it to aml")
    return tell(arguments, door, folder, submission, arguments.wait)


def _stray_option(folder: WorkspaceFolder, words: Sequence[str]) -> str | None:
    """Return the first of a script's arguments that looks like an option of ours: of its own, it would hardly name a target."""
    from aml_jupyter.workspace import list_targets

    targets = {record.name for record in list_targets(folder.store.read())}
    for word, following in pairwise([*words, ""]):
        if word in ("--wait", "--json"):
            return word
        if word in ("-t", "--target") and following in targets:
            return f"{word} {following}"
        if word.startswith("--target=") and word.partition("=")[2] in targets:
            return word
    return None


def _given(arguments: Arguments) -> _Given:
    """Return what the line names, with the script's path made relative to the source directory."""
    is_marked = arguments.line[:1] == ["--"]  # what follows is a script, whatever it begins with
    if is_marked:
        arguments.line = arguments.line[1:]
    if arguments.line and arguments.line[0].endswith(".ipynb"):
        _read_rest(arguments)
    line = list(arguments.line)
    command = getattr(arguments, "command", None)
    configuration = arguments.run_configuration
    if command and line:
        raise UserErrorException(f"--command and the script {line[0]!r} exclude each other", "command")
    script = line[0] if line else None
    if script is not None and script.startswith("-") and not is_marked:
        arguments.parser.refuse_words([script])
    for option, field in (
        ("-t", "target"),
        ("-e", "experiment"),
        ("-c", "run_configuration"),
        ("--command", "command"),
    ):
        given = getattr(arguments, field, None)
        if given is not None and not given.strip():
            raise UserErrorException(
                f"{option} {given!r}: a {field.replace('_', ' ')} was expected, found an empty text", field
            )
    if script == "" or (script is None and not command and not configuration):
        raise UserErrorException(
            "what to run is missing: name a script, a notebook, or --command 'make train'", "script"
        )
    source, script = _locate(getattr(arguments, "source_directory", None), script)
    return _Given(
        source,
        script,
        line[1:],
        command,
        configuration,
        getattr(arguments, "target", None),
        getattr(arguments, "max_seconds", None),
        pairs(getattr(arguments, "parameter", None), "-p"),
    )


def _read_rest(arguments: Arguments) -> None:
    """Read the words after a notebook as options of the line: a notebook has no arguments of its own."""
    notebook, *rest = arguments.line
    _, unknown = arguments.parser.parse_known_args(rest, arguments)
    if unknown:
        arguments.parser.refuse_words(unknown)
    if arguments.line:
        raise UserErrorException(
            f"{arguments.line[0]!r}: a notebook takes no arguments; give its parameters with -p NAME=VALUE", "arguments"
        )
    arguments.line = [notebook]


def _locate(folder: str | None, script: str | None) -> tuple[Path, str | None]:
    """Return the folder to snapshot and the script's path in it; the script may be named from the current folder, too."""
    if folder is None:
        if script is not None and os.path.isabs(os.path.expanduser(script)):
            place = Path(os.path.expanduser(script))
            if place.name:
                return place.parent, place.name
        return current_folder(), script
    source = Path(os.path.abspath(os.path.expanduser(folder)))
    if script is not None and not os.path.isfile(source / script):
        place = Path(os.path.abspath(os.path.expanduser(script)))
        if os.path.isfile(place) and place.is_relative_to(source):
            return source, place.relative_to(source).as_posix()
    return source, script


def _run_configuration(given: _Given, folder: WorkspaceFolder) -> RunConfiguration:
    from aml_jupyter.config import RunConfiguration

    configuration = (
        load_configuration(given.configuration, given.source, folder) if given.configuration else RunConfiguration()
    )
    if given.target is not None:
        configuration.target = given.target
    if given.max_seconds is not None:
        configuration.max_run_duration_seconds = given.max_seconds
    return configuration


def load_configuration(name: str, source: Path, folder: WorkspaceFolder) -> RunConfiguration:
    """Return the run configuration called `name`; a compute target without one stands for "run there"."""
    from aml_jupyter.config import RunConfiguration
    from aml_jupyter.workspace import list_targets

    place = os.path.expanduser(name)
    try:
        with config_says(lambda text: None):  # it comes with the submission's notes
            return RunConfiguration.load(place) if os.path.isfile(place) else RunConfiguration.load(str(source), name)
    except ConfigurationError:
        raise
    except UserErrorException:
        if name not in {record.name for record in list_targets(folder.store.read())}:
            raise
        configuration = RunConfiguration()
        configuration.target = name
        return configuration


def _script_run_config(given: _Given, configuration: RunConfiguration) -> ScriptRunConfig:
    """Return the configuration with what the line says on top."""
    from aml_jupyter.config import ScriptRunConfig

    if given.command or given.script:  # what the line says needs no remark that it wins
        configuration.command = given.command or ""
        configuration.script = given.script
        if given.command or given.arguments:
            configuration.arguments = list(given.arguments)
    options: dict[str, Any] = {"source_directory": str(given.source), "run_config": configuration}
    if given.command:
        return ScriptRunConfig(**options, command=given.command)
    script = given.script or configuration.script
    if not script and configuration.command:
        return ScriptRunConfig(**options, command=configuration.command)
    if not script:
        raise UserErrorException(
            f"the run configuration {given.configuration!r} names neither script nor command, and the line no script",
            "script",
        )
    arguments = list(given.arguments) if given.script else list(configuration.arguments or [])
    return ScriptRunConfig(**options, script=script, arguments=arguments)


def _parameters(given: _Given, config: ScriptRunConfig, is_notebook: bool) -> dict[str, Any]:
    if not is_notebook:
        if given.parameters:
            raise UserErrorException(
                "-p is for notebooks; a script's arguments stand after its name: aml submit train.py --lr 0.1",
                "parameters",
            )
        return {}
    notebook = given.source / str(config.script)
    if os.path.isfile(notebook):
        check_parameters(notebook, list(given.parameters))
    return {name: typed_value(text) for name, text in given.parameters.items()}


def _notebook(arguments: Arguments, script: str) -> dict[str, Any]:
    return {"path": script, "output": f"outputs/{Path(script).name}", "kernel": getattr(arguments, "kernel", None)}

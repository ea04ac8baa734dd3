"""Turn a cell's text and the options of ``%%aml_submit`` into a submitted run. Knows nothing of IPython."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from keyword import iskeyword
from pathlib import Path
from typing import Any

from aml_jupyter import environments
from aml_jupyter.cli.common import config_says
from aml_jupyter.cli.sweep_lines import read_sweep
from aml_jupyter.cli.sweep_options import SweepLine
from aml_jupyter.config import RunConfiguration, ScriptRunConfig
from aml_jupyter.errors import UserErrorException
from aml_jupyter.service import Submission, SubmitRequest, submit
from aml_jupyter.service.environments import requirement_folders, with_environment
from aml_jupyter.service.line_environment import LineEnvironment
from aml_jupyter.service.sweeps import submit_sweep
from aml_jupyter.workspace import WorkspaceFolder

from .values import check_python, check_version, pickle_inputs

__all__ = ["CellOptions", "is_variable", "submit_cell"]


@dataclass(frozen=True)
class CellOptions:
    """Hold what the option line of ``%%aml_submit`` says."""

    source: Path
    """Folder that is snapshotted."""
    experiment: str
    target: str | None = None
    run_configuration: str | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    display_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    cores: int = 1
    gpus: int = 0
    memory: int = 0
    priority: int = 0
    max_retries: int = 0
    max_seconds: int | None = None
    grace_seconds: float = 10
    environment: LineEnvironment = field(default_factory=LineEnvironment)
    sweep: SweepLine | None = None
    """What is sampled: each child runs the cell with its parameters as variables."""


def submit_cell(
    folder: WorkspaceFolder,
    text: str,
    number: int,
    options: CellOptions,
    namespace: Mapping[str, Any],
    progress: Callable[[int, int], None] | None = None,
) -> Submission:
    """Queue the cell `text` as the script ``cell_<number>.py`` of a snapshot of the options' folder.

    Raises
    ------
    UserErrorException
        When the cell is not Python, an option is wrong, or a variable cannot travel; nothing was copied then.
    """
    script = _script_name(options.source, number)
    _check_text(text, script)
    submitter = environments.submitter()
    run_config, notes = options.environment.apply(folder, _run_configuration(options), submitter)
    carried = {**{name: namespace[name] for name in options.inputs if name in namespace}, **options.parameters}
    names = [*options.parameters, *options.inputs]
    _check_names(options)
    pickled, cell = None, None
    if names or options.outputs:
        option = "-i" if options.inputs else "-p" if names else "-o"
        _check_python(folder, run_config, submitter, options, option)
        pickled = pickle_inputs(names, carried if options.parameters else namespace)
        digest = hashlib.sha256(pickled).hexdigest()
        cell = {"inputs": names, "outputs": list(options.outputs), "inputs_sha256": digest}
    request = SubmitRequest(
        config=ScriptRunConfig(
            source_directory=str(options.source),
            script=script,
            arguments=list(options.arguments),
            run_config=run_config,
        ),
        experiment=options.experiment,
        kind="cell",
        display_name=options.display_name,
        tags=options.tags,
        parameters=options.parameters,
        overlay={script: _script(text).encode()},
        inputs=pickled,
        cell=cell or {"inputs": [], "outputs": [], "inputs_sha256": None},
        priority=options.priority,
        cores=options.cores,
        memory=options.memory,
        gpus=options.gpus,
        max_retries=options.max_retries,
        grace_seconds=options.grace_seconds,
        submitter=submitter,
        notes=notes,
        progress=progress,
    )
    if options.sweep is None:
        return submit(folder, request)
    sweep, said = read_sweep(options.sweep, request.config, by_name=True)
    return submit_sweep(folder, sweep, replace(request, notes=(*notes, *said)))


def _check_python(
    folder: WorkspaceFolder,
    run_config: RunConfiguration,
    submitter: Mapping[str, Any],
    options: CellOptions,
    option: str,
) -> None:
    """Refuse to let values travel to a Python whose pickles are others, as far as it is known before it is built."""
    written_out, _ = with_environment(folder, run_config)
    recipe = environments.choose_recipe(written_out.environment, submitter, requirement_folders(options.source))
    if recipe is None:
        resolved = environments.resolve({"run_config": written_out.to_dict(), "submitter": submitter})
        check_python(resolved.interpreter, option)
    elif recipe.kind == "venv":
        check_version(str(recipe.asked["python"]["version"]), str(recipe.asked["python"]["path"]), option)


def _script_name(source: Path, number: int) -> str:
    """Return a name for the cell's script that no file of the snapshotted folder has."""
    names = (f"cell_{number}{letter}.py" for letter in ("", *"abcdefghijklmnopqrstuvwxyz"))
    return next((name for name in names if not (source / name).exists()), f"cell_{number}_aml.py")


def _run_configuration(options: CellOptions) -> RunConfiguration:
    if options.run_configuration:
        with config_says(lambda text: None):  # it comes with the submission's notes
            run_config = RunConfiguration.load(str(options.source), options.run_configuration)
        run_config.script, run_config.command = None, ""  # the cell takes their place
    else:
        run_config = RunConfiguration()
    if options.target is not None:
        run_config.target = options.target
    if options.max_seconds is not None:
        run_config.max_run_duration_seconds = options.max_seconds
    return run_config


def is_variable(name: str) -> bool:
    """Say whether a name can be a variable's."""
    return name.isidentifier() and not iskeyword(name)


def _check_names(options: CellOptions) -> None:
    for option, names in (("-i", options.inputs), ("-o", options.outputs), ("-p", tuple(options.parameters))):
        for name in names:
            if not is_variable(name):
                raise UserErrorException(f"{option} {name}: that is not the name of a variable.", name)
    for name in options.inputs:
        if name in options.parameters:
            raise UserErrorException(f"{name} is given twice: with -i and with -p. Leave one out.", name)


def _check_text(text: str, script: str) -> None:
    """Refuse a cell that Python cannot read, before anything is snapshotted."""
    if not text.strip():
        raise UserErrorException("The cell is empty: there is nothing to run.", "cell")
    magic = re.search(r"^\s*(%{1,2}[A-Za-z]\w*|![^=].*)", text, re.MULTILINE)
    try:
        compile(text, script, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f", line {line} of the cell" if line else ""
        hint = (
            f" A submitted cell runs as a plain Python script: {magic[0].strip()!r} works in the notebook only."
            if magic
            else ""
        )
        why = "half of a surrogate pair, which is no character" if isinstance(error, UnicodeError) else error.args[0]
        raise UserErrorException(f"{script} is not valid Python: {why}{where}.{hint}", "cell") from None


def _script(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"

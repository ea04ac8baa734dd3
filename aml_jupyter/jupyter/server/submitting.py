"""Turn the body of a submit into the request that the service takes. Refuses what lies outside the server's root."""

from __future__ import annotations

from pathlib import Path

from aml_jupyter.cli.notebooks import check_parameters
from aml_jupyter.cli.submit import experiment_name
from aml_jupyter.config import RunConfiguration, ScriptRunConfig
from aml_jupyter.environments import submitter
from aml_jupyter.errors import UserErrorException
from aml_jupyter.service import SubmitRequest
from aml_jupyter.service.line_environment import LineEnvironment
from aml_jupyter.workspace import WorkspaceFolder

from .bodies import SubmitBody

__all__ = ["request_of", "source_folder"]


def request_of(body: SubmitBody, folder: WorkspaceFolder, root: Path) -> SubmitRequest:
    """Return what `body` asks of the workspace `folder`; relative folders are taken from the server's root directory `root`.

    Raises
    ------
    UserErrorException
        Naming the field that is wrong.
    """
    source = source_folder(body.source_directory, root)
    given = [name for name in ("script", "notebook", "command") if getattr(body, name)]
    if len(given) != 1:
        said = " and ".join(given) if given else "none"
        raise UserErrorException(f"Give exactly one of script, notebook and command (given: {said}).", "script")
    if body.parameters and given != ["notebook"]:
        raise UserErrorException("parameters are a notebook's; give a script its arguments.", "parameters")
    run_config = (
        RunConfiguration.load(str(source), body.run_configuration) if body.run_configuration else RunConfiguration()
    )
    if body.target is not None:
        run_config.target = body.target
    if body.max_run_duration_seconds is not None:
        run_config.max_run_duration_seconds = body.max_run_duration_seconds
    if body.environment_variables:
        run_config.environment_variables = {**(run_config.environment_variables or {}), **body.environment_variables}
    who = submitter()
    wanted = LineEnvironment.of((), (), body.environment, None)
    run_config, notes = wanted.apply(folder, run_config, who)
    notebook = _inside(body.notebook, source, "notebook") if body.notebook else None
    if notebook and (source / notebook).is_file():
        check_parameters(source / notebook, list(body.parameters))
    script = _inside(body.script, source, "script") if body.script else notebook
    config = ScriptRunConfig(
        source_directory=str(source),
        script=script,
        arguments=list(body.arguments),
        command=body.command,
        run_config=run_config,
    )
    return SubmitRequest(
        config=config,
        experiment=body.experiment or experiment_name(source),
        kind={"script": "script", "notebook": "notebook", "command": "command"}[given[0]],
        display_name=body.display_name,
        tags=body.tags,
        parameters=body.parameters,
        notebook={"path": notebook, "output": f"outputs/{Path(notebook).name}", "kernel": None} if notebook else None,
        priority=body.priority,
        cores=body.cores,
        memory=body.memory,
        gpus=body.gpus,
        max_retries=body.max_retries,
        grace_seconds=body.grace_seconds,
        submitter=who,
        notes=notes,
    )


def source_folder(written: str, root: Path) -> Path:
    """Return the folder that a client names, absolute or relative to the server's root directory, and inside it."""
    if "\0" in written:
        raise UserErrorException("source_directory holds a null character.", "source_directory")
    source = (root / Path(written)).resolve()
    if not source.is_relative_to(root):
        raise UserErrorException(
            f"source_directory={written!r} lies outside the server's root directory.", "source_directory"
        )
    return source


def _inside(written: str, source: Path, field: str) -> str:
    path = (source / written).resolve() if "\0" not in written else source.parent
    if not path.is_relative_to(source):
        raise UserErrorException(f"{field}={written!r} lies outside the source directory.", field)
    return str(path.relative_to(source))

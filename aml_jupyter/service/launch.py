"""Turn a run's definition into the command and the variables that its supervisor gets."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aml_jupyter.environments import ResolvedEnvironment, resolve, resolve_there
from aml_jupyter.errors import UserErrorException
from aml_jupyter.supervisor import protocol
from aml_jupyter.targets import Container, Handle, Launch, Needs, Paths
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, read_definition

__all__ = ["build_launch", "inputs_of", "needs_of", "values_sent"]


def needs_of(definition: dict[str, Any]) -> Needs:
    """Return what the run takes up while it runs."""
    return Needs(
        cores=int(definition.get("cores") or 1),
        gpus=int(definition.get("gpus") or 0),
        memory=int(definition.get("memory") or 0),
        engine=str((definition.get("container") or {}).get("engine") or ""),
    )


def inputs_of(folder: WorkspaceFolder, definition: Mapping[str, Any]) -> Path:
    """Return the folder with the values sent to a cell; the children of a sweep share the sweep's."""
    return folder.layout.run(str(definition.get("values_of") or definition["id"])).inputs


def values_sent(folder: WorkspaceFolder, definition: Mapping[str, Any]) -> bytes | None:
    """Return the pickled values that a run was sent, for a copy of its own of another run; None where it was sent none."""
    file = inputs_of(folder, definition) / "values.pkl"
    return file.read_bytes() if file.exists() else None


def build_launch(
    folder: WorkspaceFolder, run: RunRecord, handle: Handle, paths: Paths, target_type: str, epoch: int, wake: str
) -> Launch:
    """Return how attempt `handle` of `run` is started.

    Raises
    ------
    UserErrorException
        When the definition has no command that can be made of it.
    WorkspaceException
        When ``run.json`` is gone.
    """
    definition = read_definition(folder.layout, run.id)  # the database has no values of variables
    is_process_there = bool(paths.python) and not definition.get("container")
    resolved = resolve_there(definition, paths.python, paths.environments) if is_process_there else resolve(definition)
    command, control_files = _command(folder, definition, resolved.interpreter, paths)
    options = spark_options(definition.get("run_config") or {})
    environment = {
        **_own_variables(folder, run, handle, paths, target_type),
        **({} if paths.python or definition.get("container") else {"AML_WORKSPACE": str(folder.root)}),
        **({"PYSPARK_SUBMIT_ARGS": shlex.join([*options, "pyspark-shell"])} if options else {}),
        **resolved.variables,
        "AML_RUN_ID": run.id,
        "AML_WAKE": wake,
    }
    environment["PYTHONPATH"] = ":".join(filter(None, [paths.site, resolved.variables.get("PYTHONPATH", "")]))
    seconds = definition.get("max_run_duration_seconds")
    return Launch(
        token=protocol.attempt_token(folder.id, run.id, handle.attempt),
        epoch=epoch,
        command=tuple(command),
        environment=environment,
        snapshot=run.snapshot,
        needs=needs_of(definition),
        max_seconds=float(seconds) if seconds else None,
        grace_seconds=float(definition.get("grace_seconds", 10)),
        control_files=control_files,
        container=_container(definition, resolved),
        python=resolved.interpreter if is_process_there else "",
        recipe=(definition.get("there") or {}).get("environment"),
        inputs_here=str(inputs_of(folder, definition)),
    )


def _container(definition: Mapping[str, Any], resolved: ResolvedEnvironment) -> Container | None:
    """Return the container of a run, on the image that its environment has become."""
    wanted = definition.get("container")
    if not wanted:
        return None
    return Container(
        image=str(resolved.facts["image"]),
        engine=str(wanted["engine"]),
        python=str(resolved.facts.get("python") or ""),
        version=str(resolved.facts.get("version") or ""),
        shm_size=str(wanted.get("shm_size") or ""),
        arguments=tuple(wanted.get("arguments") or ()),
    )


def _own_variables(
    folder: WorkspaceFolder, run: RunRecord, handle: Handle, paths: Paths, target_type: str
) -> dict[str, str]:
    """Return the variables that a run finds: ours, and those that scripts written for SDK v1 look for."""
    configuration = run.definition.get("run_config") or {}
    return {
        "PYTHONUNBUFFERED": "1",
        "AML_EXPERIMENT": run.experiment,
        "AML_WORKSPACE_ID": folder.id,
        "AML_WORKSPACE_NAME": folder.name,
        "AML_ATTEMPT": str(handle.attempt),
        "AML_BUNDLE": paths.archive,
        "AML_RUN_NUMBER": str(run.number),
        "AML_DISPLAY_NAME": run.display_name,
        "AML_PARENT_RUN_ID": run.parent or "",
        "AZUREML_RUN_ID": run.id,
        "MLFLOW_TRACKING_URI": "aml-run:",
        "AZUREML_EXPERIMENT_ID": run.experiment,
        "AZUREML_ARM_PROJECT_NAME": run.experiment,
        "AZUREML_ARM_WORKSPACE_NAME": folder.name,
        "AZUREML_ARM_RESOURCEGROUP": folder.resource_group,
        "AZUREML_ARM_SUBSCRIPTION": folder.subscription_id,
        "AZUREML_WORKSPACE_ID": folder.id,
        "AZUREML_FRAMEWORK": str(configuration.get("framework", "Python")),
        "AZUREML_COMMUNICATOR": str(configuration.get("communicator", "None")),
        "AZUREML_TARGET_TYPE": target_type,
        "AZUREML_OUTPUT_DIRECTORY": "./outputs",
        "AZUREML_LOGDIRECTORY_PATH": "./logs",
    }


def _command(
    folder: WorkspaceFolder, definition: dict[str, Any], interpreter: str, paths: Paths
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Return the command line, and the JSON files that its runner reads from the control folder."""
    kind = definition["kind"]
    arguments = [str(argument) for argument in definition.get("arguments") or []]
    script = str(definition.get("script") or "")
    if kind == "command":
        command = definition["command"]
        return ["/bin/sh", "-c", command if isinstance(command, str) else " ".join(map(str, command))], {}
    if kind == "cell":
        cell = definition.get("cell") or {}
        inputs = Path(paths.inputs or inputs_of(folder, definition))
        return [interpreter, paths.archive, "cell", paths.control], {
            "cell.json": {
                "script": script,
                "inputs": str(inputs / "values.pkl") if cell.get("inputs") else None,
                "inputs_sha256": cell.get("inputs_sha256"),
                "outputs": cell.get("outputs") or [],
                "python": ".".join(str(definition["submitter"]["version"]).split(".")[:2]),
                "cloudpickle": str(inputs),
                "arguments": arguments,
                "parameters": definition.get("parameters") or {},
            }
        }
    if kind == "notebook":
        notebook = definition.get("notebook") or {}
        return [interpreter, paths.archive, "notebook", paths.control], {
            "notebook.json": {
                "input": script,
                "output": notebook.get("output") or f"outputs/{Path(script).name}",
                "parameters": definition.get("parameters") or {},
                "kernel": notebook.get("kernel"),
                "timeout": definition.get("max_run_duration_seconds"),
            }
        }
    if not script:
        raise UserErrorException(f"Run {definition['id']} names neither a script nor a command.", "script")
    if script.startswith("-"):
        script = f"./{script}"  # an interpreter would take it for an option
    if script.endswith(".sh"):
        return ["/bin/sh", script, *arguments], {}
    if is_spark(definition.get("run_config") or {}):
        job = {"script": script, "arguments": arguments, "options": spark_options(definition["run_config"])}
        return [interpreter, paths.archive, "spark", paths.control], {"spark.json": job}
    return [interpreter, script, *arguments], {}


def is_spark(run_config: Mapping[str, Any]) -> bool:
    """Say whether a run configuration (serialised) has its script run by spark-submit."""
    return str(run_config.get("framework", "")).lower() == "pyspark"


def spark_options(run_config: Mapping[str, Any]) -> list[str]:
    """Return the options of spark-submit that a run configuration means; none for other frameworks.

    A script gets them from spark-submit, a cell or notebook from ``PYSPARK_SUBMIT_ARGS`` when it makes its session.
    """
    if not is_spark(run_config):
        return []
    settings = (run_config.get("spark") or {}).get("configuration") or {}
    options = [part for name, value in settings.items() for part in ("--conf", f"{name}={_spark_value(value)}")]
    needs = (run_config.get("environment") or {}).get("spark") or {}
    if needs.get("repositories"):
        options += ["--repositories", ",".join(map(str, needs["repositories"]))]
    packages = [
        ":".join(str(each[part]) for part in ("group", "artifact", "version") if each.get(part))
        for each in needs.get("packages") or []
    ]
    return options + (["--packages", ",".join(packages)] if packages else [])


def _spark_value(value: Any) -> str:
    """Return a setting as Spark reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)

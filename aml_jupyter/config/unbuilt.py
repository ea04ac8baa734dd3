"""Refuse, by name, what a run configuration asks for and nothing can do yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from aml_jupyter.config.environment import Environment
from aml_jupyter.config.reading import show
from aml_jupyter.config.run_configuration import RunConfiguration
from aml_jupyter.errors import ConfigurationError

_OWN_PYTHON = (
    "Install the packages into a Python of your own, and set environment.python.user_managed_dependencies = True and "
    "environment.python.interpreter_path to it"
)
_ONE_PROCESS = "Run one process: leave node_count and process counts at 1 and the communicator at None"
_READ_FILES = "Put the files into the source directory, or pass their absolute path as an argument"


class Demand(NamedTuple):
    """Name a field, its value, and what a person can do instead."""

    field: str
    value: Any
    instead: str


def refuse_unbuilt(run_config: RunConfiguration) -> None:
    """Refuse several nodes or processes and data, which later releases bring.

    Raises
    ------
    ConfigurationError
        Names each such field with its value, and what to do instead.
    """
    demands = list(unbuilt(run_config))
    if not demands:
        return
    first, *others = demands
    message = f"{first.field} = {show(first.value)} is not supported yet. {first.instead}."
    if others:
        message += (
            " Not supported yet, either: " + "; ".join(f"{entry.field} = {show(entry.value)}" for entry in others) + "."
        )
    raise ConfigurationError(message, field=first.field)


def unbuilt(run_config: RunConfiguration) -> Iterator[Demand]:
    """Yield what a run configuration asks for and nothing can do yet."""
    yield from _of_environment(run_config.environment)
    yield from _of_processes(run_config)
    yield from _of_data(run_config)
    yield from _of_frameworks(run_config)


def _of_environment(environment: Environment) -> Iterator[Demand]:
    if environment.is_reference:
        return  # a submit has written it out by then
    libraries = {key: value for key, value in environment.databricks.to_dict().items() if value}
    if libraries:
        yield Demand("environment.databricks", libraries, _OWN_PYTHON)
    if environment.r is not None:
        yield Demand("environment.r", environment.r.r_version, "Run Rscript with a command instead")


def _of_processes(run_config: RunConfiguration) -> Iterator[Demand]:
    if run_config.communicator != "None":
        yield Demand("communicator", run_config.communicator, _ONE_PROCESS)
    counts = {
        "node_count": run_config.node_count,
        "batchai.node_count": run_config.batchai.node_count or 1,
        "mpi.process_count_per_node": run_config.mpi.process_count_per_node,
        "mpi.node_count": run_config.mpi.node_count,
        "pytorch.process_count": run_config.pytorch.process_count or 1,
        "pytorch.node_count": run_config.pytorch.node_count,
        "tensorflow.worker_count": run_config.tensorflow.worker_count,
        "tensorflow.parameter_server_count": run_config.tensorflow.parameter_server_count,
        "paralleltask.worker_count_per_node": run_config.paralleltask.worker_count_per_node,
    }
    for field, count in counts.items():
        if count > 1:
            yield Demand(field, count, _ONE_PROCESS)


def _of_data(run_config: RunConfiguration) -> Iterator[Demand]:
    for field in ("data_references", "data", "output_data"):
        if getattr(run_config, field):
            yield Demand(field, list(getattr(run_config, field)), _READ_FILES)
    if run_config.datacaches:
        yield Demand("datacaches", [entry.datacache_id for entry in run_config.datacaches], _READ_FILES)
    if run_config.source_directory_data_store:
        yield Demand("source_directory_data_store", run_config.source_directory_data_store, _READ_FILES)


def _of_frameworks(run_config: RunConfiguration) -> Iterator[Demand]:
    for folder in run_config.history.directories_to_watch:
        if PurePosixPath(folder.replace("\\", "/")).is_absolute() or ".." in folder.replace("\\", "/").split("/"):
            instead = "A run's files lie in its working directory: name folders in it, such as logs"
            yield Demand("history.directories_to_watch", folder, instead)
    if run_config.auto_cluster_compute_specification:
        yield Demand(
            "auto_cluster_compute_specification", run_config.auto_cluster_compute_specification, "Name a compute target"
        )
    if run_config.services:
        yield Demand("services", list(run_config.services), "Start the service in the script")
    if run_config.credential_passthrough:
        yield Demand("credential_passthrough", True, "Declare what the script needs in environment_variables")

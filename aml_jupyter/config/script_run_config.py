"""Define `ScriptRunConfig`: source directory, script, arguments and run configuration of one submit."""

from __future__ import annotations

import os
from collections.abc import Collection
from copy import copy
from typing import Any, ClassVar

from aml_jupyter.config.environment import Environment
from aml_jupyter.config.reading import Place, read_strings, read_text, warn
from aml_jupyter.config.run_configuration import RunConfiguration
from aml_jupyter.config.scripts import check_script, source_folder
from aml_jupyter.config.sections import (
    DockerConfiguration,
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from aml_jupyter.errors import ConfigurationError, nearest

_PUBLIC = ("arguments", "command", "run_config", "script", "source_directory")


class ScriptRunConfig:
    """Say what one submit runs.

    Parameters
    ----------
    source_directory : path, optional
        The folder that is sent; ``''`` and None are the current folder.
    script : path, optional
        The script, relative to the source directory.
    arguments : list, optional
        Its arguments; numbers become text.
    run_config : RunConfiguration, optional
        How and where it runs. With it, `compute_target`, `environment`, `distributed_job_config`,
        `max_run_duration_seconds` and `docker_runtime_config` are ignored, with a warning.
    compute_target : str or compute target, optional
        Where it runs; the workspace's default target unless given.
    environment : Environment, optional
        What it needs; the Python that it is submitted from unless given.
    distributed_job_config : MpiConfiguration, PyTorchConfiguration or TensorflowConfiguration, optional
        How several processes work together.
    resume_from : DataPath, optional
        Where an earlier run left its model.
    max_run_duration_seconds : int, optional
        How long it may run (s); thirty days unless given.
    command : str or list of str, optional
        A command line instead of a script.
    docker_runtime_config : DockerConfiguration, optional
        Whether it runs in a container.
    """

    MAX_DURATION_SECONDS_DEFAULT: ClassVar[int] = 2592000

    source_directory: str | None
    script: str | None
    arguments: list[str] | None
    command: str | list[str] | None
    run_config: RunConfiguration

    def __init__(
        self,
        source_directory: str | os.PathLike[str] | None = None,
        script: str | os.PathLike[str] | None = None,
        arguments: list[Any] | None = None,
        run_config: RunConfiguration | None = None,
        _telemetry_values: Any = None,
        compute_target: Any = None,
        environment: Environment | None = None,
        distributed_job_config: MpiConfiguration | PyTorchConfiguration | TensorflowConfiguration | None = None,
        resume_from: Any = None,
        max_run_duration_seconds: int | None = MAX_DURATION_SECONDS_DEFAULT,
        command: str | list[str] | None = None,
        docker_runtime_config: DockerConfiguration | None = None,
    ) -> None:
        self._telemetry_values = _telemetry_values
        self._said: set[str] = set()
        self.source_directory = _path(source_directory, "source_directory")
        self.script = _path(script, "script")
        self.arguments = arguments
        self.command = command
        if resume_from is not None:
            raise ConfigurationError(
                f"ScriptRunConfig.resume_from: {resume_from!r} is not supported yet, for it needs data references. "
                "Pass the path of the earlier run's outputs as an argument instead.",
                field="resume_from",
            )
        if run_config is not None:
            given = [compute_target, environment, distributed_job_config, docker_runtime_config]
            if (
                any(value is not None for value in given)
                or max_run_duration_seconds != self.MAX_DURATION_SECONDS_DEFAULT
            ):
                _warn_ignored()
            self.run_config = run_config
            self._take_over(run_config)
            return
        self.run_config = RunConfiguration()
        self.run_config.target = compute_target
        self.run_config.environment = environment
        self.run_config.max_run_duration_seconds = max_run_duration_seconds
        if distributed_job_config is not None:
            _set_distribution(self.run_config, distributed_job_config)
        if docker_runtime_config is not None:
            self.run_config.docker = docker_runtime_config
        elif environment is not None and not self.run_config.environment.is_reference:
            section = self.run_config.environment.docker
            self.run_config.docker = DockerConfiguration(
                section.enabled, section.shared_volumes, list(section.arguments), section.shm_size
            )

    def effective(self) -> ScriptRunConfig:
        """Return a copy that also says what only its run configuration says by now: script, arguments, command."""
        copied = copy(self)
        copied._take_over(self.run_config)
        return copied

    def _take_over(self, run_config: RunConfiguration) -> None:
        for name in ("script", "arguments", "command"):
            here, there = getattr(self, name), getattr(run_config, name)
            if not there or here == there:
                continue
            instead = here or (self.script if name == "command" else self.command)
            if instead:
                self._say(f"{name}: {instead!r} is used; {there!r} of the run configuration is not.")
            else:
                setattr(self, name, list(there) if isinstance(there, list) else there)

    def _say(self, message: str) -> None:
        """Tell the person, once."""
        if message not in self._said:
            self._said.add(message)
            warn(message)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in _PUBLIC:
            raise AttributeError(f"ScriptRunConfig has no attribute {name!r}; {nearest(name, list(_PUBLIC))}")
        place = Place(keys=(f"ScriptRunConfig.{name}",))
        if name == "arguments" and value is not None:
            value = read_strings(value, place)
        elif (name == "script" and value is not None) or (name == "source_directory" and value is not None):
            value = read_text(value, place)
        elif name == "run_config" and not isinstance(value, RunConfiguration):
            raise place.refusal("a RunConfiguration (RunConfiguration.load() reads one from a file)", value)
        super().__setattr__(name, value)

    def check(self, also: Collection[str] = ()) -> str | None:
        """Return the script's path inside the source directory, or None for a command.

        Parameters
        ----------
        also : collection of str
            Scripts that are sent without lying in the source directory, such as a notebook's cell.

        Raises
        ------
        ConfigurationError
            When there is neither a script nor a command, or both, or the script is not in the source directory.
        """
        if self.command and (self.script or self.arguments):
            other = "script" if self.script else "arguments"
            raise ConfigurationError(
                f"command: expected either a command or a script with arguments, found command {self.command!r} and "
                f"{other} {getattr(self, other)!r}. Drop one of them.",
                field="command",
            )
        if not self.command and not self.script:
            raise ConfigurationError(
                "script: expected a script or a command, found neither. Pass script='train.py'.", field="script"
            )
        if self.script and self.script in also:
            return self.script
        source_folder(self.source_directory)
        return check_script(self.source_directory, self.script) if self.script else None

    def __repr__(self) -> str:
        what = f"command={self.command!r}" if self.command else f"script={self.script!r}, arguments={self.arguments!r}"
        target = self.run_config.target if self.run_config.target_is_set else None
        return f"ScriptRunConfig(source_directory={self.source_directory!r}, {what}, target={target!r})"


def _path(value: Any, field: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, os.PathLike):
        raise Place(keys=(f"ScriptRunConfig.{field}",)).refusal("a path", value)
    return os.fsdecode(value)


def _warn_ignored() -> None:
    warn(
        "If 'run_config' is specified, the following parameters will be ignored: 'compute_target', 'environment', "
        "'distributed_job_config', 'max_run_duration_seconds', and 'docker_runtime_config'."
    )


def _set_distribution(run_config: RunConfiguration, distribution: Any) -> None:
    """Set framework, communicator and nodes by SDK v1's table."""
    if isinstance(distribution, TensorflowConfiguration):
        run_config.tensorflow = distribution
        run_config.framework, run_config.communicator = "TensorFlow", "ParameterServer"
        run_config.node_count = distribution.worker_count
    elif isinstance(distribution, MpiConfiguration):
        run_config.mpi = distribution
        run_config.framework, run_config.communicator = "Python", "IntelMpi"
        run_config.node_count = distribution.node_count
    elif isinstance(distribution, PyTorchConfiguration):
        run_config.pytorch = distribution
        run_config.framework, run_config.communicator = "PyTorch", distribution.communication_backend
        run_config.node_count = distribution.node_count
    else:
        raise Place(keys=("ScriptRunConfig.distributed_job_config",)).refusal(
            "a TensorflowConfiguration, an MpiConfiguration or a PyTorchConfiguration", distribution
        )

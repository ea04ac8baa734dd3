"""Define `RunConfiguration`: how and where a run executes, as SDK v1's ``.runconfig`` files say it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from aml_jupyter.config.conda_dependencies import CondaDependencies
from aml_jupyter.config.data import Data, DatacacheConfiguration, DataReferenceConfiguration, OutputData
from aml_jupyter.config.environment import DEFAULT_NAME, TEMPLATE_VARIABLES, Environment
from aml_jupyter.config.environment_sections import find_reference
from aml_jupyter.config.fields import (
    Field,
    Section,
    boolean,
    choice,
    number,
    optional_boolean,
    optional_number,
    optional_plain,
    section,
    section_list,
    section_map,
    strings,
    text,
    variables,
)
from aml_jupyter.config.keys import folded
from aml_jupyter.config.previews import (
    COMMUNICATORS,
    FRAMEWORKS,
    PREVIEW_FRAMEWORKS,
    FileForm,
    read_framework,
    read_preview,
    settle_framework,
)
from aml_jupyter.config.reading import Place, read_boolean, read_strings
from aml_jupyter.config.sections import (
    AmlComputeConfiguration,
    ApplicationEndpointConfiguration,
    BatchAiConfiguration,
    ContainerInstanceConfiguration,
    DockerConfiguration,
    HdiConfiguration,
    HistoryConfiguration,
    KubernetesComputeConfiguration,
    MpiConfiguration,
    ParallelTaskConfiguration,
    PyTorchConfiguration,
    SparkConfiguration,
    TensorflowConfiguration,
)
from aml_jupyter.config.shapes import COMMAND, OPTIONAL_TEXT, TRUTH, one_of
from aml_jupyter.config.workbench import WORKBENCH_KEYS, WorkbenchForm, is_workbench, read_workbench

LOCAL = "local"


class _Framework(Field[str]):
    """Describe the framework; those of the 2018 previews say the communicator, too."""

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, value)
        settle_framework(instance)


ENVIRONMENT = {"anyOf": [{"type": "string"}, Environment]}


def _read_target(value: Any, place: Place) -> str:
    if value is None or value == "":
        return LOCAL
    name = getattr(value, "name", value)
    if isinstance(name, str) and name.strip():
        return str(name)
    raise place.refusal("the name of a compute target, or a compute target", value)


def _read_command(value: Any, place: Place) -> str | list[str]:
    if value is None or isinstance(value, str):
        return str(value or "")
    return read_strings(value, place)


def _read_environment(value: Any, place: Place) -> Environment:
    if value is None:
        return Environment(DEFAULT_NAME)
    if isinstance(value, str):
        return read_environment_file(find_reference(value, place, "an environment file"), place)
    return Environment._read(value, place)


def read_environment_file(path: os.PathLike[str], place: Place) -> Environment:
    """Return the environment of a file that a run configuration names."""
    from pathlib import Path

    from aml_jupyter.config.yaml_files import parse, read_file

    content = parse(read_file(Path(path), "environment file"), str(path))
    folders = place.folders or (os.path.dirname(os.path.abspath(path)),)
    return Environment._read(content, Place(str(path), notes=place.notes, folders=folders))


class RunConfiguration(Section):
    """Say how and where a script runs.

    Parameters
    ----------
    script : str, optional
        The script, relative to the source directory.
    arguments : list, optional
        Its arguments; numbers become text.
    framework : str, optional
        Python, PySpark, CNTK, TensorFlow or PyTorch, in any case.
    communicator : str, optional
        None, ParameterServer, OpenMpi, IntelMpi, Mpi, Gloo or Nccl.
    conda_dependencies : CondaDependencies, optional
        The packages of the environment.
    command : str or list of str, optional
        A command line instead of a script.
    """

    script = text()
    arguments = strings()
    _target = Field(_read_target, lambda: LOCAL, key="target", schema=OPTIONAL_TEXT)
    framework = _Framework(read_framework, lambda: "Python", schema=one_of((*FRAMEWORKS, *PREVIEW_FRAMEWORKS)))
    communicator = choice(COMMUNICATORS, "None")
    max_run_duration_seconds = optional_number(minimum=1)
    node_count = number(1, minimum=1)
    priority = optional_number()
    environment = Field(_read_environment, lambda: Environment(DEFAULT_NAME), schema=ENVIRONMENT)
    history = section(HistoryConfiguration)
    spark = section(SparkConfiguration)
    docker = section(DockerConfiguration)
    hdi = section(HdiConfiguration)
    tensorflow = section(TensorflowConfiguration)
    mpi = section(MpiConfiguration)
    pytorch = section(PyTorchConfiguration)
    paralleltask = section(ParallelTaskConfiguration)
    data_references = section_map(DataReferenceConfiguration)
    data = section_map(Data)
    datacaches = section_list(DatacacheConfiguration)
    output_data = section_map(OutputData)
    source_directory_data_store = text()
    amlcompute = section(AmlComputeConfiguration)
    auto_cluster_compute_specification = optional_plain()
    kubernetescompute = section(KubernetesComputeConfiguration)
    credential_passthrough = boolean(False)
    command: Field[str | list[str]] = Field(_read_command, lambda: "", schema=COMMAND)
    environment_variables = variables()
    services = section_map(ApplicationEndpointConfiguration, key="applicationEndpoints")
    container_instance = section(ContainerInstanceConfiguration, omit_default=True)
    batchai = section(BatchAiConfiguration, omit_default=True)
    prepare_environment = optional_boolean(omit_none=True, aliases=("autoPrepareEnvironment",))
    tracked_run = Field(
        lambda value, place: True if value is None else read_boolean(value, place),
        lambda: True,
        omit=lambda value: value,
        schema=TRUTH,
    )

    def __init__(
        self,
        script: str | None = None,
        arguments: list[Any] | None = None,
        framework: str | None = None,
        communicator: str | None = None,
        conda_dependencies: CondaDependencies | None = None,
        _history_enabled: bool | None = None,
        _path: str | os.PathLike[str] | None = None,
        _name: str | None = None,
        command: str | list[str] | None = None,
    ) -> None:
        super().__init__()
        self._remember(_path, _name)
        self.script = script
        self.arguments = arguments
        self.framework = framework
        self.communicator = communicator
        self.command = command
        if conda_dependencies is not None:
            self.environment.python.conda_dependencies = conda_dependencies
        if _history_enabled is not None:
            self.history.output_collection = _history_enabled

    def _remember(self, path: str | os.PathLike[str] | None, name: str | None) -> None:
        self._path = None if path is None else os.fspath(path)
        self._name = name
        self._target_is_set = False
        self._notes: list[str] = []
        self._original: tuple[str, dict[str, Any]] | None = None
        self._environment_file: str | None = None
        self._form: FileForm | None = None
        self._known_also: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """Return the compute target's name; set it to a name, a compute target, or None to unset it."""
        return self._target

    @target.setter
    def target(self, target: Any) -> None:
        self._target = target
        self._target_is_set = target is not None and target != ""

    @property
    def target_is_set(self) -> bool:
        """Say whether somebody chose the target; else the workspace's default target is meant."""
        return self._target_is_set

    @property
    def auto_prepare_environment(self) -> bool | None:
        """Return `prepare_environment`, which 2018's previews called so."""
        return self.prepare_environment

    @auto_prepare_environment.setter
    def auto_prepare_environment(self, value: bool | None) -> None:
        self.prepare_environment = value

    @property
    def prepare_line(self) -> str | None:
        """Return the command that prepares the environment, where a file of 2017 leaves that to a person; else None."""
        if not isinstance(self._form, WorkbenchForm) or self.prepare_environment is not False:
            return None
        if not self._name or not self._path or os.path.abspath(self._path) == os.getcwd():
            return f"aml experiment prepare -c {shlex.quote(str(self._name or self._path))}"
        return f"aml experiment prepare -p {shlex.quote(self._path)} -c {shlex.quote(self._name)}"

    def declared_variables(self) -> dict[str, str]:
        """Return the variables that a run of this configuration gets: the environment's, and over them its own.

        Those of SDK v1's untouched template are an example, and are not among them.
        """
        of_environment = dict(self.environment.environment_variables or {})
        if of_environment == TEMPLATE_VARIABLES:
            of_environment = {}
        return {**of_environment, **(self.environment_variables or {})}

    @property
    def notes(self) -> list[str]:
        """Return what was noticed while the file was read and stops nothing, such as unknown keys."""
        return self._notes

    @classmethod
    def from_dict(cls, definition: Mapping[str, Any], source: str | os.PathLike[str] | None = None) -> RunConfiguration:
        """Return the run configuration that a mapping describes.

        Parameters
        ----------
        definition : dict
            As `to_dict` returns it, or as a file has it: keys match whatever their case and snake or camel form.
        source : path, optional
            The file it was read from; named in messages, and relative paths start at its folder.

        Raises
        ------
        ConfigurationError
            With file, line (where known), key, and what was expected.
        """
        file = None if source is None else os.path.abspath(source)
        return cls._read(definition, Place(file, folders=(os.path.dirname(file),) if file else ()))

    @classmethod
    def _read(cls, value: Any, place: Place) -> RunConfiguration:
        read = super()._read(value, place)
        if read is not value:
            read._notes.extend(place.notes)
        return read

    def _fill(self, mapping: Mapping[Any, Any], place: Place) -> None:
        self._remember(None, None)
        if is_workbench(mapping):
            self._known_also = WORKBENCH_KEYS
            self._form = read_workbench(self, mapping, place, super()._fill)
            return
        keys = {folded(str(key)): str(key) for key in mapping}
        super()._fill(mapping, place)
        self._form = read_preview(self, keys)
        self._target_is_set = "target" in keys and mapping[keys["target"]] not in (None, "")
        written = mapping.get(keys.get("environment", "environment"))
        self._environment_file = written if isinstance(written, str) else None

    def _keep_unknown(self, key: str, value: Any, place: Place, known: list[str]) -> None:
        also = {folded(name) for name in self._known_also}
        super()._keep_unknown(
            key, value, place, [*self._known_also, *(name for name in known if folded(name) not in also)]
        )

    def save(
        self,
        path: str | os.PathLike[str] | None = None,
        name: str | None = None,
        separate_environment_yaml: bool = False,
    ) -> None:
        """Write the configuration to a ``.runconfig`` file; comments, order and unknown keys of the file survive.

        Parameters
        ----------
        path : path, optional
            The project folder, or the file itself; where it was loaded from unless given.
        name : str, optional
            Its name in the project's ``aml_config`` (if there is one) or ``.azureml`` folder.
        separate_environment_yaml : bool
            Put the environment into ``environment.yml`` beside it.
        """
        from aml_jupyter.config.run_config_files import save

        save(self, path, name, separate_environment_yaml)

    @staticmethod
    def load(
        path: str | os.PathLike[str] | None = None,
        name: str | None = None,
        *,
        project_object: Any = None,
        run_config_name: str | None = None,
    ) -> RunConfiguration:
        """Return the configuration of a ``.runconfig`` file.

        Parameters
        ----------
        path : path, optional
            The file, or the project folder; the current folder unless given.
        name : str, optional
            Its name in the project's ``aml_config`` (if there is one) or ``.azureml`` folder, or in the project.
        project_object, run_config_name : optional
            The same two, as SDK 0.1.x called them.
        """
        from aml_jupyter.config.run_config_files import load

        return load(path or getattr(project_object, "project_directory", project_object), name or run_config_name)

    @staticmethod
    def delete(path: str | os.PathLike[str], name: str) -> None:
        """Remove ``<name>.runconfig`` from the project's run-configuration folders."""
        from aml_jupyter.config.run_config_files import delete

        delete(path, name)

"""Define `Environment`: the packages, image and variables that a run needs, with a name and a version."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from aml_jupyter.config.conda_dependencies import DEFAULT_PYTHON, FILE_NAME, CondaDependencies
from aml_jupyter.config.environment_sections import (
    ContainerRegistry,
    DatabricksSection,
    DockerBuildContext,
    DockerSection,
    PythonSection,
    RSection,
    SparkSection,
)
from aml_jupyter.config.fields import Section, optional_section, section, text, variables
from aml_jupyter.config.keys import folded
from aml_jupyter.config.reading import Place, read_strings
from aml_jupyter.errors import ConfigurationError, UserErrorException

DEFAULT_NAME = "default-environment"
TEMPLATE_VARIABLES = {"EXAMPLE_ENV_VAR": "EXAMPLE_VALUE"}
_DEFINITION_FILE = "azureml_environment.json"
_DOCKERFILE = "BaseDockerfile"


class Environment(Section):
    """Describe what a run needs.

    A new environment equals SDK v1's template; it means the Python that the run is submitted from.

    Parameters
    ----------
    name : str
        The environment's name.
    """

    name = text()
    version = text()
    environment_variables = variables(TEMPLATE_VARIABLES)
    python = section(PythonSection)
    docker = section(DockerSection)
    spark = section(SparkSection)
    databricks = section(DatabricksSection)
    r = optional_section(RSection)
    inferencing_stack_version = text()
    asset_id = text()

    def __init__(self, name: str | None) -> None:
        super().__init__()
        self.name = name

    @property
    def is_reference(self) -> bool:
        """Say whether this only names a registered environment."""
        return False

    @classmethod
    def _read(cls, value: Any, place: Place) -> Environment:  # the kind depends on the keys
        if isinstance(value, Mapping) and value and {folded(str(key)) for key in value} <= {"name", "version"}:
            return super(Environment, EnvironmentReference)._read(value, place)
        return super()._read(value, place)

    @classmethod
    def from_dict(cls, definition: Mapping[str, Any], source: str | os.PathLike[str] | None = None) -> Environment:
        """Return the environment that a mapping describes; absent keys stay empty.

        Parameters
        ----------
        definition : dict
            As `to_dict` returns it, or as a file has it.
        source : path, optional
            The file it was read from; named in messages, and relative paths start at its folder.
        """
        file = None if source is None else os.path.abspath(source)
        place = Place(file, folders=(os.path.dirname(file),) if file else ())
        return cls._read(definition, place)

    def clone(self, new_name: str) -> Environment:
        """Return an independent copy under another name, without a version."""
        copied = deepcopy(self)
        copied.name = new_name
        copied.version = None
        return copied

    @staticmethod
    def from_conda_specification(name: str, file_path: str | os.PathLike[str]) -> Environment:
        """Return an environment with the packages of a conda environment file."""
        made = Environment(name)
        dependencies = CondaDependencies(file_path)
        if dependencies.get_python_version() is None:
            dependencies.set_python_version(DEFAULT_PYTHON)
        made.python.conda_dependencies = dependencies
        return made

    @staticmethod
    def from_pip_requirements(
        name: str, file_path: str | os.PathLike[str], pip_version: str | None = None
    ) -> Environment:
        """Return an environment with the packages of a pip requirements file."""
        made = Environment(name)
        made.python.conda_dependencies = _from_requirements(Path(file_path), pip_version)
        return made

    @staticmethod
    def from_existing_conda_environment(name: str, conda_environment_name: str) -> Environment:
        """Return an environment with exactly the packages of a conda environment of this machine; conda is not asked.

        Parameters
        ----------
        name : str
            The new environment's name.
        conda_environment_name : str
            A conda environment's name, or its folder.

        Raises
        ------
        UserErrorException
            When there is none; says which there are.
        """
        from aml_jupyter.config.conda_prefix import packages_of_prefix, prefix_of

        made = Environment(name)
        made.python.conda_dependencies = packages_of_prefix(prefix_of(conda_environment_name))
        return made

    @staticmethod
    def from_docker_image(
        name: str,
        image: str,
        container_registry: ContainerRegistry | None = None,
        conda_specification: str | os.PathLike[str] | None = None,
        pip_requirements: str | os.PathLike[str] | None = None,
    ) -> Environment:
        """Return an environment in an image; without packages, the image's own Python is used."""
        made = Environment(name)
        made.docker.base_image = image
        if container_registry is not None:
            made.docker.base_image_registry = container_registry
        return _with_packages(made, conda_specification, pip_requirements)

    @staticmethod
    def from_dockerfile(
        name: str,
        dockerfile: str | os.PathLike[str],
        conda_specification: str | os.PathLike[str] | None = None,
        pip_requirements: str | os.PathLike[str] | None = None,
    ) -> Environment:
        """Return an environment in the image of a Dockerfile, given as its path or its text."""
        made = Environment(name)
        path = os.fspath(dockerfile)
        made.docker.base_dockerfile = (
            _read(Path(path), "Dockerfile") if "\n" not in path and os.path.isfile(path) else path
        )
        return _with_packages(made, conda_specification, pip_requirements)

    @staticmethod
    def from_docker_build_context(name: str, docker_build_context: DockerBuildContext) -> Environment:
        """Return an environment in the image of a build context; the image's own Python is used."""
        made = Environment(name)
        made.docker.build_context = docker_build_context
        made.python.user_managed_dependencies = True
        made.python.conda_dependencies = None
        return made

    def save_to_directory(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write the environment as a folder of files that can be put under version control."""
        import json

        from aml_jupyter.config.yaml_files import write_file

        folder = Path(path)
        if folder.exists() and not overwrite:
            raise UserErrorException(f"{folder} exists already. Pass overwrite=True to write into it.")
        folder.mkdir(parents=True, exist_ok=True)
        definition = self.to_dict()
        if self.python.conda_dependencies is not None:
            self.python.conda_dependencies.save(folder / FILE_NAME)
            definition["python"].pop("condaDependencies")
        if self.docker.base_dockerfile is not None:
            write_file(folder / _DOCKERFILE, self.docker.base_dockerfile)
            definition["docker"]["baseDockerfile"] = None
        write_file(folder / _DEFINITION_FILE, json.dumps(definition, indent=4) + "\n")

    @staticmethod
    def load_from_directory(path: str | os.PathLike[str]) -> Environment:
        """Return the environment that `save_to_directory` wrote."""
        import json

        folder = Path(path)
        file = folder / _DEFINITION_FILE
        try:
            definition = json.loads(_read(file, "environment definition"))
        except ValueError as error:
            raise ConfigurationError(f"{file}: expected JSON, but {error}.") from error
        made = Environment.from_dict(definition, file)
        if (folder / FILE_NAME).exists():
            made.python.conda_dependencies = CondaDependencies(folder / FILE_NAME)
        if (folder / _DOCKERFILE).exists():
            made.docker.base_dockerfile = _read(folder / _DOCKERFILE, "Dockerfile")
        return made

    @staticmethod
    def add_private_pip_wheel(workspace: Any, file_path: str | os.PathLike[str], exist_ok: bool = False) -> str:
        """Keep a wheel that no index has in a workspace.

        Returns
        -------
        str
            Its address, for ``CondaDependencies.add_pip_package``.
        """
        return str(workspace.keep_wheel(file_path, exist_ok))

    def register(self, workspace: Any) -> Environment:
        """Keep this environment in a workspace and return it with its version."""
        registered: Environment = workspace.register_environment(self)
        return registered

    def build(self, workspace: Any, image_build_compute: Any = None) -> Any:
        """Begin to build what this environment asks for, so that the first run finds it ready.

        Parameters
        ----------
        workspace : Workspace
            The workspace; what is built is the user's, and every workspace finds it.
        image_build_compute : optional
            SDK v1's; it changes nothing.

        Returns
        -------
        ImageBuildDetails
            The build that goes on; ``wait_for_completion(show_output=True)`` follows it.
        """
        return workspace.build_environment(self)

    def build_local(self, workspace: Any, platform: Any = None, **_ignored: Any) -> Any:
        """Build on this machine, as every build is, showing the log until it has ended; return what `build` returns."""
        details = workspace.build_environment(self)
        details.wait_for_completion(show_output=True)
        return details

    @staticmethod
    def get(workspace: Any, name: str, version: str | None = None, label: str | None = None) -> Environment:
        """Return an environment of a workspace: a version, the one with a label, or the newest."""
        if version is not None and label is not None:
            raise UserErrorException("Name a version or a label of the environment, not both.")
        found: Environment = workspace.get_environment(name, version=version, label=label)
        return found

    @staticmethod
    def list(workspace: Any) -> dict[str, Environment]:
        """Return the environments of a workspace by name."""
        return dict(workspace.environments)


class EnvironmentReference(Environment):
    """Name an environment that a workspace keeps."""

    def __init__(self, name: str, version: str | None = None) -> None:
        super().__init__(name)
        self.version = version

    @property
    def is_reference(self) -> bool:
        """Say whether this only names a registered environment."""
        return True

    def _write(self, unknown: bool) -> dict[str, Any]:
        written = {"name": self.name}
        return {**written, "version": self.version} if self.version is not None else written

    def get_environment(self, workspace: Any) -> Environment:
        """Return the environment that is meant."""
        return Environment.get(workspace, self.name or "", self.version)


def _read(path: Path, what: str) -> str:
    from aml_jupyter.config.yaml_files import read_file

    return read_file(path, what)


def _from_requirements(path: Path, pip_version: str | None = None) -> CondaDependencies:
    """Return the packages of a requirements file; each entry knows the line that it begins on."""
    made = CondaDependencies.create(pip_packages=[], conda_packages=[f"pip={pip_version}"] if pip_version else None)
    lines = list(_logical_lines(_read(path, "requirements file")))
    entries = [_from_its_folder(entry, path) for _, entry in lines]
    made.set_pip_requirements(read_strings(entries, Place(str(path))))
    for (number, _), entry in zip(lines, entries, strict=True):
        made.note_place(entry, f"{path}, line {number}")
    return made


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each entry of a requirements file with the number of its first line: comments left out, ``\\`` joins lines."""
    held, begin = "", 0
    for number, line in enumerate([*text.splitlines(), ""], 1):
        begin = begin if held else number
        bare = re.sub(r"(^|\s)#.*$", "", line).strip()
        if bare.endswith("\\"):
            held += bare[:-1].rstrip() + " "
            continue
        whole, held = (held + bare).strip(), ""
        if whole:
            yield begin, whole


def _from_its_folder(entry: str, path: Path) -> str:
    """Return an entry in which a file that lies beside the requirements file is found from anywhere."""
    option = re.match(r"(-r|-c|-f|--requirement|--constraint|--find-links)(\s+|=)(?!/|\w+://|~)(.+)$", entry)
    relative = option.group(3).strip() if option else entry if re.match(r"\.{1,2}/", entry) else None
    folder = path.absolute().parent
    if relative is None or folder == Path.cwd() or not (folder / relative).exists():
        return entry
    place = os.path.normpath(folder / relative)
    return f"{option.group(1)} {place}" if option else place


def _with_packages(made: Environment, conda: Any, pip: Any) -> Environment:
    if conda is not None and pip is not None:
        raise UserErrorException("Name conda_specification or pip_requirements, not both.")
    if conda is not None:
        made.python.conda_dependencies = CondaDependencies(conda)
    elif pip is not None:
        made.python.conda_dependencies = _from_requirements(Path(pip))
    else:
        made.python.user_managed_dependencies = True
        made.python.conda_dependencies = None
    return made

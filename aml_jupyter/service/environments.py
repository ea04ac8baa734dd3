"""Own what a submit, the object model and the command line share about registered environments.

Registering, finding and listing them, curated ones among them; what a run's environment that only has a name means; what a
submit saves of one that was never registered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, Final

from aml_jupyter import environments
from aml_jupyter.config import Environment, RunConfiguration, refuse_unbuilt
from aml_jupyter.config.environment import DEFAULT_NAME
from aml_jupyter.environments import CURATED, curated_environment, is_curated_name
from aml_jupyter.errors import UserErrorException
from aml_jupyter.transports.docker_engine import find_engine
from aml_jupyter.workspace import (
    EnvironmentRecord,
    WorkspaceFolder,
    check_environment_name,
    get_environment,
    get_secret,
    list_environments,
    read_environment,
    save_environment,
    set_secret,
)

__all__ = [
    "autosave",
    "environment_names",
    "find_registered",
    "recipe_of",
    "register_environment",
    "requirement_folders",
    "with_environment",
]

_LATEST: Final = "latest"


def register_environment(folder: WorkspaceFolder, environment: Environment) -> tuple[Environment, tuple[str, ...]]:
    """Keep an environment in the workspace; return it with its version, and what is to be said.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    environment : Environment
        What is to be kept. Unchanged since the newest version, it has that version; its own version is honoured unless
        that is taken by another content.

    Raises
    ------
    UserErrorException
        When it is a reference, its name or version cannot be used, or a conda package of it cannot be read.
    """
    if not isinstance(environment, Environment) or environment.is_reference:
        raise UserErrorException(
            f"{environment!r:.200} cannot be registered: an Environment with content was expected, not the name of one.",
            "environment",
        )
    name = check_environment_name(environment.name)
    if environment.python.conda_dependencies is not None and not environment.python.user_managed_dependencies:
        environments.check_packages(environment.python.conda_dependencies)
    record = save_environment(folder, name, plain(environment), environment.version)
    password = environment.docker.base_image_registry.password
    if password:
        set_secret(folder, _secret_of(environment), password)
    notes: tuple[str, ...] = ()
    wished = environment.version
    if wished is not None and record.version != wished:
        notes = (f"version {wished} of environment {name!r} is another one; this one is version {record.version}",)
    elif wished is not None and not wished.isdigit():
        notes = (
            f"environment {name!r} has the version that it says itself, {wished!r}; without one, versions are counted",
        )
    return _read(folder, record), notes


def find_registered(
    folder: WorkspaceFolder, name: str, version: str | None = None, label: str | None = None
) -> tuple[Environment, tuple[str, ...]]:
    """Return an environment of the workspace, or a curated one, and what is to be said about it.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    name : str
        Its name.
    version : str, optional
        Which version; else the newest that was registered.
    label : str, optional
        ``Latest`` is the only one.

    Raises
    ------
    UserErrorException
        When there is none; says which names are nearest.
    """
    if label is not None and label.lower() != _LATEST:
        raise UserErrorException(f"label: {label!r} is not known; 'Latest' is the only label here.", "label")
    version = None if version is None or str(version).strip() in ("", "@latest") else str(version)
    if version is not None and version.lower() == _LATEST:
        version = None
    name = str(name)
    if is_curated_name(name):
        return curated_environment(name, version)
    return _read(folder, get_environment(folder.store.read(), name, version, also=tuple(CURATED))), ()


def recipe_of(
    environment: Environment, submitter: Mapping[str, Any], source: Path | None = None, engine: str = ""
) -> environments.Recipe | None:
    """Return what has to be built for an environment; None for one that means a Python that is there.

    Parameters
    ----------
    environment : Environment
        No reference.
    submitter : dict
        As `environments.submitter()` returns it.
    source : Path, optional
        The source directory, where relative paths in requirement lines may start; the current folder unless given.
    engine : str
        The Docker engine whose image it is to become, whatever it asks for; else this machine's, where it names an image.

    Raises
    ------
    ConfigurationError
        When it cannot be had, or asks for what is not supported yet.
    """
    folders = requirement_folders(source or Path(submitter["cwd"]))
    if engine or environments.names_image(environment):
        return environments.choose_recipe(environment, submitter, folders, engine or find_engine().host)
    run_config = RunConfiguration()
    run_config.environment = environment
    refuse_unbuilt(run_config)
    environments.check(run_config, submitter)
    return environments.choose_recipe(environment, submitter, folders)


def requirement_folders(source: Path) -> list[Path]:
    """Return where a relative path in the packages of an environment may start."""
    return [source, source / ".azureml", source / "aml_config"]


def environment_names(folder: WorkspaceFolder) -> list[str]:
    """Return the names of the registered environments, then of the curated ones."""
    names = {record.name for record in list_environments(folder.store.read(), autosaved=False)}
    return [*sorted(names), *CURATED]


def with_environment(folder: WorkspaceFolder, run_config: RunConfiguration) -> tuple[RunConfiguration, tuple[str, ...]]:
    """Return a run configuration in which a named environment is written out, and what is to be said about it.

    Raises
    ------
    UserErrorException
        When it names an environment that the workspace does not have.
    """
    named = run_config.environment
    if not named.is_reference:
        return run_config, ()
    name = named.name or DEFAULT_NAME
    known = {record.name for record in list_environments(folder.store.read(), name=name)}
    if name == DEFAULT_NAME and not known:
        return run_config, ()  # SDK v1's template by its name: nothing was asked for
    found, notes = find_registered(folder, name, named.version)
    written_out = copy(run_config)
    written_out.environment = found
    return written_out, notes


def autosave(folder: WorkspaceFolder, environment: Environment) -> EnvironmentRecord | None:
    """Keep the environment of a submit, as SDK v1 does; None for one that says nothing, or whose name cannot be kept.

    Raises
    ------
    WorkspaceException
        When it cannot be written.
    """
    name = environment.name or DEFAULT_NAME
    if environment.is_reference or is_curated_name(name) or (name == DEFAULT_NAME and _is_untouched(environment)):
        return None
    try:
        return save_environment(folder, name, plain(environment), autosave=True)
    except UserErrorException:
        return None  # the run has it all the same


def plain(environment: Environment) -> dict[str, Any]:
    """Return an environment's content; packages stand in it, whatever file they were read from."""
    definition = environment.to_dict()
    python = definition.get("python")
    if isinstance(python, dict) and python.get("condaDependencies") is not None:
        definition["python"] = {**python, "condaDependenciesFile": None}
    return {**definition, "name": None, "version": None}


def _is_untouched(environment: Environment) -> bool:
    return plain(environment) == _template()


@cache
def _template() -> dict[str, Any]:
    return plain(Environment(None))


def _read(folder: WorkspaceFolder, record: EnvironmentRecord) -> Environment:
    definition: Mapping[str, Any] = read_environment(folder.layout, record)
    environment = Environment.from_dict({**definition, "name": record.name, "version": record.version})
    registry = environment.docker.base_image_registry
    if registry.address and registry.username:
        registry.password = get_secret(folder, _secret_of(environment))
    return environment


def _secret_of(environment: Environment) -> str:
    """Return the name of the secret that holds the password of an image's registry: no file of an environment has it."""
    registry = environment.docker.base_image_registry
    who = hashlib.sha256(f"{registry.address} {registry.username}".encode()).hexdigest()
    return f"container-registry-{who[:16]}"

"""Choose, from an Environment alone, what has to be built for a run: nothing, a virtual environment, conda packages, an image."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.config import CondaDependencies, Environment
from aml_jupyter.config.conda_dependencies import DEFAULT_PYTHON, TEMPLATE_PYTHON, package_name
from aml_jupyter.environments.pythons import find_python, nearest_python
from aml_jupyter.environments.recipe import Recipe
from aml_jupyter.environments.requirement_lines import Requirements, read_requirements
from aml_jupyter.errors import ConfigurationError
from aml_jupyter.supervisor.pip_settings import installer_settings

if TYPE_CHECKING:
    from aml_jupyter.config import RunConfiguration
    from aml_jupyter.config.environment_sections import PythonSection

__all__ = [
    "TEMPLATE_PYTHONS",
    "choose_recipe",
    "is_template",
    "leave_out_served",
    "named_packages",
    "needs_conda",
    "wants_container",
]

# The templates of SDK v1 and of Workbench: who has exactly these has asked for nothing.
TEMPLATE_PYTHONS: Final = frozenset({"3.5.2", "3.6.2", TEMPLATE_PYTHON, DEFAULT_PYTHON})
_TEMPLATE_CHANNELS: Final = frozenset({"anaconda", "conda-forge", "defaults"})

SERVED: Final = frozenset({"azureml-defaults", "azure-ml-api-sdk", "azureml-requirements"})
"""Packages that only make a run of Azure's service possible, of all years: the in-run client takes their place."""

_OF_2017: Final = re.compile(r"^[^ ]* ?https?://azuremldownloads\.", re.IGNORECASE)
"""An address on the server that gave out the Workbench's packages; it is no more."""

FIELD: Final = "environment.python.conda_dependencies"


def wants_container(run_config: RunConfiguration) -> bool:
    """Say whether a run configuration asks for Docker, in either of its two sections."""
    environment = run_config.environment
    return bool(run_config.docker.use_docker or (not environment.is_reference and environment.docker.enabled))


def has_conda() -> bool:
    """Say whether conda packages can be solved and linked here: the extra ``conda`` is installed."""
    return importlib.util.find_spec("rattler") is not None


def is_template(dependencies: CondaDependencies) -> bool:
    """Say whether packages are those of an untouched template, which nobody has asked for."""
    content = dependencies.as_dict()
    return (
        all(package_name(entry) in ("python", "pip") and "::" not in entry for entry in dependencies.conda_packages)
        and all(_is_served(entry) for entry in dependencies.pip_packages)
        and all(_OF_2017.match(entry) for entry in dependencies.pip_options)
        and (dependencies.get_python_version() or DEFAULT_PYTHON) in TEMPLATE_PYTHONS
        and set(dependencies.conda_channels) <= _TEMPLATE_CHANNELS
        and not content.get("variables")
    )


def choose_recipe(
    environment: Environment,
    submitter: Mapping[str, Any],
    folders: Sequence[str | Path] = (),
    engine: str | None = None,
) -> Recipe | None:
    """Return what has to be built so that a run has what an Environment says; None: nothing.

    Parameters
    ----------
    environment : Environment
        What the run needs; no reference.
    submitter : dict
        As `submitter()` returns it: whose Python counts where none is asked for.
    folders : sequence of path
        Where relative paths in requirement lines may start.
    engine : str, optional
        The address of the Docker engine whose container will run it; without one, a process of this machine will.

    Raises
    ------
    ConfigurationError
        When something of it cannot be had: a file that is not there, a Python that this machine does not have.
    """
    found = _choose(environment, submitter, folders, engine)
    withheld = ", ".join(submitter.get("withheld") or ())
    if found is None or not withheld or not _asks_an_index(found):
        return found
    note = (
        f"{withheld} in your environment: an address with a user or a password. It is not used, so that it cannot get into an "
        "image, a lock or a log. What pip's own file has (pip config set global.index-url ADDRESS) is used, and kept out of them"
    )
    return replace(found, notes=(*found.notes, note))


def _asks_an_index(recipe: Recipe) -> bool:
    """Say whether a build asks for packages, or may do so in a step of a Dockerfile."""
    layer = recipe.asked if recipe.kind != "image" else recipe.asked.get("layer") or {}
    in_steps = recipe.kind == "image" and "base" not in recipe.asked["image"]
    return in_steps or bool(layer.get("requirements") or layer.get("specs"))


def _choose(
    environment: Environment, submitter: Mapping[str, Any], folders: Sequence[str | Path], engine: str | None
) -> Recipe | None:
    if engine is not None:
        from aml_jupyter.environments.choose_image import image_recipe

        return image_recipe(environment, submitter, [*folders, submitter.get("cwd") or "."], engine)
    python = environment.python
    dependencies = python.conda_dependencies
    if python.base_conda_environment is not None and not python.user_managed_dependencies:
        dependencies = _on_top_of(python.base_conda_environment, dependencies)
    if python.user_managed_dependencies or dependencies is None or is_template(dependencies):
        return None
    requirements = read_requirements(
        [*dependencies.pip_options, *dependencies.pip_packages],
        [*folders, submitter.get("cwd") or "."],
        dependencies.place_of,
    )
    notes = [*requirements.notes, *leave_out_served(requirements)]
    if not needs_conda(python):
        found = _venv(dependencies, requirements, submitter, notes)
        if found is not None:
            return found
    from aml_jupyter.environments.choose_conda import conda_recipe

    return conda_recipe(dependencies, requirements, submitter, notes, [*folders, submitter.get("cwd") or "."])


def _on_top_of(base: str, added: CondaDependencies | None) -> CondaDependencies:
    """Return the packages of a conda environment of this machine, with those that are added to it."""
    from aml_jupyter.config.conda_prefix import packages_of_prefix, prefix_of

    made = packages_of_prefix(prefix_of(base))
    if added is None or is_template(added):
        return made
    below = list(made.conda_channels)
    for channel in below:
        made.remove_channel(channel)
    for channel in [*added.conda_channels, *below]:
        made.add_channel(channel)
    for package in added.conda_packages:
        if package_name(package) != "python" or added.get_python_version() not in TEMPLATE_PYTHONS:
            made.add_conda_package(package)
    for option in added.pip_options:
        made.set_pip_option(option)
    for package in added.pip_packages:
        made.add_pip_package(package)
    return made


def needs_conda(python: PythonSection) -> bool:
    """Say whether conda packages are asked for, more than a Python and pip."""
    dependencies = python.conda_dependencies
    entries = [] if dependencies is None else dependencies.conda_packages
    named = any(package_name(entry) not in ("python", "pip") or "::" in entry for entry in entries)
    return named or python.base_conda_environment is not None


def leave_out_served(requirements: Requirements) -> list[str]:
    """Leave out what the in-run client takes the place of, and a server that is no more; return what is to be said of it."""
    served = [line for line in requirements.lines if _is_served(line)]
    requirements.lines[:] = [line for line in requirements.lines if line not in served]
    gone = [option for option in requirements.options if _OF_2017.match(" ".join(option))]
    requirements.options[:] = [option for option in requirements.options if option not in gone]
    names = [line.partition("?")[0].rsplit("/", 1)[-1] for line in served]
    notes = [f"{', '.join(names)}: not installed; aml-jupyter serves azureml.core inside the run"] if names else []
    return notes + [f"{' '.join(option)}: left out; that server is no more" for option in gone]


def _is_served(requirement: str) -> bool:
    return package_name(requirement) in SERVED or _OF_2017.match(requirement) is not None


def _venv(
    dependencies: CondaDependencies, requirements: Requirements, submitter: Mapping[str, Any], notes: list[str]
) -> Recipe | None:
    """Return the recipe of a virtual environment; None when only conda may have the Python that is asked for."""
    wish = next((entry for entry in dependencies.conda_packages if package_name(entry) == "python"), "python")
    version = str(submitter.get("version") or "")
    if wish == "python" or (dependencies.get_python_version() or DEFAULT_PYTHON) in TEMPLATE_PYTHONS:
        path = str(submitter["python"])
        if wish != "python" and not version.startswith(re.sub(r"\.\d+$", "", dependencies.get_python_version() or "")):
            notes.append(f"{wish} is the template's; the environment has the submitter's Python {version}")
    else:
        found = find_python(wish, submitter)
        if found is None:
            if has_conda():
                return None
            where = dependencies.place_of(wish) or FIELD
            raise ConfigurationError(
                f"{where}: {wish} cannot be had: no Python of this machine is one, and conda packages need "
                f"pip install 'aml-jupyter[conda]'. {nearest_python(wish)}.",
                field=FIELD,
            )
        path, version = found
    asked = {
        "python": {"path": os.path.realpath(path), "version": version},
        "platform": f"{platform.system().lower()}-{platform.machine()}",
        "requirements": requirements.lines,
        "constraints": requirements.constraints,
        "options": requirements.options,
        "settings": installer_settings(submitter.get("variables") or {}),
        "files": sorted(requirements.files),
        "variables": {str(key): str(value) for key, value in (dependencies.as_dict().get("variables") or {}).items()},
    }
    title = f"Python {version} with {named_packages(requirements)} (pip)"
    return Recipe("venv", asked, title, tuple(notes), requirements.files, requirements.origins)


def named_packages(requirements: Requirements) -> str:
    """Return the first few packages, for people."""
    names = [package_name(line.rsplit("/", 1)[-1]) for line in requirements.lines]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return shown or "no packages"

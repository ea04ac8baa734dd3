"""Choose what has to be built on another machine so that a run there has its packages: a virtual environment of its Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aml_jupyter.config import Environment
from aml_jupyter.config.conda_dependencies import DEFAULT_PYTHON, package_name
from aml_jupyter.environments.choose import (
    FIELD,
    TEMPLATE_PYTHONS,
    is_template,
    leave_out_served,
    named_packages,
    needs_conda,
)
from aml_jupyter.environments.recipe import Recipe
from aml_jupyter.environments.requirement_lines import read_requirements
from aml_jupyter.errors import ConfigurationError

__all__ = ["choose_there"]


def choose_there(
    environment: Environment, there: Mapping[str, Any], target: str, folders: Sequence[str | Path] = ()
) -> Recipe | None:
    """Return what has to be built over there for an Environment; None: nothing.

    Parameters
    ----------
    environment : Environment
        What the run needs; no reference.
    there : dict
        ``python`` and ``version`` of the machine.
    target : str
        The target's name, for messages.
    folders : sequence of path
        Where relative paths in requirement lines may start.

    Raises
    ------
    ConfigurationError
        When it asks for what is not built on other machines: conda packages, another Python.
    """
    python = environment.python
    dependencies = python.conda_dependencies
    if python.user_managed_dependencies or dependencies is None or is_template(dependencies):
        return None
    instead = (
        f"Make the environment on {target} yourself and name its Python: environment.python.user_managed_dependencies = True "
        "and environment.python.interpreter_path, or aml compute update --python PATH."
    )
    if needs_conda(python):
        raise ConfigurationError(
            f"{FIELD}: conda packages are not installed on machines that are reached over SSH yet, pip's are. {instead}",
            FIELD,
        )
    asked_version = dependencies.get_python_version() or DEFAULT_PYTHON
    wish = next((entry for entry in dependencies.conda_packages if package_name(entry) == "python"), "python")
    version = str(there.get("version") or "")
    is_wanted = wish != "python" and asked_version not in TEMPLATE_PYTHONS
    if is_wanted and version.split(".")[:2] != asked_version.split(".")[:2]:
        raise ConfigurationError(
            f"{FIELD}: {wish} is asked for, and {there['python']} of {target} is {version}. {instead}", FIELD
        )
    requirements = read_requirements(
        [*dependencies.pip_options, *dependencies.pip_packages], folders, dependencies.place_of
    )
    notes = [*requirements.notes, *leave_out_served(requirements)]
    asked = {
        "python": {"path": str(there["python"]), "version": version},
        "platform": f"{there.get('system')}-{there.get('machine')}",
        "requirements": requirements.lines,
        "constraints": requirements.constraints,
        "options": requirements.options,
        "settings": {},
        "files": sorted(requirements.files),
        "variables": {str(key): str(value) for key, value in (dependencies.as_dict().get("variables") or {}).items()},
    }
    return Recipe(
        "venv", asked, f"Python {version} with {named_packages(requirements)} (pip)", tuple(notes), requirements.files
    )

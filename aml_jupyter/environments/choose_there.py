"""Choose what has to be built on another machine so that a run there has its packages.

That is a virtual environment of its Python, or conda packages, which are solved and linked here for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aml_jupyter.config import Environment
from aml_jupyter.config.conda_dependencies import DEFAULT_PYTHON, package_name
from aml_jupyter.environments.choose import (
    FIELD,
    TEMPLATE_PYTHONS,
    has_conda,
    is_template,
    leave_out_served,
    named_packages,
    needs_conda,
)
from aml_jupyter.environments.choose_conda import conda_platform, conda_recipe
from aml_jupyter.environments.recipe import Recipe
from aml_jupyter.environments.requirement_lines import read_requirements
from aml_jupyter.errors import ConfigurationError

__all__ = ["choose_there", "conda_machine"]


ARCHITECTURES: Final = {"linux-64": "x86_64", "linux-aarch64": "aarch64", "linux-ppc64le": "ppc64le"}
"""The systems for which conda packages are linked, each with what every processor of it can do."""


def choose_there(
    environment: Environment,
    there: Mapping[str, Any],
    target: str,
    folders: Sequence[str | Path] = (),
    variables: Mapping[str, str] | None = None,
) -> Recipe | None:
    """Return what has to be built over there for an Environment; None: nothing.

    Parameters
    ----------
    environment : Environment
        What the run needs; no reference.
    there : dict
        ``python`` and ``version`` of the machine; for conda also ``system``, ``machine``, ``release``, ``libc``, ``cuda``.
    target : str
        The target's name, for messages.
    folders : sequence of path
        Where relative paths in requirement lines may start.
    variables : dict, optional
        The submitter's, whose settings of conda count.

    Raises
    ------
    ConfigurationError
        When it asks for what is not built on other machines.
    """
    python = environment.python
    dependencies = python.conda_dependencies
    if python.user_managed_dependencies:
        return None
    if python.base_conda_environment is not None:
        raise ConfigurationError(
            "environment.python.base_conda_environment names an environment of this machine, which "
            f"{target} does not have. Name its packages in conda_dependencies.",
            "environment.python.base_conda_environment",
        )
    if dependencies is None or is_template(dependencies):
        return None
    asked_version = dependencies.get_python_version() or DEFAULT_PYTHON
    wish = next((entry for entry in dependencies.conda_packages if package_name(entry) == "python"), "python")
    version = str(there.get("version") or "")
    is_wanted = wish != "python" and asked_version not in TEMPLATE_PYTHONS
    is_other = is_wanted and version.split(".")[:2] != asked_version.split(".")[:2]
    if is_other and not has_conda():
        raise ConfigurationError(
            f"{FIELD}: {wish} is asked for, and {there['python']} of {target} is {version}. Conda's packages would bring it: "
            "pip install 'aml-jupyter[conda]' here. Or make the environment there yourself and name its Python: "
            "environment.python.user_managed_dependencies = True and environment.python.interpreter_path.",
            FIELD,
        )
    requirements = read_requirements(
        [*dependencies.pip_options, *dependencies.pip_packages], folders, dependencies.place_of
    )
    notes = [*requirements.notes, *leave_out_served(requirements)]
    if is_other or needs_conda(python):
        whose = {"variables": dict(variables or {})}
        return conda_recipe(dependencies, requirements, whose, notes, folders, conda_machine(there, target))
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


def conda_machine(there: Mapping[str, Any], target: str) -> dict[str, Any]:
    """Return the platform of a machine, and what it has, as conda's solver should see it.

    Raises
    ------
    ConfigurationError
        When packages cannot be linked for it.
    """
    platform = conda_platform(str(there.get("system") or ""), str(there.get("machine") or ""))
    if platform not in ARCHITECTURES:
        raise ConfigurationError(
            f"{FIELD}: conda packages are linked here for {', '.join(ARCHITECTURES)}, and {target} is {platform}. Make the "
            "environment there yourself and name its Python: environment.python.user_managed_dependencies = True and "
            "environment.python.interpreter_path.",
            FIELD,
        )
    kernel = re.match(r"\d+\.\d+", str(there.get("release") or ""))
    libc = re.match(r"glibc (\d+\.\d+)", str(there.get("libc") or ""))
    virtual = {"unix": "0", "linux": kernel[0] if kernel else "0"}
    virtual |= {"glibc": libc[1]} if libc else {}
    virtual |= {"cuda": str(there["cuda"])} if there.get("cuda") else {}
    return {"platform": platform, "architecture": ARCHITECTURES[platform], "virtual": virtual}

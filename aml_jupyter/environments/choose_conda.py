"""Turn an Environment with conda packages into a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aml_jupyter.environments.recipe import Recipe
from aml_jupyter.errors import ConfigurationError

if TYPE_CHECKING:
    from aml_jupyter.config import Environment
    from aml_jupyter.environments.requirement_lines import Requirements

__all__ = ["conda_recipe"]


def conda_recipe(
    environment: Environment, requirements: Requirements, submitter: Mapping[str, Any], notes: list[str]
) -> Recipe:
    """Return the recipe of an environment with conda packages."""
    raise ConfigurationError("environment.python.conda_dependencies: conda packages are not supported yet.")

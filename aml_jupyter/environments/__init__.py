"""Own which Python runs a run, and with which packages and variables.

That is a Python that exists (the submitter's, or one that a person names), or one that is built from what an Environment
asks for: a virtual environment, conda packages, an image. `choose.py` says which, `cache.py` where it is, and
`builders/` how it is made, in a process of its own.
"""

from __future__ import annotations

from aml_jupyter.environments.cache import Built, Entry, EnvironmentCache, Hold
from aml_jupyter.environments.choose import choose_recipe, is_template
from aml_jupyter.environments.choose_conda import check_packages
from aml_jupyter.environments.choose_container import choose_container, is_in_container
from aml_jupyter.environments.choose_image import context_archive, names_image
from aml_jupyter.environments.choose_there import choose_there
from aml_jupyter.environments.curated import CURATED, curated_environment, is_curated_name
from aml_jupyter.environments.following import Build, begin_build, keep_sources
from aml_jupyter.environments.recipe import Recipe
from aml_jupyter.environments.resolved import (
    ResolvedEnvironment,
    around,
    check,
    python_of,
    resolve,
    resolve_there,
    without_effect,
)
from aml_jupyter.environments.starting import start_builder, stop_builder
from aml_jupyter.environments.submitter import submitter

__all__ = [
    "CURATED",
    "Build",
    "Built",
    "Entry",
    "EnvironmentCache",
    "Hold",
    "Recipe",
    "ResolvedEnvironment",
    "around",
    "begin_build",
    "check",
    "check_packages",
    "choose_container",
    "choose_recipe",
    "choose_there",
    "context_archive",
    "curated_environment",
    "is_curated_name",
    "is_in_container",
    "is_template",
    "keep_sources",
    "names_image",
    "python_of",
    "resolve",
    "resolve_there",
    "start_builder",
    "stop_builder",
    "submitter",
    "without_effect",
]

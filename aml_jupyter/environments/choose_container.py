"""Choose, from a run configuration alone, whether a run is in a container, and how that one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aml_jupyter.config.sections import DEFAULT_SHARED_MEMORY
from aml_jupyter.environments.choose import wants_container
from aml_jupyter.environments.choose_image import names_image

if TYPE_CHECKING:
    from aml_jupyter.config import RunConfiguration

__all__ = ["choose_container", "is_in_container"]


def is_in_container(run_config: RunConfiguration) -> bool:
    """Say whether a run is in a container wherever it runs: Docker is asked for, or an image is named."""
    return wants_container(run_config) or names_image(run_config.environment)


def choose_container(run_config: RunConfiguration, engine: str) -> dict[str, Any]:
    """Return what stands in ``run.json`` under ``container``; which image it has, its environment says.

    Parameters
    ----------
    run_config : RunConfiguration
        What the run asks for; its environment is no reference to a registered one.
    engine : str
        The address of the Docker engine.
    """
    docker, section = run_config.environment.docker, run_config.docker
    own = section.shm_size if section.shm_size != DEFAULT_SHARED_MEMORY else None
    return {
        "engine": engine,
        "shm_size": own or docker.shm_size or DEFAULT_SHARED_MEMORY,
        "arguments": [*(docker.arguments or []), *(section.arguments or [])],
    }

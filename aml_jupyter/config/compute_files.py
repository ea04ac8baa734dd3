"""Read the ``.compute`` files of 2017: where a run configuration's target is, and what it has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aml_jupyter.config.fields import Section, optional_boolean, optional_choice, optional_number, text
from aml_jupyter.config.reading import Place

if TYPE_CHECKING:
    from aml_jupyter.config.run_configuration import RunConfiguration

ENDING = ".compute"
TYPES = (
    "local",
    "docker",
    "localdocker",
    "remote",
    "remotedocker",
    "cluster",
    "amlcompute",
    "containerinstance",
    "batchai",
)
_ON_THIS_MACHINE = ("local", "docker", "localdocker")
_IN_A_CONTAINER = ("docker", "localdocker", "remotedocker", "amlcompute", "containerinstance")


class ComputeFile(Section):
    """Hold a compute target as Azure ML Workbench wrote it down; a password is never shown."""

    type = optional_choice(TYPES)
    base_docker_image = text()
    address = text()
    username = text()
    password = text(secret=True)
    private_key = text(secret=True)
    shared_volumes = optional_boolean()
    nvidia_docker = optional_boolean()
    native_shared_directory = text()
    user_managed_environment = optional_boolean()
    python_location = text()
    yarn_deploy_mode = optional_choice(("cluster", "client"))
    node_count = optional_number(minimum=1)
    priority = optional_number()
    subscription_id = text()
    resource_group = text()
    cluster_name = text()
    workspace_name = text()

    _kept_silently = frozenset({"name"})

    @property
    def is_on_this_machine(self) -> bool:
        """Say whether runs execute on the machine that they are submitted from."""
        return self.type in _ON_THIS_MACHINE

    def apply(self, config: RunConfiguration) -> None:
        """Put into a run configuration what SDK v1 took from this file."""
        environment = config.environment
        if self.base_docker_image is not None and self.type != "local":
            environment.docker.base_image = self.base_docker_image
        if self.python_location is not None:
            environment.python.interpreter_path = self.python_location
        if self.user_managed_environment is not None:
            environment.python.user_managed_dependencies = self.user_managed_environment
            environment.spark.precache_packages = not self.user_managed_environment
        if self.type in _IN_A_CONTAINER:
            environment.docker.enabled = True
        if self.shared_volumes is not None:
            environment.docker.shared_volumes = self.shared_volumes
        if self.yarn_deploy_mode is not None:
            config.hdi.yarn_deploy_mode = self.yarn_deploy_mode
        if self.node_count is not None:
            config.node_count = self.node_count
        if self.priority is not None:
            config.priority = self.priority


def find_compute_file(target: str, place: Place) -> Path | None:
    """Return the ``.compute`` file of a target: beside the run configuration, else in the project's folders."""
    if place.source is None or os.path.basename(target) != target or "\0" in target:
        return None
    folders = [os.path.dirname(place.source), *(os.path.join(folder, "aml_config") for folder in place.folders)]
    candidates = (Path(folder, f"{target}{ENDING}") for folder in folders)
    try:
        return next((path for path in candidates if path.is_file()), None)
    except OSError:  # the name is too long for a file
        return None


def read_compute_file(path: Path, notes: list[str] | None = None) -> ComputeFile:
    """Return what a ``.compute`` file says.

    Raises
    ------
    ConfigurationError
        With file, line, key, and what was expected.
    """
    from aml_jupyter.config.yaml_files import parse, read_file

    content = parse(read_file(path, "compute file"), str(path))
    return ComputeFile._read({} if content is None else content, Place(str(path), notes=notes))

"""Have an engine start the container of an attempt, once, and say in plain words why it cannot."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aml_jupyter.errors import ConfigurationError
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.targets.container_options import read_arguments
from aml_jupyter.targets.container_place import Placement, creation
from aml_jupyter.targets.container_user import introduce_user
from aml_jupyter.targets.protocol import Container, Needs
from aml_jupyter.targets.shell_launch import shell_command
from aml_jupyter.transports.docker_engine import DockerEngine
from aml_jupyter.transports.docker_images import ImageGone, find_image

__all__ = ["start_container"]

OLDEST_PYTHON: Final = (3, 6)
FIELD: Final = "environment.docker"


def start_container(
    engine: DockerEngine,
    container: Container,
    needs: Needs,
    placement: Placement,
    before: Callable[[], None],
) -> None:
    """Start the container of an attempt, unless it has been started.

    Parameters
    ----------
    before : callable
        Called when all is ready, before the engine is told to start it.

    Raises
    ------
    EngineUnavailable
        When the engine does not answer: a later call may do it.
    ConfigurationError
        When it cannot be started as it is.
    """
    engine.ping()
    standing = _standing(engine, placement.name)
    if standing is not None and standing["State"]["Status"] != "created":
        if not standing["State"]["Running"]:
            raise ConfigurationError(_early_end(engine, placement, standing), FIELD)
        return
    control = os.path.join(placement.folder, protocol.CONTROL)
    if standing is None:
        if find_image(engine, container.image) is None:
            raise ImageGone(
                f"The image of run {placement.run_id} was built, and is gone from the Docker engine at {engine.host}. "
                "Submit the run again: it is built from its lock.",
                FIELD,
            )
        command = _command(container, needs, placement, control)
        place_file = protocol.container_path(control)
        body = creation(container, needs, placement, command, place_file)
        with fault_point("container.create"):
            _create(engine, placement.name, body, container)
    if os.getuid() != 0:
        introduce_user(engine, placement.name)
    before()
    with fault_point("container.start"):
        _start(engine, placement.name, container)


def _standing(engine: DockerEngine, name: str) -> dict[str, Any] | None:
    import docker.errors

    with engine.explained():
        try:
            found: dict[str, Any] = engine.client.api.inspect_container(name)
            return found
        except docker.errors.NotFound:
            return None


def _create(engine: DockerEngine, name: str, body: dict[str, Any], container: Container) -> None:
    import docker.errors

    with engine.explained():
        try:
            engine.client.api.create_container_from_config(body, name)
        except docker.errors.APIError as error:
            if error.status_code == 409:
                return  # an earlier call has made it
            raise ConfigurationError(_why(container, error), FIELD) from error


def _start(engine: DockerEngine, name: str, container: Container) -> None:
    import docker.errors

    with engine.explained():
        try:
            engine.client.api.start(name)
        except docker.errors.APIError as error:
            raise ConfigurationError(_why(container, error), FIELD) from error


def _why(container: Container, error: Any) -> str:
    """Return why a container cannot be made or started, and what to do."""
    said = str(getattr(error, "explanation", None) or error).strip()
    told = f"The container of image {container.image} could not be started: {said}."
    if "could not select device driver" in said:
        return f"{told} The engine has no GPU support: install the NVIDIA Container Toolkit, or ask for no GPU."
    if "network" in said and "not found" in said:
        return f"{told} Make the network with docker network create, or leave --network out of docker.arguments."
    if "Conflicting options" in said or "invalid" in said.lower():
        return f"{told} See docker.arguments."
    return told


def _early_end(engine: DockerEngine, placement: Placement, standing: dict[str, Any]) -> str:
    """Return what a container said that ended before its supervisor could write anything."""
    with engine.explained():
        said = engine.client.api.logs(placement.name, tail=20).decode("utf-8", "replace").strip()
    state = standing["State"]
    memory = " It ran out of memory." if state.get("OOMKilled") else ""
    return (
        f"The container of run {placement.run_id} ended with exit code {state.get('ExitCode')} before the run "
        f"started.{memory} It said: {said or state.get('Error') or 'nothing'}"
    )


def _command(container: Container, needs: Needs, placement: Placement, control: str) -> list[str]:
    """Return the supervisor's command line in the container."""
    archive = next(Path(placement.bundle).glob("*.zip"))
    known = tuple(int(part) for part in container.version.split(".")[:2] if part.isdigit())
    if not container.python or (known and known < OLDEST_PYTHON):
        settings = read_arguments(container.arguments)
        return shell_command(control, int(settings.get("Memory") or needs.memory))
    return [container.python, "-I", "-S", str(archive), "supervise", control]

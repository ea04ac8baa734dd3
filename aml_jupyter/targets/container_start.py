"""Have an engine start the container of an attempt, once, and say in plain words why it cannot."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, NoReturn

from aml_jupyter.errors import ComputeTargetException, ConfigurationError
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.targets.container_options import read_arguments
from aml_jupyter.targets.container_place import Placement, creation
from aml_jupyter.targets.container_user import introduce_user
from aml_jupyter.targets.protocol import Container, Needs
from aml_jupyter.targets.shell_launch import shell_command, shell_words
from aml_jupyter.transports.docker_engine import DockerEngine
from aml_jupyter.transports.docker_images import ImageGone, find_image

__all__ = ["ContainerKilled", "needs_shell", "start_container"]

KILLED: Final = (137, 143, 255)
"""Exit codes of a container that somebody ended: SIGKILL, SIGTERM, and what a restarted engine says of those it has lost."""

OLDEST_PYTHON: Final = (3, 6)
FIELD: Final = "environment.docker"


class ContainerKilled(ComputeTargetException):
    """Say that a container was ended from outside before its run could start; it can be started again."""


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
    ContainerKilled
        When it was started before, and somebody ended it too early; it is removed, so a later call may do it.
    ConfigurationError
        When it cannot be started as it is.
    """
    engine.ping()
    standing = _standing(engine, placement.name)
    control = os.path.join(placement.folder, protocol.CONTROL)
    if standing is not None and standing["State"]["Status"] != "created":
        if not standing["State"]["Running"] and not os.path.exists(
            os.path.join(placement.copy or control, protocol.ATTEMPT)
        ):
            _explain_early_end(engine, placement, standing)
        return
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
    if placement.owner.uid != 0:
        introduce_user(engine, placement.name, placement.owner)
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


def _explain_early_end(engine: DockerEngine, placement: Placement, standing: dict[str, Any]) -> NoReturn:
    """Tell how a container ended before its supervisor could write anything."""
    state = standing["State"]
    with engine.explained():
        said = engine.client.api.logs(placement.name, tail=20).decode("utf-8", "replace").strip()
        if state.get("ExitCode") in KILLED and not state.get("OOMKilled"):
            with fault_point("container.remove"):
                engine.client.api.remove_container(placement.name, force=True, v=True)
            raise ContainerKilled(
                f"The container of run {placement.run_id} was ended from outside, with exit code {state['ExitCode']}, "
                "before the run started; its engine may have been restarted.",
                FIELD,
            )
    memory = " It ran out of memory." if state.get("OOMKilled") else ""
    raise ConfigurationError(
        f"The container of run {placement.run_id} ended with exit code {state.get('ExitCode')} before the run "
        f"started.{memory} It said: {said or state.get('Error') or 'nothing'}",
        FIELD,
    )


def _command(container: Container, needs: Needs, placement: Placement, control: str) -> list[str]:
    """Return the supervisor's command line in the container."""
    if not needs_shell(container):
        return [container.python, "-I", "-S", placement.archive, "supervise", control]
    if placement.copy:
        return shell_words(control)  # what it reads was sent with the other files
    settings = read_arguments(container.arguments)
    return shell_command(control, int(settings.get("Memory") or needs.memory))


def needs_shell(container: Container) -> bool:
    """Tell whether an image has no Python that a supervisor could run on."""
    known = tuple(int(part) for part in container.version.split(".")[:2] if part.isdigit())
    return not container.python or bool(known and known < OLDEST_PYTHON)

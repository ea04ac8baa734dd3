"""Check a container at submit, before anything is copied: its options, its engine, and whether that can give what is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.targets.container_options import read_arguments, size_in_bytes
from aml_jupyter.targets.protocol import Container, Needs
from aml_jupyter.transports.docker_engine import DockerEngine, EngineAddress, address_of, find_engine
from aml_jupyter.transports.docker_images import find_image
from aml_jupyter.workspace import TargetRecord

__all__ = ["asks_for_gpus", "check_container", "engine_for", "engine_there", "said_of_gpus"]


def engine_for(written: str = "") -> str:
    """Return the address of an engine of this machine that answers.

    Parameters
    ----------
    written : str
        An address as ``DOCKER_HOST`` has it; without one, the engine that Docker's own command would take.

    Raises
    ------
    ComputeTargetException
        When none answers, or the files of this machine are not its files.
    """
    address = EngineAddress(written, "the setting engine") if written else find_engine()
    _check_local(address)
    with DockerEngine(address) as engine:
        engine.ping()
    return address.host


def engine_there(record: TargetRecord) -> str:
    """Return the address of the engine of a target's machine.

    Raises
    ------
    ComputeTargetException
        When none that the user can use was found there; says why.
    """
    found = record.settings.get("found") or {}
    engine = found.get("engine") or {}
    if engine.get("address"):
        return str(engine["address"])
    why = engine.get("problem") or "it was not looked for when the machine was attached"
    raise ComputeTargetException(
        f"{record.name} has no Docker engine for the run's container: {why}. When that is changed: aml compute test "
        f"{record.name} (or aml compute update {record.name} --engine SOCKET), then submit again.",
        "target",
    )


def check_container(container: Container, needs: Needs, there: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Return what is to be said about a run's container.

    Parameters
    ----------
    container : Container
        What was chosen.
    needs : Needs
        What the run takes up.
    there : dict, optional
        What is known of the engine of another machine: that one is not asked, and need not answer now.

    Raises
    ------
    ConfigurationError
        When ``docker.arguments`` or the size of the shared memory cannot be used.
    ComputeTargetException
        When the engine does not answer, is another machine's, or can never give what is asked.
    """
    settings = read_arguments(container.arguments)
    if container.shm_size:
        size_in_bytes(container.shm_size, "docker.shm_size")
    if there is not None:
        _check_limits(container, needs, settings, int(there.get("cores") or 0), int(there.get("memory") or 0))
        return ()
    address = address_of(container.engine, "the run's container")
    _check_local(address)
    with DockerEngine(address) as engine:
        facts = engine.facts()
        _check_limits(container, needs, settings, facts.cores, facts.memory)
        image = find_image(engine, container.image) if container.image else None
    notes = []
    if image is not None and asks_for_gpus(container.arguments, needs.gpus) and not image.is_for_gpus:
        notes.append(said_of_gpus(container.image))
    return tuple(notes)


def _check_limits(
    container: Container, needs: Needs, settings: Mapping[str, Any], its_cores: int, its_memory: int
) -> None:
    """Refuse what an engine with so many cores and bytes of memory can never give."""
    memory = int(settings.get("Memory") or needs.memory)
    if memory > its_memory:
        raise ComputeTargetException(
            f"The run asks for {memory / 1e9:.3g} GB of memory, and the Docker engine at {container.engine} has "
            f"{its_memory / 1e9:.3g} GB.",
            "memory",
        )
    cores = settings.get("NanoCpus", 0) / 1e9
    if cores > its_cores:
        raise ComputeTargetException(
            f"docker.arguments: --cpus is {cores:g}, and the Docker engine at {container.engine} has {its_cores}.",
            "docker.arguments",
        )


def asks_for_gpus(arguments: Sequence[str], gpus: int) -> bool:
    """Say whether a run asks for GPUs: as its needs, or in ``docker.arguments``."""
    return bool(gpus or read_arguments(tuple(arguments)).get("DeviceRequests"))


def said_of_gpus(image: str) -> str:
    """Return what is said of an image without a sign of GPUs to who asks for them."""
    return (
        f"the run asks for a GPU, and the image {image} does not look as if it could use one: it has none of the variables of "
        "a CUDA or ROCm image"
    )


def _check_local(address: EngineAddress) -> None:
    if not address.is_local:
        raise ComputeTargetException(
            f"The Docker engine at {address.host} (from {address.source}) is another machine's: the run's folder could not "
            "be mounted there. Set DOCKER_HOST to an engine of this machine.",
            "engine",
        )

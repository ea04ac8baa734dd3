"""Bring images to an engine and look into them: pull with progress, and find the Python that an image has."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aml_jupyter.errors import ConfigurationError
from aml_jupyter.transports.docker_engine import DockerEngine

__all__ = ["ImageFacts", "ImageGone", "PythonInImage", "find_image", "find_python", "pull_image", "said_in_image"]

TRIES = 3
"""How often a pull is tried that failed for what may pass."""

GPU_SIGNS = ("CUDA_VERSION", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "ROCM_VERSION", "ROCM_PATH")
"""Variables that an image made for GPUs has."""

TOLD_AFTER = 0.5
"""Seconds between two words on how far a pull is: an engine has some for every block of every layer."""

PAUSE = 1.0
"""Seconds before the second try, doubled for the third."""

PASSING = (
    "timeout",
    "timed out",
    "temporary failure",
    "connection reset",
    "eof",
    "too many requests",
    "503",
    "502",
    "500",
)

Progress = Callable[[str, float | None], None]
"""Called with what is being done, and which part of it is (0 to 1, or None where that is not known)."""


@dataclass(frozen=True)
class ImageFacts:
    """Say what an image is, and what its makers set."""

    id: str
    size: int
    architecture: str
    variables: Mapping[str, str]
    entrypoint: tuple[str, ...]
    labels: Mapping[str, str]

    @property
    def is_for_gpus(self) -> bool:
        """Say whether it has one of the variables that images made for GPUs have."""
        return any(name in self.variables for name in GPU_SIGNS)


class ImageGone(ConfigurationError):
    """Say that an engine has lost an image that was built for a run; it can be built again."""


@dataclass(frozen=True)
class PythonInImage:
    """Say which Python an image has, and where."""

    path: str
    version: str


def find_image(engine: DockerEngine, name: str) -> ImageFacts | None:
    """Return what the engine has under `name`, or None."""
    import docker.errors

    with engine.explained():
        try:
            found = engine.client.api.inspect_image(name)
        except docker.errors.ImageNotFound:
            return None
        except docker.errors.APIError as error:
            raise ConfigurationError(
                f"{name!r} is no image's name: {_explanation(error)}", "environment.docker.base_image"
            ) from error
    config = found.get("Config") or {}
    pairs = (entry.partition("=") for entry in config.get("Env") or [])
    return ImageFacts(
        id=str(found["Id"]),
        size=int(found.get("Size") or 0),
        architecture=str(found.get("Architecture", "")),
        variables={key: value for key, _, value in pairs},
        entrypoint=tuple(config.get("Entrypoint") or ()),
        labels=config.get("Labels") or {},
    )


def pull_image(
    engine: DockerEngine,
    name: str,
    credentials: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    always: bool = False,
) -> ImageFacts:
    """Return the image called `name`, pulled from its registry where the engine lacks it.

    Parameters
    ----------
    credentials : dict, optional
        ``username`` and ``password`` for the registry. Without them, what ``docker login`` has stored is used.
    progress : callable, optional
        Called as layers come in.
    always : bool
        Ask the registry even when the engine has an image of that name.

    Raises
    ------
    EngineUnavailable
        When the engine does not answer.
    ConfigurationError
        When the image cannot be had; the message says why: no such image, no access, or no registry that answers.
    """
    here = find_image(engine, name)
    if here is not None and not always:
        return here
    auth = dict(credentials) if credentials else None
    for number in range(TRIES):
        failure = _pull_once(engine, name, auth, progress)
        if failure is None:
            break
        passing = any(word in failure.lower() for word in PASSING)
        if not passing or number == TRIES - 1:
            raise ConfigurationError(_told(name, failure, bool(auth)), "environment.docker.base_image")
        time.sleep(PAUSE * 2**number)
    found = find_image(engine, name)
    if found is None:
        raise ConfigurationError(
            f"The image {name} was pulled, and the engine does not have it.", "environment.docker.base_image"
        )
    return found


def _pull_once(engine: DockerEngine, name: str, auth: dict[str, str] | None, progress: Progress | None) -> str | None:
    """Pull; return what went wrong, or None."""
    import docker.errors
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(name)
    layers: dict[str, tuple[int, int]] = {}
    told = ("", 0.0)
    with engine.explained():
        try:
            for line in engine.client.api.pull(repository, tag or "latest", stream=True, decode=True, auth_config=auth):
                if line.get("error"):
                    return str(line["error"])
                said, part = _progress(line, layers)
                if progress is not None and said != told[0] and time.monotonic() - told[1] >= TOLD_AFTER:
                    told = (said, time.monotonic())
                    progress(said, part)
        except docker.errors.APIError as error:
            return _explanation(error)
    if progress is not None and layers:
        progress(f"{sum(size for _, size in layers.values()) / 1e6:.1f} MB are there", 1.0)
    return None


def _progress(line: dict[str, Any], layers: dict[str, tuple[int, int]]) -> tuple[str, float | None]:
    """Return how far all layers are together, as one line of the engine's answer says: in words, and as a part of 1."""
    detail, layer = line.get("progressDetail") or {}, str(line.get("id", ""))
    status = str(line.get("status", ""))
    if status == "Downloading" and detail.get("total"):
        layers[layer] = (int(detail.get("current") or 0), int(detail["total"]))
    elif status in ("Download complete", "Pull complete", "Already exists") and layer in layers:
        layers[layer] = (layers[layer][1], layers[layer][1])
    total = sum(size for _, size in layers.values())
    done = sum(current for current, _ in layers.values())
    if not total:
        return f"{status} {layer}".strip(), None
    if done < total or status == "Downloading":
        return f"downloading {done / 1e6:.1f} of {total / 1e6:.1f} MB", done / total
    return f"unpacking {total / 1e6:.1f} MB", 1.0


def _explanation(error: Any) -> str:
    return str(getattr(error, "explanation", None) or error)


def _told(name: str, failure: str, has_credentials: bool) -> str:
    """Return why an image cannot be had, and what to do."""
    lowered = failure.lower()
    if any(
        word in lowered
        for word in ("unauthorized", "authentication required", "access denied", "denied:", "no basic auth")
    ):
        hint = (
            "The user name or password for its registry is wrong, or may not read it"
            if has_credentials
            else "It does not exist, or its registry wants a login: run docker login, or set "
            "environment.docker.base_image_registry (address, username, password)"
        )
    elif "not found" in lowered or "manifest unknown" in lowered:
        hint = "Its registry has no image of that name and tag: check both, or docker load it from a file"
    else:
        hint = "Its registry cannot be reached from the engine: check the name and the network, or docker load it from a file"
    return f"The image {name} cannot be pulled: {failure.strip()}. {hint}."


def find_python(engine: DockerEngine, image: str, interpreter: str = "python") -> PythonInImage | None:
    """Return the Python that a container of `image` finds under the name or path `interpreter`, or None.

    ``python`` also finds ``python3``. The image is looked into with a container that has no network and is removed
    again.

    Raises
    ------
    EngineUnavailable
        When the engine does not answer.
    """
    names = ["python", "python3"] if interpreter == "python" else [interpreter]
    for name in names:
        # The interpreter itself first: an image may have a Python and no shell.
        words = [name, "-c", 'import sys; print(sys.executable); print(".".join(map(str, sys.version_info[:3])))']
        said = said_in_image(engine, image, words)
        lines = (said or "").splitlines()
        if len(lines) >= 2 and posixpath.isabs(lines[-2]):
            return PythonInImage(lines[-2], lines[-1])
    return None


def said_in_image(engine: DockerEngine, image: str, words: Sequence[str]) -> str | None:
    """Run `words` in a container of `image` without a network; return what it printed, or None when that did not work.

    Raises
    ------
    EngineUnavailable
        When the engine does not answer.
    """
    import docker.errors

    with engine.explained():
        api = engine.client.api
        limits = api.create_host_config(network_mode="none")
        container = api.create_container(
            image, entrypoint=[words[0]], command=list(words[1:]), host_config=limits, labels={"aml.look": "1"}
        )["Id"]
        try:
            api.start(container)
            code = int(api.wait(container, timeout=60)["StatusCode"])
            said = api.logs(container, stdout=True, stderr=False).decode("utf-8", "replace")
            return said if code == 0 else None
        except docker.errors.APIError:
            return None  # the program is not there: the engine says so at the start
        finally:
            api.remove_container(container, force=True, v=True)

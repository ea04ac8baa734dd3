"""Collect built environments that nobody has used for a while: least recently used first, never one that is held."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aml_jupyter.environments.cache import READY, EnvironmentCache
from aml_jupyter.errors import UserErrorException, WorkspaceException
from aml_jupyter.supervisor import protocol

__all__ = ["Collected", "collect_environments", "last_used", "remove_built", "size_of", "sizes_of"]


@dataclass(frozen=True)
class Collected:
    """Describe an environment that was collected: the key of what it was, its size in bytes, when it was last used."""

    key: str
    size: int
    used: float


def collect_environments(
    cache: EnvironmentCache, unused_seconds: float, wanted: set[str] | None = None, dry_run: bool = False
) -> list[Collected]:
    """Remove the environments that no run has used for `unused_seconds`, and the wrecks of builds that were killed.

    Parameters
    ----------
    cache : EnvironmentCache
        Where they lie.
    unused_seconds : float
        How long an environment has to be unused.
    wanted : set of str, optional
        Keys of recipes that queued runs wait for: what they were built into stays.
    dry_run : bool
        Remove nothing, and return what would be.

    Raises
    ------
    WorkspaceException
        When a folder cannot be removed.
    """
    kept = {str((cache.entry(key).resolved() or {}).get("lock_key")) for key in wanted or ()}
    now = time.time()
    found = []
    for path in _places(cache):
        if path.name in kept:
            continue
        used = last_used(path)
        with _alone(cache, path, used) as is_free:
            ready = cache.built(path.name)
            if not is_free or (ready is not None and now - used < unused_seconds):
                continue
            size = size_of(path)
            if dry_run or _remove(path):
                found.append(Collected(path.name, size, used))
    return sorted(found, key=lambda each: each.used)


def remove_built(cache: EnvironmentCache, key: str) -> int:
    """Remove what was built under `key` and return the bytes that gave back; it is built from its lock when it is wanted.

    Parameters
    ----------
    cache : EnvironmentCache
        Where it lies.
    key : str
        The key of what it was resolved to.

    Raises
    ------
    UserErrorException
        When a run uses it, or somebody builds it.
    WorkspaceException
        When its folder cannot be removed.
    """
    path = cache.built_path(key)
    if not path.is_dir():
        return 0
    with _alone(cache, path, last_used(path)) as is_free:
        if not is_free:
            raise UserErrorException(
                f"The environment {key} is in use: a run runs in it, or it is being built. Wait for its end, or cancel the run.",
                "environment",
            )
        size = size_of(path)
        if not _remove(path):
            raise WorkspaceException(
                f"The Docker engine that has the image of the environment {key} does not answer; start it and try again."
            )
    return size


def sizes_of(path: Path) -> tuple[int, int]:
    """Return the bytes that `path` takes up on the disk, and those of them that go when it is removed."""
    facts = _facts(path)
    total, own = int(facts.get("size") or 0), int(facts.get("layer_size") or 0)  # of an image
    for root, _, files in os.walk(path):
        for name in files:
            with suppress(OSError):
                found = os.lstat(os.path.join(root, name))
                total += found.st_blocks * 512
                own += found.st_blocks * 512 if found.st_nlink == 1 else 0
    return total, own


def last_used(path: Path) -> float:
    """Return when a run last began in the environment in `path`, or when it was built (seconds since the epoch)."""
    for name in (".use", READY, "."):
        with suppress(OSError):
            return os.stat(path / name).st_mtime
    return 0.0


def size_of(path: Path) -> int:
    """Return the bytes on disk that go when `path` is removed; what is linked from elsewhere, too, is not counted."""
    return sizes_of(path)[1]


def _places(cache: EnvironmentCache) -> list[Path]:
    with suppress(FileNotFoundError):
        return sorted(Path(entry.path) for entry in os.scandir(cache.root / "built") if entry.is_dir())
    return []


@contextmanager
def _alone(cache: EnvironmentCache, path: Path, used: float) -> Iterator[bool]:
    """Say whether nobody builds it nor runs in it, and keep it so inside the block."""
    descriptors = []
    try:
        descriptors.append(_open(cache.root / "built" / f".{path.name}.lock"))
        fcntl.flock(descriptors[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        was_there = (path / ".use").exists()
        descriptors.append(_open(path / ".use"))
        if not was_there:
            os.utime(descriptors[1], (used, used))  # to look is not to use
        fcntl.flock(descriptors[1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _facts(path: Path) -> dict[str, Any]:
    try:
        return protocol.read_json(str(path / READY)) or {}
    except (OSError, ValueError):
        return {}


def _remove(path: Path) -> bool:
    """Take the mark away first: what is left of a removal that is killed counts as a wreck.

    False when it is an image and its engine does not answer; everything is as it was then.
    """
    facts = _facts(path)
    if not _remove_images(facts):
        return False
    try:
        with suppress(FileNotFoundError):
            os.unlink(path / READY)
        shutil.rmtree(path)
    except OSError as error:
        raise WorkspaceException(
            f"The environment {path} cannot be removed: {error.strerror or error}. Remove the folder by hand."
        ) from error
    return True


def _remove_images(facts: Mapping[str, Any]) -> bool:
    """Remove what was built for an environment from its engine, and say whether that answered.

    What a container or another environment needs stays there under its id.
    """
    names = [str(facts[name]) for name in ("tag", "base_tag") if facts.get(name)]
    if not names:
        return True
    import docker.errors

    from aml_jupyter.transports.docker_engine import DockerEngine, EngineUnavailable

    try:
        with DockerEngine(str(facts["engine"])) as engine, engine.explained():
            for name in names:
                with suppress(docker.errors.APIError):
                    engine.client.api.remove_image(name)
    except EngineUnavailable:
        return False
    return True

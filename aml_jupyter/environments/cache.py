"""Own the folder of built environments: one entry for each thing that was asked, one prefix for each thing that it became.

::

    <user data>/environments/
      asked/<key>/          what was asked: recipe.json, build.log, progress.json, builder.json, lock.json, failure.json
      asked/<key>/.builder  held (flock) by the one process that builds it
      built/<lock key>/     what it became: env/ (the prefix), lock.txt, READY.json (written last)
      built/<lock key>/.use held (flock, shared) by every supervisor that runs in it
      files/<sha256>/<name> local wheels that a recipe names

``lock.json`` is what the recipe was resolved to; only ``aml environment rebuild`` moves it. A prefix without ``READY.json``
is a wreck, and is built again from its lock. The cache belongs to the user: workspaces share it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aml_jupyter.supervisor import durable, identity, protocol
from aml_jupyter.workspace import user_data_folder

__all__ = ["Built", "EnvironmentCache", "Entry", "Hold"]

READY: Final = "READY.json"


@dataclass(frozen=True)
class Built:
    """Describe a prefix or an image that is ready."""

    path: Path
    facts: dict[str, Any]

    @property
    def prefix(self) -> Path:
        """Return where the environment lies; for an image, where its facts lie."""
        return self.path / "env"

    @property
    def lock(self) -> Path:
        """Return the file that says what it was resolved to."""
        return self.path / "lock.txt"

    @property
    def key(self) -> str:
        """Return the key of what it was resolved to."""
        return self.path.name


@dataclass
class Hold:
    """Keep an environment from being collected as long as its descriptor is open, here or in a supervisor."""

    built: Built
    descriptor: int

    def close(self) -> None:
        """Let go of it here; a supervisor that got the descriptor goes on holding it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __del__(self) -> None:
        self.close()


class Entry:
    """Own the files of one recipe.

    Parameters
    ----------
    cache : EnvironmentCache
        Where it lies.
    key : str
        The recipe's key.
    """

    def __init__(self, cache: EnvironmentCache, key: str) -> None:
        self.cache = cache
        self.key = key
        self.path = cache.root / "asked" / key

    @property
    def log(self) -> Path:
        """Return the log of its newest build."""
        return self.path / "build.log"

    def built(self) -> Built | None:
        """Return what it was built into, when that is ready."""
        resolved = _read(self.path / "lock.json")
        return self.cache.built(str(resolved["lock_key"])) if resolved and "lock_key" in resolved else None

    def resolved(self) -> dict[str, Any] | None:
        """Return what it was resolved to: ``lock_key``, ``lock`` (text) and ``time``; None before the first build."""
        return _read(self.path / "lock.json")

    def recipe(self) -> dict[str, Any] | None:
        """Return the recipe as its builder reads it."""
        return _read(self.path / "recipe.json")

    def failure(self) -> dict[str, Any] | None:
        """Return how the last build failed: ``message``, ``time``, ``passes`` (an engine was away); None when it did not."""
        return _read(self.path / "failure.json")

    def progress(self) -> dict[str, Any]:
        """Return how far the present build is: ``stage``, ``text``, ``time``."""
        return _read(self.path / "progress.json") or {}

    def builder(self) -> dict[str, Any] | None:
        """Return the process that builds it, or built it last."""
        return _read(self.path / "builder.json")

    def forget_built(self) -> None:
        """Take back that it is ready: what it was built into is gone, and is built again from its lock."""
        found = self.built()
        if found is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(found.path / READY)

    def hold(self) -> Hold | None:
        """Return a hold on what is ready, or None; it cannot be collected before the hold is closed."""
        found = self.built()
        if found is None:
            return None
        try:
            descriptor = os.open(found.path / ".use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None  # it is being collected
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if self.cache.built(found.key) is None:
                raise BlockingIOError
            os.utime(descriptor)
        except OSError:
            os.close(descriptor)
            return None
        return Hold(found, descriptor)

    def try_lock(self) -> int | None:
        """Return the locked descriptor that makes its owner the builder, or None while somebody builds."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path / ".builder", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def is_building(self) -> bool:
        """Say whether a process builds it now."""
        if not self.path.is_dir():
            return False
        descriptor = self.try_lock()
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def builder_pid(self) -> int | None:
        """Return the process group of the builder that lives now, or None."""
        found = self.builder()
        if not found or not self.is_building() or not identity.is_alive(found):
            return None
        return int(found["supervisor"]["pid"])

    def write(self, name: str, value: Any, sync: bool = True) -> None:
        """Write one of its files, for its owner's eyes only."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        durable.write_json(self.path / name, value, point="environment.entry", sync=sync, mode=0o600)

    def forget(self, name: str) -> None:
        """Remove one of its files, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path / name)


class EnvironmentCache:
    """Own the built environments of this user on this machine.

    Parameters
    ----------
    root : Path, optional
        Where they lie; the user's data folder unless given.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root if root is not None else user_data_folder() / "environments"

    def entry(self, key: str) -> Entry:
        """Return the entry of a recipe; it need not exist."""
        return Entry(self, key)

    def entries(self) -> list[Entry]:
        """Return every entry, in the order of their keys."""
        with contextlib.suppress(FileNotFoundError):
            return [Entry(self, name) for name in sorted(os.listdir(self.root / "asked"))]
        return []

    def keep_file(self, stored: str, source: str, content: bytes | None = None) -> Path:
        """Copy a local file that a recipe names by content (``<sha256>/<name>``) into the cache, once; or write `content`."""
        path = self.root / "files" / stored
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            try:
                if content is not None:
                    temporary.write_bytes(content)
                else:
                    shutil.copyfile(source, temporary)
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        return path

    def built_path(self, lock_key: str) -> Path:
        """Return where what was resolved to `lock_key` lies, ready or not."""
        return self.root / "built" / lock_key

    def built(self, lock_key: str) -> Built | None:
        """Return what was resolved to `lock_key`, when it is ready."""
        path = self.built_path(lock_key)
        facts = _read(path / READY)
        return Built(path, facts) if facts else None

    def all_built(self) -> list[Built]:
        """Return everything that is ready, in the order of the lock keys."""
        names: list[str] = []
        with contextlib.suppress(FileNotFoundError):
            names = sorted(os.listdir(self.root / "built"))
        return [found for name in names if (found := self.built(name)) is not None]

    @contextmanager
    def building(self, lock_key: str) -> Iterator[Path]:
        """Own the place of `lock_key` inside the block, waiting for who owns it now."""
        path = self.built_path(lock_key)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.root / "built" / f".{lock_key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield path
        finally:
            os.close(descriptor)

    def mark_ready(self, lock_key: str, facts: dict[str, Any]) -> Built:
        """Say that what lies there is complete; the last act of a build."""
        path = self.built_path(lock_key)
        whole = {"format": 1, "lock_key": lock_key, "built": time.time(), **facts}
        durable.write_json(path / READY, whole, point="environment.ready", mode=0o600)
        return Built(path, whole)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return protocol.read_json(str(path))
    except (OSError, ValueError):
        return None  # damaged: as if it were not there, so it is built again

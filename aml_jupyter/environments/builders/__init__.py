"""Build environments: one module for each kind of recipe, and the process that runs them.

A builder is a module with two functions: `resolve` turns a recipe into the text of a lock, `make` turns a lock into a
prefix. Both write what they do to standard output, which is the build's log, and raise `BuildError` for what the person has to
change.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

__all__ = ["BuildError", "Builder", "Progress"]

Progress = Callable[[str, str], None]
"""Told the stage (``solve``, ``download``, ``link``, ``pip``, ``image``) and what happens, in a few words."""


class BuildError(Exception):
    """Say which package or file a build failed for, why, and which constraint is behind it.

    `passes` is true where nothing has to be changed: an engine was away, and may come back.
    """

    def __init__(self, message: str, passes: bool = False) -> None:
        super().__init__(message)
        self.passes = passes


class Builder(Protocol):
    """Turn a recipe into a lock, and a lock into what runs use."""

    def resolve(self, asked: dict[str, Any], cache: Path, progress: Progress) -> str:
        """Return the text of the lock: exactly which packages, with their hashes."""

    def make(self, asked: dict[str, Any], lock: str, prefix: Path, cache: Path, progress: Progress) -> dict[str, Any]:
        """Build what the lock says at `prefix`, its final place, and return facts about it (``python``: its interpreter)."""

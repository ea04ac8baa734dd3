"""Solve conda packages for another machine, and link them here as they will lie there; nothing of them is run here.

What pip adds is installed over there, and what activation sets is found out there, too (`supervisor/far_build.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aml_jupyter.environments.builders import Progress
from aml_jupyter.environments.builders.conda import link, solve

__all__ = ["make", "resolve"]


def resolve(asked: dict[str, Any], cache: Path, progress: Progress) -> str:
    """Return the packages that the solver finds for that machine, with their hashes."""
    return solve(asked, cache, progress)[0]


def make(asked: dict[str, Any], lock: str, prefix: Path, cache: Path, progress: Progress) -> dict[str, Any]:
    """Link the packages of the lock at `prefix`, as they will lie at ``prefix`` of what is asked, over there."""
    return link(asked, lock, prefix, cache, progress, final=str(asked["prefix"]))

"""Bring the compute targets into Jupyter: magics, live outputs, completion, and the server extension.

Owns nothing that outlives a kernel or a Jupyter server: whatever runs belongs to the service and to its supervisor.
"""

from __future__ import annotations

from typing import Any

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: Any) -> None:
    """Register the magics; everything else is imported when it is first used."""
    from .magics import register

    register(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take the magics out again."""
    from .magics import unregister

    unregister(shell)

"""Serve the workspaces over HTTP from inside Jupyter Server: REST, event stream, and care for the service's life."""

from __future__ import annotations

from typing import Any

__all__ = ["extension_points"]


def extension_points() -> list[dict[str, Any]]:
    """Return what Jupyter Server asks of ``_jupyter_server_extension_points``."""
    from .app import AmlExtension

    return [{"module": "aml_jupyter", "app": AmlExtension}]

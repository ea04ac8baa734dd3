"""Own the extension of Jupyter Server: its routes, and what lives as long as the server.

When the server ends, nothing of a workspace ends: the service is a process of its own, and so is every run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool

from .base import ServerState
from .hosting import ServiceHost
from .pool import Pool
from .routes import ROUTES
from .workspaces import OpenWorkspaces

__all__ = ["AmlExtension"]


class AmlExtension(ExtensionApp):  # type: ignore[misc]  # jupyter_server is untyped to mypy
    """Serve the workspaces' HTTP API below ``/aml/api`` and keep their services running."""

    name = "aml_jupyter"
    extension_url = "/aml/api/health"
    load_other_extensions = True

    host_service = Bool(True, config=True, help="Start the workspace's service when runs are open and none runs.")

    def initialize_settings(self) -> None:
        """Make what the handlers share."""
        workspaces = OpenWorkspaces()
        host = ServiceHost(workspaces, self.log) if self.host_service else None
        root = Path(self.serverapp.root_dir).expanduser().resolve()
        self.state = ServerState(workspaces=workspaces, pool=Pool(), host=host, root=root, feeds={})
        self.settings["aml"] = self.state

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(ROUTES)

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Begin to watch the services, once the server runs."""
        if self.state.host is not None:
            self.state.host.start()

    async def stop_extension(self) -> None:
        """Let go of the workspaces; runs and services go on."""
        if self.state.host is not None:
            self.state.host.stop()
        self.state.pool.close()

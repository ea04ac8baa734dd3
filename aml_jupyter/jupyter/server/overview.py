"""Answer for the workspace as a whole: experiments, kinds of targets, workspaces, the service, the API's own health."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import aml_jupyter
from aml_jupyter.service import service_status
from aml_jupyter.views import as_json, experiment_rows, kinds_rows, workspace_view
from aml_jupyter.workspace import WorkspaceFolder, count_runs, list_workspaces
from aml_jupyter.workspace.states import FINAL

from .answers import (
    ExperimentsAnswer,
    HealthAnswer,
    KindsAnswer,
    OpenApiAnswer,
    ServiceAnswer,
    WorkspaceAnswer,
    WorkspacesAnswer,
)
from .base import API_VERSION, Handler, to_json
from .endpoint import endpoint

__all__ = ["Experiments", "Health", "Kinds", "OpenApi", "Service", "Workspace", "Workspaces"]


class Health(Handler):
    """``health``: is the extension there, and which version of the API does it speak."""

    @endpoint(HealthAnswer)
    async def get(self) -> None:
        """Say so."""
        self.answer(None, status="ok", version=aml_jupyter.__version__, minimum_client_version=API_VERSION)


class OpenApi(Handler):
    """``openapi.json``: the API in a form that programs read."""

    @endpoint(OpenApiAnswer)
    async def get(self) -> None:
        """Return the OpenAPI document of this API."""
        from .openapi import document

        self.finish(to_json(document(f"{self.base_url}aml/api")))


class Workspaces(Handler):
    """``workspaces``: the registered ones, and which of them is the server's default."""

    @endpoint(WorkspacesAnswer)
    async def get(self) -> None:
        """List them."""
        default = await self.folder("default")
        entries = await self.call(list_workspaces)
        rows = [
            {"id": entry.id, "name": entry.name, "root": str(entry.root), "exists": entry.exists} for entry in entries
        ]
        if default.id not in {row["id"] for row in rows}:
            rows.append({"id": default.id, "name": default.name, "root": str(default.root), "exists": True})
        self.answer(None, workspaces=rows, default=default.id)


class Workspace(Handler):
    """``workspaces/{id}``: one workspace."""

    @endpoint(WorkspaceAnswer)
    async def get(self, workspace_id: str) -> None:
        """Show it."""
        folder = await self.folder(workspace_id)
        self.answer(folder, details=as_json(await self.call(workspace_view, folder)))


class Experiments(Handler):
    """``experiments``: the named series of runs."""

    @endpoint(ExperimentsAnswer)
    async def get(self, workspace_id: str) -> None:
        """List them."""
        folder = await self.folder(workspace_id)
        self.answer(folder, experiments=as_json(await self.call(experiment_rows, folder)))


class Kinds(Handler):
    """``kinds``: which kinds of compute targets there are, and what each can do."""

    @endpoint(KindsAnswer)
    async def get(self, workspace_id: str) -> None:
        """List them."""
        folder = await self.folder(workspace_id)
        self.answer(folder, kinds=as_json(await self.call(kinds_rows)))


class Service(Handler):
    """``service``: who drives the workspace's runs, and what this server has done for it."""

    @endpoint(ServiceAnswer)
    async def get(self, workspace_id: str) -> None:
        """Show it."""
        folder = await self.folder(workspace_id)
        service = await self.call(_service, folder)
        host = self.state.host
        self.answer(folder, service=service, host=host.health(folder) if host is not None else None)


def _service(folder: WorkspaceFolder) -> dict[str, Any]:
    status = service_status(folder)
    return {
        **(asdict(status) if status is not None else {"alive": False}),
        "open_runs": sum(count for state, count in count_runs(folder.store.read()).items() if state not in FINAL),
    }

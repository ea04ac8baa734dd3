"""Answer for compute targets: list, show, create, change, delete, start, stop."""

from __future__ import annotations

from typing import Any

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.service import (
    create_target,
    delete_target,
    detach_target,
    restart_target,
    set_default,
    start_target,
    stop_target,
    update_target,
)
from aml_jupyter.views import as_json, compute_rows, compute_view
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder, get_target

from .base import Handler, guarded
from .bodies import CreateTargetBody, NoQuery, UpdateTargetBody
from .errors import NotFound

__all__ = ["Compute", "ComputeAction", "ComputeDetail"]


class Compute(Handler):
    """``compute``: the workspace's targets."""

    @guarded
    async def get(self, workspace_id: str) -> None:
        """List them."""
        self.query(NoQuery)
        folder = await self.folder(workspace_id)
        self.answer(folder, compute=as_json(await self.call(compute_rows, folder)))

    @guarded
    async def post(self, workspace_id: str) -> None:
        """Create one."""
        body = self.body(CreateTargetBody)
        folder = await self.folder(workspace_id)
        record = await self.call(
            create_target, folder, body.name, body.type, body.settings, tags=body.tags, description=body.description
        )
        self.answer(folder, 201, target=await self.call(_shown, folder, record.name))


class ComputeDetail(Handler):
    """``compute/{name}``: one target."""

    @guarded
    async def get(self, workspace_id: str, name: str) -> None:
        """Show it."""
        self.query(NoQuery)
        folder = await self.folder(workspace_id)
        self.answer(folder, target=await self.call(_shown, folder, name))

    @guarded
    async def patch(self, workspace_id: str, name: str) -> None:
        """Change its settings, or make it the default."""
        body = self.body(UpdateTargetBody)
        folder = await self.folder(workspace_id)
        await self.call(_existing, folder, name)
        if body.default is False:
            raise ComputeTargetException("Make another target the default instead.", "default")
        if body.settings:
            await self.call(update_target, folder, name, body.settings)
        if body.default:
            await self.call(set_default, folder, name)
        self.answer(folder, target=await self.call(_shown, folder, name))

    @guarded
    async def delete(self, workspace_id: str, name: str) -> None:
        """Delete a created target, detach an attached one."""
        self.body(NoQuery)
        folder = await self.folder(workspace_id)
        record = await self.call(_existing, folder, name)
        await self.call(detach_target if record.attached else delete_target, folder, name)
        self.answer(folder, 202, deleted=record.name)


class ComputeAction(Handler):
    """``compute/{name}/start``, ``stop`` and ``restart``."""

    @guarded
    async def post(self, workspace_id: str, name: str, action: str) -> None:
        """Do it, and show the target."""
        self.body(NoQuery)
        folder = await self.folder(workspace_id)
        await self.call(_existing, folder, name)
        await self.call({"start": start_target, "stop": stop_target, "restart": restart_target}[action], folder, name)
        self.answer(folder, 202, target=await self.call(_shown, folder, name))


def _existing(folder: WorkspaceFolder, name: str) -> TargetRecord:
    try:
        return get_target(folder.store.read(), name)
    except ComputeTargetException as error:
        raise NotFound(error.message, "name") from error


def _shown(folder: WorkspaceFolder, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = as_json(compute_view(folder, _existing(folder, name).name))
    return shown

"""Answer for compute targets: list, show, create, change, delete, start, stop."""

from __future__ import annotations

from typing import Any, Literal

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
from aml_jupyter.service.remote import attach_target, change_target, look_again
from aml_jupyter.transports.ssh_login import Credentials
from aml_jupyter.views import as_json, compute_rows, compute_view
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder, get_target

from .answers import DeletedAnswer, TargetAnswer, TargetsAnswer
from .base import Handler
from .bodies import AttachTargetBody, CreateTargetBody, NoBody, UpdateTargetBody
from .endpoint import endpoint
from .errors import NotFound

__all__ = ["AttachedCompute", "Compute", "ComputeAction", "ComputeDetail"]

OVER_SSH = ("remote", "remotedocker")


class Compute(Handler):
    """``compute``: the workspace's targets."""

    @endpoint(TargetsAnswer)
    async def get(self, workspace_id: str) -> None:
        """List them."""
        folder = await self.folder(workspace_id)
        self.answer(folder, compute=as_json(await self.call(compute_rows, folder)))

    @endpoint(TargetAnswer, 201, body=CreateTargetBody)
    async def post(self, workspace_id: str) -> None:
        """Create one."""
        body = self.body(CreateTargetBody)
        folder = await self.folder(workspace_id)
        record = await self.call(
            create_target, folder, body.name, body.type, body.settings, tags=body.tags, description=body.description
        )
        self.answer(folder, target=await self.call(_shown, folder, record.name))


class AttachedCompute(Handler):
    """``attached``: the entrance of machines that are there already."""

    @endpoint(TargetAnswer, 201, body=AttachTargetBody)
    async def post(self, workspace_id: str) -> None:
        """Look at the machine, and attach it; a host key that nobody vouches for is refused with its fingerprint."""
        body = self.body(AttachTargetBody)
        folder = await self.folder(workspace_id)
        await self.call(_attach, folder, body)
        self.answer(folder, target=await self.call(_shown, folder, body.name))


class ComputeDetail(Handler):
    """``compute/{name}``: one target."""

    @endpoint(TargetAnswer)
    async def get(self, workspace_id: str, target_name: str) -> None:
        """Show it."""
        folder = await self.folder(workspace_id)
        self.answer(folder, target=await self.call(_shown, folder, target_name))

    @endpoint(TargetAnswer, body=UpdateTargetBody)
    async def patch(self, workspace_id: str, target_name: str) -> None:
        """Change its settings, or make it the default."""
        body = self.body(UpdateTargetBody)
        folder = await self.folder(workspace_id)
        record = await self.call(_existing, folder, target_name)
        if body.default is False:
            raise ComputeTargetException("Make another target the default instead.", "default")
        if body.settings:
            change = change_target if record.type in OVER_SSH else update_target
            await self.call(change, folder, record.name, body.settings)
        if body.default:
            await self.call(set_default, folder, target_name)
        self.answer(folder, target=await self.call(_shown, folder, target_name))

    @endpoint(DeletedAnswer, 202)
    async def delete(self, workspace_id: str, target_name: str) -> None:
        """Delete a created target, detach an attached one."""
        folder = await self.folder(workspace_id)
        record = await self.call(_existing, folder, target_name)
        await self.call(detach_target if record.attached else delete_target, folder, target_name)
        self.answer(folder, deleted=record.name)


class ComputeAction(Handler):
    """``compute/{name}/start``, ``stop``, ``restart`` and ``test``."""

    @endpoint(TargetAnswer, 202, body=NoBody)
    async def post(
        self, workspace_id: str, target_name: str, action: Literal["start", "stop", "restart", "test"]
    ) -> None:
        """Do it, and show the target."""
        folder = await self.folder(workspace_id)
        await self.call(_existing, folder, target_name)
        act: Any = {"start": start_target, "stop": stop_target, "restart": restart_target, "test": look_again}[action]
        await self.call(act, folder, target_name)
        self.answer(folder, target=await self.call(_shown, folder, target_name))


def _attach(folder: WorkspaceFolder, body: AttachTargetBody) -> None:
    credentials = Credentials(body.password, body.passphrase) if body.password or body.passphrase else None
    attach_target(
        folder, body.name, body.type, body.settings, credentials, tags=body.tags, description=body.description
    )


def _existing(folder: WorkspaceFolder, name: str) -> TargetRecord:
    try:
        return get_target(folder.store.read(), name)
    except ComputeTargetException as error:
        raise NotFound(error.message, "name") from error


def _shown(folder: WorkspaceFolder, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = as_json(compute_view(folder, _existing(folder, name).name))
    return shown

"""Answer for what a workspace keeps beside runs: models and environments; and for a folder's run configurations."""

from __future__ import annotations

from typing import Any

from aml_jupyter.environments import submitter
from aml_jupyter.service.environment_facts import list_facts
from aml_jupyter.views import as_json, model_rows, run_configuration_rows
from aml_jupyter.views.environments import environment_table
from aml_jupyter.workspace import WorkspaceFolder

from .answers import EnvironmentsAnswer, ModelsAnswer, RunConfigurationsAnswer
from .base import Handler
from .bodies import RunConfigurationsQuery
from .endpoint import endpoint
from .submitting import source_folder

__all__ = ["Environments", "Models", "RunConfigurations"]


class Models(Handler):
    """``models``: the model registry."""

    @endpoint(ModelsAnswer)
    async def get(self, workspace_id: str) -> None:
        """List every version, the newest first."""
        folder = await self.folder(workspace_id)
        self.answer(folder, models=as_json(await self.call(model_rows, folder)))


class Environments(Handler):
    """``environments``: which Python with what packages runs can have."""

    @endpoint(EnvironmentsAnswer)
    async def get(self, workspace_id: str) -> None:
        """List the newest version of each, and whether it is built on this machine."""
        folder = await self.folder(workspace_id)
        self.answer(folder, environments=await self.call(_environments, folder))


class RunConfigurations(Handler):
    """``run_configurations``: what a submit from a folder can choose from."""

    @endpoint(RunConfigurationsAnswer, query=RunConfigurationsQuery)
    async def get(self, workspace_id: str) -> None:
        """List those of a folder in its ``aml_config`` or ``.azureml``, by name."""
        folder = await self.folder(workspace_id)
        source = await self.call(source_folder, self.query(RunConfigurationsQuery).source_directory, self.state.root)
        found = await self.call(run_configuration_rows, source)
        self.answer(folder, source_directory=str(source), run_configurations=as_json(found))


def _environments(folder: WorkspaceFolder) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = as_json(environment_table(list_facts(folder, submitter())))
    return rows

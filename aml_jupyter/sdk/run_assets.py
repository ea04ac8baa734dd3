"""Own what a run takes from its workspace and gives to it, beside its own history: secrets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aml_jupyter.sdk.keyvault import Keyvault

if TYPE_CHECKING:
    from aml_jupyter.sdk.experiment import Experiment
    from aml_jupyter.sdk.workspace import Workspace

__all__ = ["RunAssets", "default_workspace"]


class RunAssets:
    """Be the part of `Run` that reaches into the workspace."""

    experiment: Experiment
    id: str

    def get_secret(self, name: str) -> str:
        """Return the workspace's secret called `name`.

        Raises
        ------
        UserErrorException
            When there is none.
        """
        return Keyvault(self.experiment.workspace).get_secret(name)

    def get_secrets(self, secrets: Sequence[str]) -> dict[str, str | None]:
        """Return the workspace's secrets by name; None for one that there is not."""
        return Keyvault(self.experiment.workspace).get_secrets(secrets)


def default_workspace() -> Workspace:
    """Return the workspace of a run that nobody submitted."""
    from aml_jupyter.sdk.workspace import Workspace

    return Workspace.from_config()

"""Own what a run takes from its workspace and gives to it, beside its own history: secrets, models, its environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aml_jupyter.sdk.keyvault import Keyvault
from aml_jupyter.sdk.mapping import texts_by_name
from aml_jupyter.service import register_run_model
from aml_jupyter.workspace import get_run

if TYPE_CHECKING:
    from aml_jupyter.config import Environment
    from aml_jupyter.sdk.experiment import Experiment
    from aml_jupyter.sdk.model import Model
    from aml_jupyter.sdk.workspace import Workspace
    from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["RunAssets", "default_workspace"]


class RunAssets:
    """Be the part of `Run` that reaches into the workspace."""

    experiment: Experiment
    id: str

    @property
    def _folder(self) -> WorkspaceFolder:
        """The workspace's folder, whose history holds everything that this object knows of the run."""
        return self.experiment.workspace.folder

    def register_model(
        self,
        model_name: str,
        model_path: str | None = None,
        tags: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        description: str | None = None,
        **_ignored: Any,
    ) -> Model:
        """Register a file or folder of the run as the next version of a model.

        Parameters
        ----------
        model_name : str
            The model's name.
        model_path : str, optional
            A file's name such as ``outputs/model.pkl``, or the folder that the names of several begin with; `model_name`
            when it is left out.
        tags, properties : dict, optional
            Tags can be changed later, properties can not.
        model_framework, model_framework_version, description : str, optional
            Kept and shown.

        Raises
        ------
        ModelException
            When the run has no such file; lists those it has.
        """
        from aml_jupyter.sdk.model import Model

        record = register_run_model(
            self._folder,
            self.id,
            model_name,
            model_path,
            tags=texts_by_name(tags, "tags"),
            properties=texts_by_name(properties, "properties"),
            description=description,
            framework=model_framework,
            framework_version=model_framework_version,
        )
        return Model._of(self.experiment.workspace, record)

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

    def get_environment(self) -> Environment:
        """Return the environment that the run was submitted with, under the name and version that it was saved as.

        Raises
        ------
        UserErrorException
            For a run that was not submitted: it has the Python of its process.
        """
        from aml_jupyter.sdk.environments import environment_of

        return environment_of(self._folder, get_run(self._folder.store.read(), self.id))


def default_workspace() -> Workspace:
    """Return the workspace of a run that nobody submitted."""
    from aml_jupyter.sdk.workspace import Workspace

    return Workspace.from_config()

"""Own what a run takes from its workspace and gives to it, beside its own history: secrets, models, children, its environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aml_jupyter.errors import UserErrorException
from aml_jupyter.sdk import run_details
from aml_jupyter.sdk.keyvault import Keyvault
from aml_jupyter.sdk.mapping import texts_by_name
from aml_jupyter.service import register_run_model, tag_run
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.client.reading import NoDatasets
from aml_jupyter.workspace import find_runs, get_run
from aml_jupyter.workspace.states import FINAL

if TYPE_CHECKING:
    from aml_jupyter.config import Environment
    from aml_jupyter.sdk.compute import ComputeTarget
    from aml_jupyter.sdk.experiment import Experiment
    from aml_jupyter.sdk.interactive import InteractiveRun
    from aml_jupyter.sdk.model import Model
    from aml_jupyter.sdk.run import Run
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

    @property
    def description(self) -> str | None:
        """Return what the run is about, None where nobody said it; it can be set (the tag ``mlflow.note.content``)."""
        return get_run(self._folder.store.read(), self.id).tags.get(protocol.DESCRIPTION)

    @description.setter
    def description(self, text: str | None) -> None:
        tag_run(self._folder, self.id, {protocol.DESCRIPTION: text})

    @property
    def portal_url(self) -> None:
        """Return None: there is no portal."""

    @staticmethod
    def get_docs_url() -> None:
        """Return None: nothing here is documented per run."""

    @staticmethod
    def get_submitted_run(**_ignored: Any) -> Any:
        """Return the submitted run that this process belongs to (SDK v1's old name)."""
        from aml_jupyter.sdk.run import Run

        return Run.get_context(allow_offline=False)

    @staticmethod
    def list_by_compute(
        compute: ComputeTarget,
        type: str | None = None,  # noqa: A002
        tags: str | Mapping[str, str] | None = None,
        properties: str | Mapping[str, str] | None = None,
        status: str | None = None,
    ) -> Iterator[Run]:
        """Yield the runs of a compute target, newest first; the filters are those of `Run.list`.

        Raises
        ------
        UserErrorException
            When `compute` is no ComputeTarget.
        """
        from aml_jupyter.sdk.compute import ComputeTarget
        from aml_jupyter.sdk.experiment import Experiment
        from aml_jupyter.sdk.run import run_of

        if not isinstance(compute, ComputeTarget):
            raise UserErrorException(
                f"list_by_compute({compute!r:.60}): expected a ComputeTarget; ComputeTarget(ws, name) is one.",
                "compute",
            )
        workspace, status = compute.workspace, run_details.known_status(status)
        records = find_runs(workspace.folder.store.read(), target=compute.name, status=status, children=True)
        for record in records:
            if run_details.matches(record, type, tags, properties):
                yield run_of(Experiment(workspace, record.experiment), record)

    def child_run(
        self, name: str | None = None, run_id: str | None = None, outputs: str | None = None
    ) -> InteractiveRun:
        """Start a run in this process below this one; it ends with it at the latest.

        Raises
        ------
        UserErrorException
            When this run has ended, or `run_id` is taken.
        """
        from aml_jupyter.sdk.interactive import start_interactive

        record = get_run(self._folder.store.read(), self.id)
        if record.status in FINAL:
            raise UserErrorException(
                f"Run {self.id} has ended ({record.status}); it gets no children any more. Experiment.start_logging() starts "
                "a run of its own.",
                "run",
            )
        return start_interactive(self.experiment, name, outputs, None, run_id, None, parent=self.id)

    def create_children(
        self, count: int | None = None, tag_key: str | None = None, tag_values: Sequence[str] | None = None
    ) -> Sequence[InteractiveRun]:
        """Start several child runs: `count` of them, or one for each of `tag_values` with the tag `tag_key`.

        Raises
        ------
        UserErrorException
            When both or none are asked for, or more than 100, or this run has ended.
        """
        from aml_jupyter.sdk.interactive import own_errors
        from aml_jupyter.supervisor.client.own import children_tags

        with own_errors():
            wanted = children_tags(count, tag_key, tag_values)
        children = [self.child_run() for _ in wanted]
        for child, tags in zip(children, wanted, strict=True):
            child.set_tags(tags)
        return children

    @property
    def input_datasets(self) -> Mapping[str, Any]:
        """Return the run's input datasets: none yet; a missing one says so."""
        return NoDatasets()

    @property
    def output_datasets(self) -> Mapping[str, Any]:
        """Return the run's output datasets: none yet; a missing one says so."""
        return NoDatasets()


def default_workspace() -> Workspace:
    """Return the workspace of a run that nobody submitted."""
    from aml_jupyter.sdk.workspace import Workspace

    return Workspace.from_config()

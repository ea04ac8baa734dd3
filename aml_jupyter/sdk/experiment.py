"""Own `Experiment`: a named series of runs, and the place where runs are submitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aml_jupyter.config import ScriptRunConfig, bytes_of
from aml_jupyter.config.sweeps import HyperDriveConfig
from aml_jupyter.errors import UserErrorException, nearest
from aml_jupyter.sdk.hyperdrive_run import HyperDriveRun
from aml_jupyter.sdk.mapping import texts_by_name
from aml_jupyter.sdk.run import Run
from aml_jupyter.sdk.unbuilt import refuse_attribute, unbuilt
from aml_jupyter.service import SubmitRequest, create_experiment, submit
from aml_jupyter.service.sweeps import submit_sweep
from aml_jupyter.views.progress import shown_progress
from aml_jupyter.workspace import WorkspaceFolder, list_experiments

if TYPE_CHECKING:
    from aml_jupyter.sdk.interactive import InteractiveRun
    from aml_jupyter.sdk.workspace import Workspace

__all__ = ["Experiment"]

OPTIONS = (
    "cores",
    "display_name",
    "gpus",
    "grace_seconds",
    "max_retries",
    "memory",
    "parent",
    "priority",
    "progress",
    "properties",
)
"""Keywords that `Experiment.submit` takes beyond SDK v1's."""

UNBUILT = {
    "archive": "Lists show the newest runs first.",
    "reactivate": "",
    "remove_tags": "Runs have tags.",
    "set_tags": "Runs have tags.",
    "tag": "Runs have tags.",
    "tags": "Runs have tags.",
}
"""Attributes of SDK v1's Experiment that are still to come, and what works instead."""


class Experiment:
    """Stand for a named series of runs.

    Parameters
    ----------
    workspace : Workspace
        The workspace that remembers the runs.
    name : str
        1 to 255 letters, digits, ``_`` or ``-``, a letter or digit first.

    Raises
    ------
    UserErrorException
        When the name is not allowed.
    """

    def __init__(self, workspace: Workspace, name: str, **_ignored: Any) -> None:
        if not isinstance(name, str):
            raise UserErrorException(f"The experiment name {name!r} cannot be used: expected a text.", "name")
        if not isinstance(getattr(workspace, "folder", None), WorkspaceFolder):
            raise UserErrorException(
                f"Experiment(workspace, name) got {workspace!r:.60} for its workspace. Workspace.from_config() returns one.",
                "workspace",
            )
        self.workspace = workspace
        self.name = name
        self.id = str(create_experiment(workspace.folder, name).id)

    @staticmethod
    def list(workspace: Workspace, experiment_name: str | None = None, **_ignored: Any) -> Sequence[Experiment]:
        """Return the experiments of `workspace`, or the one called `experiment_name`."""
        names = [record.name for record in list_experiments(workspace.folder.store.read())]
        return [Experiment(workspace, name) for name in names if experiment_name in (None, name)]

    def submit(
        self, config: ScriptRunConfig | HyperDriveConfig, tags: Mapping[str, str] | None = None, **options: Any
    ) -> Run:
        """Snapshot the source directory and queue a run; returns as soon as that is on disk.

        Parameters
        ----------
        config : ScriptRunConfig or HyperDriveConfig
            What to run, and where; or a sweep of it.
        tags : dict, optional
            Tags of the run.
        **options
            ``display_name``, ``properties``, ``priority``, ``cores``, ``memory`` (bytes, or ``"4GB"``), ``gpus``,
            ``max_retries``, ``grace_seconds``, ``progress`` (called with files done and files in all).

        Returns
        -------
        Run
            The queued run; a `HyperDriveRun` for a sweep.

        Raises
        ------
        UserErrorException
            When the configuration is wrong, or of a class that is not built yet; nothing was copied then.
        """
        sweep = config if isinstance(config, HyperDriveConfig) else None
        if isinstance(config, HyperDriveConfig):
            config = config.run_config
        if not isinstance(config, ScriptRunConfig):
            raise _refusal(config)
        for name in options:
            if name not in OPTIONS:
                raise UserErrorException(f"submit() does not know {name!r}; {nearest(name, list(OPTIONS))}", name)
        if "properties" in options:
            options["properties"] = texts_by_name(options["properties"], "properties")
        if "memory" in options:
            options["memory"] = bytes_of(options["memory"])
        config = config.effective()
        kind = "command" if config.command else "script"
        wanted = {"experiment": self.name, "kind": kind, "tags": texts_by_name(tags, "tags"), **options}
        with shown_progress(f"snapshot of {config.source_directory}", "bytes") as progress:
            request = SubmitRequest(config=config, **{"progress": progress, **wanted})
            folder = self.workspace.folder
            submission = submit(folder, request) if sweep is None else submit_sweep(folder, sweep, request)
        for note in submission.notes:
            if note not in config.run_config.notes:  # those were said when it was read
                print(note)
        return Run(self, submission.run.id) if sweep is None else HyperDriveRun(self, submission.run.id)

    def start_logging(
        self,
        *_positional: Any,
        display_name: str | None = None,
        outputs: str | None = None,
        snapshot_directory: str | None = None,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **_ignored: Any,
    ) -> InteractiveRun:
        """Start a run in this process: log to it, then call `complete` or `fail`, or use it in a ``with`` block.

        Parameters
        ----------
        display_name : str, optional
            Name to show.
        outputs : str, optional
            Folder whose files become the run's when it ends.
        snapshot_directory : str, optional
            Folder to snapshot. None by default; SDK v1 takes the current folder, which is how a whole home folder gets
            into a snapshot by accident.
        run_id : str, optional
            Id to use instead of a new one.
        tags : dict, optional
            Tags of the run.
        """
        from aml_jupyter.sdk.interactive import start_interactive

        return start_interactive(self, display_name, outputs, snapshot_directory, run_id, tags)

    def get_runs(
        self,
        type: str | None = None,  # noqa: A002
        tags: str | Mapping[str, str] | None = None,
        properties: str | Mapping[str, str] | None = None,
        include_children: bool = False,
    ) -> Iterator[Run]:
        """Yield the runs of the experiment, newest first, as `Run.list` filters them."""
        return Run.list(self, type, tags, properties, include_children=include_children)

    def get_docs_url(self) -> None:
        """Return None: nothing here is documented per experiment."""

    def get_portal_url(self) -> None:
        """Return None: there is no portal."""

    @staticmethod
    def delete(workspace: Workspace, experiment_id: str) -> None:
        """Refuse: an experiment with runs is history.

        Raises
        ------
        UserErrorException
            Always.
        """
        raise unbuilt("Experiment.delete", "Runs and their experiment stay in the workspace's history.")

    def __getattr__(self, name: str) -> Any:
        refuse_attribute(self, name, UNBUILT)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Experiment) and (other.workspace, other.name) == (self.workspace, self.name)

    def __hash__(self) -> int:
        return hash((self.workspace, self.name))

    def __repr__(self) -> str:
        return f"Experiment(Name: {self.name}, Workspace: {self.workspace.name})"


def _refusal(config: Any) -> UserErrorException:
    """Return the error for something else than a ScriptRunConfig."""
    coming = {
        "Pipeline": "pipelines",
        "PublishedPipeline": "pipelines",
        "AutoMLConfig": "automated machine learning",
        "Estimator": "estimators",
        "NotebookRunConfig": "NotebookRunConfig; `aml submit train.ipynb` runs a notebook",
    }
    name = type(config).__name__
    if name in coming:
        return unbuilt(f"Submitting {name} ({coming[name]})", "A ScriptRunConfig can be submitted.")
    return UserErrorException(
        f"submit() takes a ScriptRunConfig; this is {name} ({config!s:.60}). "
        "Make one: ScriptRunConfig(source_directory='.', script='train.py').",
        "config",
    )

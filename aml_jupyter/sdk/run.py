"""Own `Run`: one run of a workspace's history, as SDK v1's notebooks and scripts know it.

How a run is waited for stands in `waiting`, its files in `run_files`, the dictionaries of its details in `run_details`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aml_jupyter.errors import RunEnvironmentException
from aml_jupyter.sdk import run_details, run_files
from aml_jupyter.sdk.mapping import texts_by_name
from aml_jupyter.sdk.outputs import load_outputs
from aml_jupyter.sdk.run_assets import RunAssets, default_workspace
from aml_jupyter.sdk.unbuilt import NotHere, refuse_attribute
from aml_jupyter.sdk.waiting import wait_for_completion, watched_run
from aml_jupyter.service import cancel_run, describe_run, rename_run, resubmit_run, tag_run
from aml_jupyter.workspace import RunRecord, find_runs, get_metrics
from aml_jupyter.workspace import get_run as read_run

if TYPE_CHECKING:
    from aml_jupyter.config import ScriptRunConfig
    from aml_jupyter.sdk.experiment import Experiment
    from aml_jupyter.sdk.workspace import Workspace

__all__ = ["Run", "get_run"]

UNBUILT = {
    "clean": "`aml workspace gc --working-copies` thins out the folders of runs that have ended.",
    "get_diagnostics": "run.get_all_logs fetches the logs.",
    "take_snapshot": "Submit takes one, and Experiment.start_logging(snapshot_directory='.').",
}
"""Attributes of SDK v1's Run that are still to come, and what works instead."""

INSIDE = frozenset({
    "complete", "fail", "flush", "log", "log_accuracy_table", "log_confusion_matrix", "log_image",
    "log_list", "log_predictions", "log_residuals", "log_row", "log_table", "upload_file", "upload_files", "upload_folder",
})  # fmt: skip
"""What only the run itself can do: the script (`Run.get_context`), or the notebook that started an interactive run."""


class Run(RunAssets):
    """Stand for one run.

    Parameters
    ----------
    experiment : Experiment
        The experiment it belongs to.
    run_id : str
        Its id.

    Raises
    ------
    UserErrorException
        When the workspace has no such run.
    """

    def __init__(self, experiment: Experiment, run_id: str, **_ignored: Any) -> None:
        self.experiment = experiment
        self.id = run_id
        self._record()

    # ---- which run

    @classmethod
    def get_context(cls, allow_offline: bool = True, **_ignored: Any) -> Any:
        """Return the run that this process belongs to; outside any run, one that keeps in memory what is logged.

        Raises
        ------
        RunEnvironmentException
            When this process belongs to no run and `allow_offline` is False.
        """
        from aml_jupyter.supervisor import client

        client.offline.workspace_factory[:] = [default_workspace]
        try:
            return client.get_context(allow_offline=allow_offline)
        except client.RunEnvironmentException as error:
            raise RunEnvironmentException(str(error)) from None

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> Run:
        """Return the run called `run_id` of `workspace`.

        Raises
        ------
        UserErrorException
            When there is none.
        """
        from aml_jupyter.sdk.experiment import Experiment

        record = read_run(workspace.folder.store.read(), run_id)
        return run_of(Experiment(workspace, record.experiment), record)

    @staticmethod
    def list(
        experiment: Experiment,
        type: str | None = None,  # noqa: A002
        tags: str | Mapping[str, str] | None = None,
        properties: str | Mapping[str, str] | None = None,
        status: str | None = None,
        include_children: bool = False,
    ) -> Iterator[Run]:
        """Yield the runs of `experiment`, newest first.

        Parameters
        ----------
        experiment : Experiment
            Whose runs.
        type : str, optional
            Only those of this type, for example ``azureml.scriptrun``.
        tags, properties : str or dict, optional
            Only those that have this key, or all of these keys with these values.
        status : str, optional
            Only those in this state.
        include_children : bool
            Child runs as well.
        """
        db, status = experiment.workspace.folder.store.read(), run_details.known_status(status)
        for record in find_runs(db, experiment=experiment.name, status=status, children=include_children):
            if run_details.matches(record, type, tags, properties):
                yield run_of(experiment, record)

    # ---- what it is

    def _record(self) -> RunRecord:
        return watched_run(self._folder, self.id)

    @property
    def _run_id(self) -> str:
        return self.id

    @property
    def workspace(self) -> Workspace:
        """Return the workspace that remembers the run."""
        return self.experiment.workspace

    @property
    def number(self) -> int:
        """Return the run's number within its experiment."""
        return self._record().number

    @property
    def name(self) -> str:
        """Return the display name, under its old name."""
        return self._record().display_name

    @property
    def display_name(self) -> str:
        """Return the name that views show; it can be set."""
        return self._record().display_name

    @display_name.setter
    def display_name(self, name: str) -> None:
        rename_run(self._folder, self.id, name)

    @property
    def type(self) -> str:
        """Return what kind of run it is, in SDK v1's words."""
        return run_details.run_type(self._record())

    @property
    def status(self) -> str:
        """Return the state it is in now."""
        return self._record().status

    @property
    def parent(self) -> Run | None:
        """Return the run that started this one, or None."""
        parent = self._record().parent
        return None if parent is None else Run.get(self.workspace, parent)

    def get_status(self) -> str:
        """Return the state it is in now."""
        return self._record().status

    def get_detailed_status(self) -> dict[str, Any]:
        """Return the state with what explains it: ``status``, and ``details`` such as what a queued run waits for."""
        return run_details.detailed_status(self._folder, self._record())

    def get_details(self) -> dict[str, Any]:
        """Return what is known about the run, under SDK v1's keys."""
        return run_details.details(self._folder, self._record())

    def get_details_with_logs(self) -> dict[str, Any]:
        """Return `get_details` with the text of each log in place of its path."""
        return run_details.with_logs(self.get_details())

    def get_metrics(
        self, name: str | None = None, recursive: bool = False, run_type: str | None = None, populate: bool = False
    ) -> dict[str, Any]:
        """Return the metrics: one value as it is, several as a list, a table as a dict of columns.

        Parameters
        ----------
        name : str, optional
            Only this metric; ``{}`` when there is none of that name.
        recursive : bool
            The metrics of this run and of all below it, by run id.
        populate : bool
            A typed chart is its body, in place of the address of its file.
        run_type
            SDK v1's; it changes nothing.
        """
        found = get_metrics(self._folder.store.read(), self.id, name=name, recursive=recursive)
        return run_files.populated(self._folder, self.id, found, recursive) if populate else found

    def get_children(
        self,
        recursive: bool = False,
        tags: str | Mapping[str, str] | None = None,
        properties: str | Mapping[str, str] | None = None,
        type: str | None = None,  # noqa: A002
        status: str | None = None,
        **_ignored: Any,
    ) -> Iterator[Run]:
        """Yield the child runs, newest first; with `recursive` theirs as well. The filters are those of `list`."""
        status = run_details.known_status(status)
        for record in find_runs(self._folder.store.read(), parent=self.id, children=True, include_hidden=True):
            child = Run.get(self.workspace, record.id)
            if status in (None, record.status) and run_details.matches(record, type, tags, properties):
                yield child
            if recursive:
                yield from child.get_children(True, tags, properties, type, status)

    # ---- tags and properties

    @property
    def tags(self) -> dict[str, str]:
        """Return the run's tags."""
        return self.get_tags()

    @property
    def properties(self) -> dict[str, str]:
        """Return the run's properties."""
        return self.get_properties()

    def get_tags(self) -> dict[str, str]:
        """Return the run's tags."""
        return dict(self._record().tags)

    def tag(self, key: str, value: Any = None) -> None:
        """Set one tag."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags; values become text, None the empty one."""
        tag_run(self._folder, self.id, texts_by_name(tags, "tags"))

    def remove_tags(self, tags: str | Sequence[str]) -> None:
        """Remove one tag or several, by key."""
        tag_run(self._folder, self.id, dict.fromkeys([tags] if isinstance(tags, str) else tags))

    def get_properties(self) -> dict[str, str]:
        """Return the run's properties."""
        return dict(self._record().properties)

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Add properties; one that is set stays as it is for ever."""
        describe_run(self._folder, self.id, texts_by_name(properties, "properties"))

    # ---- files

    def get_file_names(self) -> Sequence[str]:
        """Return the names of the run's files."""
        return run_files.file_names(self._folder, self.id)

    def download_file(self, name: str, output_file_path: str | os.PathLike[str] | None = None, **_ignored: Any) -> None:
        """Copy one file of the run to `output_file_path`: a file or a folder, by default the current folder."""
        run_files.download_file(self._folder, self.id, name, output_file_path)

    def download_files(
        self,
        prefix: str | None = None,
        output_directory: str | os.PathLike[str] | None = None,
        output_paths: Sequence[str] | None = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: int | None = None,
    ) -> None:
        """Copy the files whose names begin with `prefix` (all of them without one) below `output_directory`.

        Parameters
        ----------
        append_prefix : bool
            False: the prefix is left out of the paths that are written.
        output_paths : list of str, optional
            One path below `output_directory` for each file.
        batch_size, timeout_seconds
            SDK v1's; they change nothing.

        Raises
        ------
        UserErrorException
            When no file's name begins so.
        """
        run_files.download_files(self._folder, self.id, prefix, output_directory, output_paths, append_prefix)

    def get_all_logs(self, destination: str | os.PathLike[str] | None = None) -> Sequence[str]:
        """Copy the run's logs below `destination` (``./assets/<run id>``) and return their paths."""
        return run_files.download_logs(self._folder, self.id, destination)

    def get_snapshot_id(self) -> str | None:
        """Return the id of the run's snapshot; None for an interactive run that took none."""
        return self._record().snapshot

    def restore_snapshot(self, snapshot_id: str | None = None, path: str | os.PathLike[str] | None = None) -> str:
        """Write the run's source directory as a zip file into the folder `path` and return the file's path."""
        return run_files.restore_snapshot(self._folder, self._record(), snapshot_id, path)

    def download_snapshot(self, destination: str | os.PathLike[str]) -> str:
        """Write the files of the run's snapshot into the folder `destination`, which must be new or empty."""
        return run_files.download_snapshot(self._folder, self._record(), destination)

    def result(self) -> dict[str, Any]:
        """Return the variables that a cell brought back (``-o``), by name, once the run has completed."""
        return load_outputs(self._folder, self._record())

    # ---- what can be done

    def wait_for_completion(
        self, show_output: bool = False, wait_post_processing: bool = False, raise_on_error: bool = True
    ) -> dict[str, Any]:
        """Wait until the run has ended, and return its details.

        Parameters
        ----------
        show_output : bool
            Print the log as it grows.
        wait_post_processing : bool
            SDK v1's; the outputs are always there when this returns.
        raise_on_error : bool
            Raise when the run failed.

        Raises
        ------
        ActivityFailedException
            When the run failed; the message ends with the end of its log, and the log's path.
        ExperimentExecutionException
            When the waiting was interrupted; the run goes on.
        """
        wait_for_completion(self._folder, self.id, show_output, raise_on_error)
        return self.get_details()

    def cancel(self) -> None:
        """End the run: its process gets TERM within two seconds. A run that has ended stays as it is."""
        cancel_run(self._folder, self.id)

    def resubmit(self) -> Run:
        """Queue a new run with the same snapshot and definition."""
        return run_of(self.experiment, resubmit_run(self._folder, self.id).run)

    def submit_child(self, config: ScriptRunConfig, tags: Mapping[str, str] | None = None, **options: Any) -> Run:
        """Queue a run whose parent is this one."""
        return self.experiment.submit(config, tags, parent=self.id, **options)

    def get_portal_url(self) -> None:
        """Return None: there is no portal; the run shows itself in the notebook, and `aml run show` in a terminal."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from aml_jupyter.views import run_view

        return run_view(self._folder, self.id).as_bundle()

    def __getattr__(self, name: str) -> Any:
        if name in INSIDE:
            raise NotHere(
                f"Run.{name} works inside the run: in its script (Run.get_context().{name}), or on a run that this process "
                "started with Experiment.start_logging()."
            )
        refuse_attribute(self, name, UNBUILT)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and (other.workspace, other.id) == (self.workspace, self.id)

    def __hash__(self) -> int:
        return hash((self.workspace, self.id))

    def __repr__(self) -> str:
        record = self._record()
        return f"Run(Experiment: {record.experiment}, Id: {self.id}, Type: {self.type}, Status: {record.status})"


def get_run(experiment: Experiment, run_id: str, rehydrate: bool = True, clean_up: bool = True) -> Run:
    """Return the run called `run_id` of `experiment`; the other parameters are SDK v1's and change nothing."""
    return run_of(experiment, read_run(experiment.workspace.folder.store.read(), run_id))


def run_of(experiment: Experiment, record: RunRecord) -> Run:
    """Return the run of a row; a sweep is a `HyperDriveRun`."""
    from aml_jupyter.sdk.hyperdrive_run import HyperDriveRun

    return (HyperDriveRun if record.kind == HyperDriveRun.RUN_TYPE else Run)(experiment, record.id)

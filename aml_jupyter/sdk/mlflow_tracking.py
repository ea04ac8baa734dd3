"""Let MLflow read a workspace's history from outside a run: ``MlflowClient("aml-jupyter:")``.

MLflow finds both classes by entry points of this package. ``aml-jupyter:`` is the workspace that `Workspace.from_config`
would open, ``aml-jupyter:///path`` the one in that folder. Nothing is written: runs are made by submitting.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from mlflow.entities import (
    Experiment,
    FileInfo,
    LifecycleStage,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunStatus,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.utils.search_utils import SearchExperimentsUtils, SearchUtils

from aml_jupyter.errors import AmlError, UserErrorException
from aml_jupyter.service.fetching import fetch_there
from aml_jupyter.supervisor import protocol
from aml_jupyter.workspace import (
    ExperimentRecord,
    RunRecord,
    WorkspaceFolder,
    artifact_path,
    find_experiment,
    find_run,
    find_runs,
    find_workspace,
    list_artifacts,
    list_experiments,
    list_metrics,
    metric_values,
)

__all__ = ["WorkspaceArtifacts", "WorkspaceStore", "tracking_uri"]

_STATUS: Final = {
    "Completed": RunStatus.FINISHED,
    "Failed": RunStatus.FAILED,
    "Canceled": RunStatus.KILLED,
    "NotStarted": RunStatus.SCHEDULED,
    "Queued": RunStatus.SCHEDULED,
    "Paused": RunStatus.SCHEDULED,
    "Preparing": RunStatus.SCHEDULED,
    "Provisioning": RunStatus.SCHEDULED,
}
_RUN: Final = "/@run/"
_MOST: Final = 100_000


def tracking_uri(folder: WorkspaceFolder) -> str:
    """Return the tracking URI by which MLflow reads a workspace."""
    return f"aml-jupyter://{quote(str(folder.root))}"


def _open(uri: str) -> WorkspaceFolder:
    path = unquote(urlsplit(uri).path)
    try:
        return find_workspace(path or None)
    except UserErrorException as error:
        raise MlflowException(error.message) from error


class WorkspaceStore(AbstractStore):  # type: ignore[misc]
    """Be MLflow's tracking store on a workspace, for reading.

    Parameters
    ----------
    store_uri : str
        ``aml-jupyter:`` or ``aml-jupyter:///path``.
    artifact_uri : str, optional
        As MLflow passes it; it says nothing.
    """

    def __init__(self, store_uri: str = "aml-jupyter:", artifact_uri: str | None = None) -> None:
        super().__init__()
        self._folder = _open(store_uri)

    # -- experiments ------------------------------------------------------------------------------------------------

    def search_experiments(
        self,
        view_type: Any = None,
        max_results: int = 1000,
        filter_string: str | None = None,
        order_by: Any = None,
        page_token: Any = None,
    ) -> Any:
        """Return the workspace's experiments that pass MLflow's filter."""
        every = [_experiment(record) for record in list_experiments(self._folder.store.read())]
        found = SearchExperimentsUtils.sort(SearchExperimentsUtils.filter(every, filter_string), order_by or [])
        page, token = SearchUtils.paginate(found, page_token, max_results)
        return PagedList(page, token)

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return an experiment by its id, which is its number here."""
        for record in list_experiments(self._folder.store.read()):
            if experiment_id in (str(record.id), record.name):
                return _experiment(record)
        raise MlflowException(f"There is no experiment {experiment_id!r} in workspace {self._folder.name}.")

    def get_experiment_by_name(self, experiment_name: str) -> Experiment | None:
        """Return an experiment by its name, or None."""
        record = find_experiment(self._folder.store.read(), experiment_name)
        return _experiment(record) if record is not None else None

    # -- runs ---------------------------------------------------------------------------------------------------------

    def get_run(self, run_id: str) -> Run:
        """Return a run with its last metrics, parameters and tags."""
        record = find_run(self._folder.store.read(), run_id)
        if record is None:
            raise MlflowException(f"Run {run_id!r} not found in workspace {self._folder.name}.")
        return self._run(record, self._ids())

    def _ids(self) -> dict[str, str]:
        return {record.name: str(record.id) for record in list_experiments(self._folder.store.read())}

    def _run(self, record: RunRecord, ids: Mapping[str, str]) -> Run:
        metrics = []
        for metric in list_metrics(self._folder.store.read(), record.id):
            if metric.kind in ("scalar", "list") and isinstance(metric.last, (int, float)):
                at = int((record.ended or record.started or record.created) * 1000)
                metrics.append(Metric(metric.name, float(metric.last), at, max(metric.count - 1, 0)))
        begin = protocol.LOGGED_PARAMETER
        given = {**(record.definition.get("parameters") or {})}
        given |= {name[len(begin) :]: value for name, value in record.properties.items() if name.startswith(begin)}
        tags = {**record.tags, "mlflow.runName": record.display_name}
        if record.parent:
            tags["mlflow.parentRunId"] = record.parent
        if record.definition.get("script"):
            tags["mlflow.source.name"] = str(record.definition["script"])
        params = [Param(str(key), str(value)) for key, value in given.items()]
        data = RunData(metrics, params, [RunTag(key, value) for key, value in tags.items()])
        return Run(self._info(record, ids), data)

    def _info(self, record: RunRecord, ids: Mapping[str, str]) -> RunInfo:
        fields: dict[str, Any] = {
            "run_id": record.id,
            "experiment_id": ids.get(record.experiment, record.experiment),
            "user_id": str((record.definition.get("submitter") or {}).get("user") or ""),
            "status": RunStatus.to_string(_STATUS.get(record.status, RunStatus.RUNNING)),
            "start_time": int((record.started or record.created) * 1000),
            "end_time": int(record.ended * 1000) if record.ended else None,
            "lifecycle_stage": LifecycleStage.ACTIVE,
            "artifact_uri": f"{tracking_uri(self._folder)}{_RUN}{record.id}",
            "run_name": record.display_name,
        }
        try:
            return RunInfo(**fields)
        except TypeError:  # MLflow 2
            return RunInfo(run_uuid=record.id, **fields)

    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: int | None = None, page_token: Any = None
    ) -> Any:
        """Return every value of a metric, with its step and time."""
        values, steps, times = metric_values(self._folder.store.read(), run_id, metric_key)
        found = []
        for index, (value, at) in enumerate(zip(values, times, strict=True)):
            step = steps[index] if steps is not None else None
            if isinstance(value, (int, float)):
                found.append(Metric(metric_key, float(value), int(at * 1000), int(index if step is None else step)))
        return PagedList(found, None)

    def search_logged_models(self, *arguments: Any, **options: Any) -> Any:
        """Return nothing: the models of a run are among its files."""
        return PagedList([], None)

    def _search_runs(
        self,
        experiment_ids: Any,
        filter_string: Any,
        run_view_type: Any,
        max_results: Any,
        order_by: Any,
        page_token: Any,
    ) -> Any:
        ids = self._ids()
        wanted = {str(each) for each in experiment_ids}
        names = [name for name, number in ids.items() if number in wanted or name in wanted]
        db = self._folder.store.read()
        records = [record for name in names for record in find_runs(db, experiment=name, children=True, last=_MOST)]
        runs = [self._run(record, ids) for record in sorted(records, key=lambda record: -record.seq)]
        found = SearchUtils.sort(SearchUtils.filter(runs, filter_string), order_by)
        return SearchUtils.paginate(found, page_token, max_results)


_WRITES: Final = (
    "create_experiment delete_experiment restore_experiment rename_experiment set_experiment_tag create_run delete_run "
    "restore_run update_run_info log_metric log_param set_tag delete_tag log_batch log_inputs log_outputs "
    "record_logged_model create_logged_model finalize_logged_model"
)


def _refusal(name: str) -> Callable[..., Any]:
    """Return a method that says why it writes nothing."""

    def refuse(self: WorkspaceStore, *arguments: Any, **options: Any) -> Any:
        raise MlflowException(
            f"{name}: a workspace of aml-jupyter is read-only for MLflow outside a run. Submit a script (aml submit): what "
            "it logs with MLflow is in the run history."
        )

    return refuse


for _name in _WRITES.split():
    setattr(WorkspaceStore, _name, _refusal(_name))


def _experiment(record: ExperimentRecord) -> Experiment:
    created = int(record.created * 1000)
    return Experiment(str(record.id), record.name, "", LifecycleStage.ACTIVE, None, created, created)


class WorkspaceArtifacts(ArtifactRepository):  # type: ignore[misc]
    """Let MLflow list and fetch the files of a run: ``aml-jupyter:///path/@run/<id>``."""

    def __init__(self, artifact_uri: str, *arguments: Any, **options: Any) -> None:
        super().__init__(artifact_uri, *arguments, **options)
        workspace, _, rest = artifact_uri.partition(_RUN)
        run_id, _, below = rest.partition("/")
        self._run_id, self._below = unquote(run_id), unquote(below)
        self._folder = _open(workspace)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Refuse: a run's files come from the run."""
        raise MlflowException("Files of a run of aml-jupyter are read-only for MLflow outside the run.")

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Refuse: a run's files come from the run."""
        self.log_artifact(local_dir)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """Return the files and folders right below `path`."""
        begin = "/".join(part for part in (self._below, path or "") if part)
        begin = f"{begin}/" if begin else ""
        found: dict[str, FileInfo] = {}
        for artifact in list_artifacts(self._folder.store.read(), self._run_id):
            if artifact.name.startswith(begin) and artifact.name != begin:
                first, slash, _ = artifact.name[len(begin) :].partition("/")
                shown = f"{path}/{first}" if path else first
                found.setdefault(shown, FileInfo(shown, bool(slash), None if slash else artifact.size))
        return [found[name] for name in sorted(found)]

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        name = "/".join(part for part in (self._below, remote_file_path) if part)
        try:
            fetch_there(self._folder, self._run_id, [name])
            source = artifact_path(self._folder, self._run_id, name)
        except AmlError as error:
            raise MlflowException(error.message) from error
        os.makedirs(os.path.dirname(os.path.abspath(local_path)), exist_ok=True)
        shutil.copyfile(source, local_path)

"""Track what a script logs with MLflow as events of its run: the tracking store behind ``aml-run:``.

Imported by MLflow itself (an entry point beside the zip names it), and only where MLflow is installed and used. The run
that the script belongs to is what the first ``start_run`` of a process means; another one makes a child run. What is read
back inside the script (``get_run``, ``search_runs``, ``get_metric_history``) is what this process has logged. Both MLflow 2
and 3 are served.
"""

import os
import sys
import threading
import time
from typing import Any, Dict, List, Optional
from uuid import uuid4

from mlflow.entities import (
    Experiment,
    LifecycleStage,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunStatus,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.utils.search_utils import SearchUtils

from .. import protocol
from .context import get_context
from .own import InProcessRun
from .values import metric_name

__all__ = ["RunStore"]

_NOT_KEPT = ("mlflow.user", "mlflow.source.", "mlflow.runName", "mlflow.parentRunId")
"""Tags that say what the run history knows by itself."""

_NEAR = 1.0
"""Seconds by which MLflow's time may differ from now and still be written as now."""


class _Kept:
    """Remember what was logged to one run by this process."""

    def __init__(self, run: InProcessRun, name: str, parent: Optional[str], artifacts: str) -> None:
        self.run = run
        self.name = name
        self.parent = parent
        self.artifacts = artifacts
        self.status = RunStatus.RUNNING
        self.start = int(time.time() * 1000)
        self.end: Optional[int] = None
        self.metrics: Dict[str, List[Metric]] = {}
        self.params: Dict[str, str] = {}
        self.tags: Dict[str, str] = {}
        self.inputs: List[Any] = []
        self.outputs: List[Any] = []


class RunStore(AbstractStore):  # type: ignore[misc]
    """Be MLflow's tracking store inside a run.

    Parameters
    ----------
    store_uri, artifact_uri : str, optional
        As MLflow passes them; there is one store for a process, whatever they say.
    """

    def __init__(self, store_uri: Optional[str] = None, artifact_uri: Optional[str] = None) -> None:
        super().__init__()
        run = get_context(allow_offline=False)
        self._control = os.environ["AML_CONTROL"]
        self._experiment = os.environ.get("AML_EXPERIMENT") or "Default"
        self._lock = threading.RLock()
        self._runs: Dict[str, _Kept] = {}
        self._models: Dict[str, Any] = {}
        self._add(run, os.environ.get("AML_DISPLAY_NAME") or run.id, None)
        self._main = run.id
        self._is_taken = False  # True when a start_run has taken the run

    def _add(self, run: Any, name: str, parent: Optional[str]) -> _Kept:
        folder = os.path.join(self._control, protocol.ARTIFACTS)
        place = folder if parent is None else os.path.join(folder, "children", run.id)
        kept = _Kept(run, name, parent, place)
        if parent is not None:
            kept.tags["mlflow.parentRunId"] = parent
        kept.tags["mlflow.runName"] = name
        self._runs[run.id] = kept
        return kept

    def _kept(self, run_id: str) -> _Kept:
        try:
            return self._runs[run_id]
        except KeyError:
            raise MlflowException(
                "Run %r is not one that this script has started. Inside a run of aml-jupyter MLflow reaches that run and its "
                "children; from outside, MlflowClient('aml-jupyter:') reads all of the workspace." % run_id
            ) from None

    # -- experiments: the run's own is the only one ---------------------------------------------------------------

    def _the_experiment(self) -> Experiment:
        return Experiment(self._experiment, self._experiment, "", LifecycleStage.ACTIVE)

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return the experiment that the run belongs to."""
        return self._the_experiment()

    def get_experiment_by_name(self, experiment_name: str) -> Experiment:
        """Return the experiment that the run belongs to; another one cannot be chosen from inside it."""
        if experiment_name != self._experiment and experiment_name != "Default":
            sys.stderr.write(
                "aml-jupyter: this run belongs to experiment %r; the experiment %r that the script names has no effect\n"
                % (self._experiment, experiment_name)
            )
        return self._the_experiment()

    def create_experiment(self, name: str, artifact_location: Any = None, tags: Any = None) -> str:
        """Return the id of the experiment that the run belongs to."""
        return self._experiment

    def search_experiments(self, *args: Any, **kwargs: Any) -> PagedList:
        """Return the experiment that the run belongs to."""
        return PagedList([self._the_experiment()], None)

    def set_experiment_tag(self, experiment_id: str, tag: Any) -> None:
        """Do nothing: experiments have no tags."""

    # -- runs -------------------------------------------------------------------------------------------------------

    def create_run(self, experiment_id: str, user_id: Any, start_time: Any, tags: Any, run_name: Optional[str]) -> Run:
        """Take the script's own run, or start a child of it, or of the run that the tag ``mlflow.parentRunId`` names."""
        given = {tag.key: tag.value for tag in tags or ()}
        parent = given.get("mlflow.parentRunId") or self._main
        # MLflow makes up a name where none is given; the run has one already
        name = run_name or given.get("mlflow.runName") or ""
        with self._lock:
            if not self._is_taken and "mlflow.parentRunId" not in given:
                self._is_taken = True
                given.pop("mlflow.runName", None)
                main = self._kept(self._main)
                if name and main.name == "run_%s" % self._main:  # a name that was chosen at the submit stays
                    main.name = main.tags["mlflow.runName"] = name
                    main.run.display_name = name
                self._set_tags(main, given)
                return self.get_run(self._main)
            above = self._kept(parent)
            child = above.run.child_run(name or None)
            kept = self._add(child, name or child.id, parent)
        self._set_tags(kept, given)
        return self.get_run(child.id)

    def get_run(self, run_id: str) -> Run:
        """Return a run with its last metrics, parameters and tags."""
        kept = self._kept(run_id)
        last = [max(values, key=lambda metric: (metric.step, metric.timestamp)) for values in kept.metrics.values()]
        params = [Param(key, value) for key, value in kept.params.items()]
        tags = [RunTag(key, value) for key, value in kept.tags.items()]
        return Run(self._info(kept), RunData(last, params, tags), *self._extras(kept))

    def _extras(self, kept: _Kept) -> List[Any]:
        inputs = RunInputs(kept.inputs)
        try:
            from mlflow.entities import RunOutputs
        except ImportError:
            return [inputs]
        return [inputs, RunOutputs(kept.outputs)]

    def _info(self, kept: _Kept) -> RunInfo:
        fields = {
            "run_id": kept.run.id,
            "experiment_id": self._experiment,
            "user_id": "",
            "status": RunStatus.to_string(kept.status),
            "start_time": kept.start,
            "end_time": kept.end,
            "lifecycle_stage": LifecycleStage.ACTIVE,
            "artifact_uri": kept.artifacts,
            "run_name": kept.name,
        }
        try:
            return RunInfo(**fields)
        except TypeError:  # MLflow 2
            return RunInfo(run_uuid=kept.run.id, **fields)

    def update_run_info(self, run_id: str, run_status: Any, end_time: Any, run_name: Optional[str]) -> RunInfo:
        """End a child run, or rename a run; how the script's own run ends is its process's matter."""
        kept = self._kept(run_id)
        if run_name and run_name != kept.name:
            kept.name = run_name
            kept.tags["mlflow.runName"] = run_name
            kept.run.display_name = run_name
        if run_status is not None:
            kept.status = run_status
            kept.end = end_time
            if run_id != self._main and RunStatus.is_terminated(run_status):
                if run_status == RunStatus.FINISHED:
                    kept.run.complete()
                elif run_status == RunStatus.KILLED:
                    kept.run.cancel()
                else:
                    kept.run.fail()
        return self._info(kept)

    def delete_run(self, run_id: str) -> None:
        """Refuse: the run history is not changed from inside a run."""
        raise MlflowException("A run cannot be deleted from inside a run of aml-jupyter.")

    def _search_runs(
        self,
        experiment_ids: Any,
        filter_string: Any,
        run_view_type: Any,
        max_results: Any,
        order_by: Any,
        page_token: Any,
    ) -> Any:
        runs = [self.get_run(run_id) for run_id in list(self._runs)]
        found = SearchUtils.sort(SearchUtils.filter(runs, filter_string), order_by)
        return SearchUtils.paginate(found, page_token, max_results)

    # -- what is logged ---------------------------------------------------------------------------------------------

    def log_metric(self, run_id: str, metric: Metric) -> None:
        """Log one value."""
        kept = self._kept(run_id)
        self._write_metric(kept, metric)

    def _write_metric(self, kept: _Kept, metric: Metric) -> None:
        known = kept.metrics.setdefault(metric.key, [])
        if getattr(metric, "model_id", None) and any(_is_same(metric, each) for each in known[-8:]):
            return  # MLflow 3 logs a value once more for each model that it belongs to
        at = metric.timestamp / 1000.0
        run = kept.run
        if -_NEAR < time.time() - at < _NEAR:
            run._sink.metric(metric.key, float(metric.value), metric.step, run._owner)
        else:
            fields = {"t": at, "n": metric_name(metric.key), "v": float(metric.value), "s": metric.step}
            run._sink.event("metric", run._owner, fields)
        known.append(metric)

    def log_param(self, run_id: str, param: Param) -> Param:
        """Log a parameter; like MLflow's, it keeps its first value."""
        self._write_param(self._kept(run_id), param)
        return param

    def _write_param(self, kept: _Kept, param: Param) -> None:
        value = str(param.value)
        before = kept.params.setdefault(param.key, value)
        if before != value:
            raise MlflowException(
                "Changing param values is not allowed. Param with key='%s' was already logged with value='%s' for run ID='%s'. "
                "Attempted logging new value '%s'." % (param.key, before, kept.run.id, value)
            )
        kept.run._event("property", k=protocol.LOGGED_PARAMETER + param.key, v=value)

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        """Set a tag."""
        self._set_tags(self._kept(run_id), {tag.key: tag.value})

    def _set_tags(self, kept: _Kept, tags: Dict[str, str]) -> None:
        for key, value in tags.items():
            kept.tags[key] = str(value)
            if key == "mlflow.runName" and kept.name != value and kept.run.id == self._main:
                kept.run.display_name = value
            if not key.startswith(_NOT_KEPT):
                kept.run._event("tag", k=key, v=str(value))

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag."""
        kept = self._kept(run_id)
        if key not in kept.tags:
            raise MlflowException("No tag with name: %s in run with id %s" % (key, run_id))
        del kept.tags[key]
        kept.run._event("tag", k=key, v=None)

    def log_batch(self, run_id: str, metrics: Any, params: Any, tags: Any) -> None:
        """Log metrics, parameters and tags at once."""
        kept = self._kept(run_id)
        for param in params or ():
            self._write_param(kept, param)
        for metric in metrics or ():
            self._write_metric(kept, metric)
        self._set_tags(kept, {tag.key: tag.value for tag in tags or ()})

    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: Any = None, page_token: Any = None
    ) -> PagedList:
        """Return all values of a metric that this process logged."""
        return PagedList(list(self._kept(run_id).metrics.get(metric_key, [])), None)

    def log_inputs(self, run_id: str, datasets: Any = None, models: Any = None) -> None:
        """Remember which data a run used; it is kept as a tag."""
        kept = self._kept(run_id)
        kept.inputs.extend(datasets or ())
        for dataset in datasets or ():
            context = next((tag.value for tag in dataset.tags or () if tag.key == "mlflow.data.context"), "data")
            kept.run._event("tag", k="mlflow.dataset." + str(context), v=str(dataset.dataset.name))

    def log_outputs(self, run_id: str, models: Any) -> None:
        """Remember which models a run made."""
        self._kept(run_id).outputs.extend(models or ())

    def record_logged_model(self, run_id: str, mlflow_model: Any) -> None:
        """Note a model of MLflow 2 in the tag where MLflow looks for it."""
        import json

        kept = self._kept(run_id)
        models = json.loads(kept.tags.get("mlflow.log-model.history") or "[]")
        models.append(
            mlflow_model.get_tags_dict() if hasattr(mlflow_model, "get_tags_dict") else mlflow_model.to_dict()
        )
        self._set_tags(kept, {"mlflow.log-model.history": json.dumps(models, default=str)})

    # -- models of MLflow 3 -----------------------------------------------------------------------------------------

    def create_logged_model(
        self,
        experiment_id: str,
        name: Optional[str] = None,
        source_run_id: Optional[str] = None,
        tags: Any = None,
        params: Any = None,
        model_type: Optional[str] = None,
    ) -> Any:
        """Begin a model: its files become artifacts of the run, in a folder called like it."""
        from mlflow.entities import LoggedModel, LoggedModelStatus

        kept = self._kept(source_run_id or self._main)
        with self._lock:
            place = os.path.join(kept.artifacts, name or "model")
            taken = {model.artifact_location for model in self._models.values()}
            while place in taken:
                place += "-again"
            now = int(time.time() * 1000)
            model = LoggedModel(
                experiment_id=self._experiment,
                model_id="m-" + uuid4().hex,
                name=name or "model",
                artifact_location=place,
                creation_timestamp=now,
                last_updated_timestamp=now,
                source_run_id=kept.run.id,
                status=LoggedModelStatus.PENDING,
                model_type=model_type,
                tags=list(tags or ()),
                params=list(params or ()),
            )
            self._models[model.model_id] = model
        return model

    def finalize_logged_model(self, model_id: str, status: Any) -> Any:
        """Say that a model is complete, or failed."""
        model = self.get_logged_model(model_id)
        model.status = status
        return model

    def get_logged_model(self, model_id: str, allow_deleted: bool = False) -> Any:
        """Return a model that this process logged."""
        try:
            return self._models[model_id]
        except KeyError:
            raise MlflowException("Model %r was not logged by this script." % model_id) from None

    def log_logged_model_params(self, model_id: str, params: Any) -> None:
        """Add parameters to a model."""
        model = self.get_logged_model(model_id)
        model.params.update({param.key: param.value for param in params})

    def set_logged_model_tags(self, model_id: str, tags: Any) -> None:
        """Set tags of a model."""
        self.get_logged_model(model_id).tags.update({tag.key: tag.value for tag in tags})

    def search_logged_models(self, experiment_ids: Any, *args: Any, **kwargs: Any) -> PagedList:
        """Return the models that this process logged."""
        return PagedList(list(self._models.values()), None)


def _is_same(one: Metric, other: Metric) -> bool:
    return (one.value, one.step, one.timestamp) == (other.value, other.step, other.timestamp)

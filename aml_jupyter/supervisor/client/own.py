"""Be the run that this process belongs to, and the child runs that live inside its process."""

import os
import sys
import traceback
import warnings
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Type

from . import reading
from .artifacts import artifact_name, copy_to
from .errors import UserErrorException
from .recorder import Recorder
from .requests import NoAnswer, Requests, reply_seconds
from .run import Run
from .sinks import ControlSink, Sink
from .submission import config_fields, new_run_id, refuse_unknown, submitter
from .workspace import Experiment

__all__ = ["InProcessRun", "SubmittedRun", "children_tags"]

_CHILDREN_LIMIT = 100  # SDK v1's


class InProcessRun(Recorder):
    """Be a run whose events come from this process: the context run, or a child run inside the same process."""

    def __init__(
        self, experiment: Optional[Experiment], run_id: str, sink: Sink, parent: Optional["InProcessRun"] = None
    ) -> None:
        Run.__init__(self, experiment, run_id)
        self._sink = sink
        self._owner = None if parent is None else run_id
        self._parent = parent
        self._ended = False

    @property
    def display_name(self) -> str:
        """Return the run's display name; it can be set."""
        return self._find_display_name()

    @display_name.setter
    def display_name(self, value: str) -> None:
        self._event("name", v=str(value))

    def child_run(
        self, name: Optional[str] = None, run_id: Optional[str] = None, outputs: Optional[str] = None
    ) -> "InProcessRun":
        """Start a child run inside this process, with an id and a history of its own."""
        from uuid import uuid4

        child = InProcessRun(self.experiment, run_id or str(uuid4()), self._sink, self)
        self._event("child", id=child.id, op="start", n=name)
        return child

    def create_children(
        self, count: Optional[int] = None, tag_key: Optional[str] = None, tag_values: Optional[List[str]] = None
    ) -> List["InProcessRun"]:
        """Start several child runs: `count` of them, or one for each of `tag_values` with the tag `tag_key`.

        Raises
        ------
        UserErrorException
            When both or none are asked for, or more than 100.
        """
        wanted = children_tags(count, tag_key, tag_values)
        children = [self.child_run() for _ in wanted]
        for child, tags in zip(children, wanted):
            child.set_tags(tags)
        return children

    def complete(self, _set_status: bool = True) -> None:
        """End an in-process child run as completed; its parent's outcome is the exit of the process."""
        self._end("Completed")

    def fail(self, error_details: Any = None, error_code: Any = None, _set_status: bool = True) -> None:
        """Record an error; an in-process child run ends as failed with it."""
        self._event("error", **_error_fields(error_details))
        self._end("Failed")

    def cancel(self) -> None:
        """End an in-process child run as canceled."""
        self._end("Canceled")

    def _end(self, status: str) -> None:
        self.flush()
        if self._owner is not None and not self._ended:
            self._ended = True
            self._sink.event("child", self._parent._owner if self._parent else None, _ending(self._id, status))

    def __enter__(self) -> "InProcessRun":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if error is None:
            self.complete()
        else:
            self.fail(error)

    def get_metrics(
        self,
        name: Optional[str] = None,
        recursive: bool = False,
        run_type: Optional[str] = None,
        populate: bool = False,
    ) -> Dict[str, Any]:
        """Return the run's metrics, those of its other processes included (see `Run.get_metrics`)."""
        self.flush()
        try:
            return Run.get_metrics(self, name, recursive, run_type, populate)
        except NoAnswer:
            _say_local("metrics")
        return self._own_metrics(name, recursive, populate)

    def _own_metrics(self, name: Optional[str], recursive: bool, populate: bool) -> Dict[str, Any]:
        """Return the metrics that this attempt itself knows of."""
        history = self._sink.history()
        if recursive:
            found = {run_id: history.of(run_id).metrics(name) for run_id in history.subtree(self._id)}
        else:
            found = history.of(self._id).metrics(name)
        return reading.populated(self, found, recursive) if populate else found

    def get_file_names(self) -> List[str]:
        """Return the names of the run's files."""
        try:
            return Run.get_file_names(self)
        except NoAnswer:
            _say_local("files")
        return sorted(self._sink.history().of(self._id).files)

    def get_children(self, *args: Any, **kwargs: Any) -> List[Run]:
        """Return the runs below this one (see `Run.get_children`)."""
        try:
            return Run.get_children(self, *args, **kwargs)
        except NoAnswer:
            _say_local("child runs")
        return [Run(self._experiment, child) for child in self._sink.history().of(self._id).children]

    def submit_child(
        self, config: Any, tags: Optional[Dict[str, str]] = None, display_name: Optional[str] = None, **kwargs: Any
    ) -> Run:
        """Submit a run below this one and return its handle.

        Parameters
        ----------
        config : ScriptRunConfig or dict
            What to run, and where; a dict has ``script`` or ``command`` and the other arguments of ScriptRunConfig.
            Where it names no Python, it runs with that of this process.
        tags : dict, optional
            Tags of the new run.
        display_name : str, optional
            Name to show.
        """
        refuse_unknown("submit_child", kwargs, ("config", "tags", "display_name"))
        requests = self._requests()
        args = {
            "id": new_run_id(self.experiment.name),
            "parent": self._id,
            "config": config_fields(config),
            "tags": tags or {},
            "display_name": display_name,
            "submitter": submitter(),
            "after": requests.written(),
        }
        answer = requests.ask("submit_child", args, reply_seconds())
        return Run(self.experiment, str(answer["id"]))

    def _find_parent(self) -> Optional[Run]:
        return self._parent

    def _find_display_name(self) -> str:
        own = self._sink.history().of(self._owner).display_name
        return own if own is not None else Run._find_display_name(self)

    def _requests(self) -> Requests:
        return Requests(self._sink.control) if isinstance(self._sink, ControlSink) else Run._requests(self)

    def _fields(self) -> Dict[str, Any]:
        try:
            return Run._fields(self)
        except NoAnswer:
            _say_local("tags and properties")
        own = self._sink.history().of(self._id)
        return {
            "id": self._id,
            "parent": own.parent,
            "experiment": self._experiment.name if self._experiment else "",
            "display_name": own.display_name,
            "status": own.status,
            "tags": own.tags,
            "properties": own.properties,
            "error": "\n".join(own.errors) or None,
            "log_files": reading.own_logs(self._sink.control) if isinstance(self._sink, ControlSink) else {},
        }

    def _fetch(self, name: str, target: str) -> None:
        wanted = artifact_name(name)
        if isinstance(self._sink, ControlSink) and wanted in self._sink.history().of(self._id).files:
            with open(target, "wb") as stream:
                copy_to(self._sink.path_of(wanted), stream)
        else:
            Run._fetch(self, wanted, target)


class SubmittedRun(InProcessRun):
    """Be the submitted run that this process belongs to; its outcome is the exit of the process."""

    def __init__(self, experiment: Optional[Experiment], run_id: str, control: str) -> None:
        InProcessRun.__init__(self, experiment, run_id, ControlSink(control, run_id))

    def _find_parent(self) -> Optional[Run]:
        known = os.environ.get("AML_PARENT_RUN_ID")
        if known is None:
            return Run._find_parent(self)
        return Run(None, known) if known else None

    def _find_number(self) -> Optional[int]:
        known = os.environ.get("AML_RUN_NUMBER", "")
        return int(known) if known.isdigit() else Run._find_number(self)

    def complete(self, _set_status: bool = True) -> None:
        """Write out what was logged; the run completes when its process ends."""
        self.flush()

    def cancel(self) -> None:
        """Warn: a run ends itself with ``sys.exit``, and is cancelled from outside."""
        warnings.warn(
            "run.cancel() inside the run itself does nothing: end it with sys.exit(), or cancel it from outside",
            UserWarning,
            stacklevel=2,
        )

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.complete()


def children_tags(
    count: Optional[int], tag_key: Optional[str], tag_values: Optional[Sequence[Any]]
) -> List[Dict[str, str]]:
    """Return the tags of each child that ``create_children`` is asked for; raises as it does."""
    if (count is None) == (tag_key is None or tag_values is None):
        raise UserErrorException("run.create_children: give either count, or tag_key and tag_values")
    number = len(tag_values or ()) if count is None else count
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _CHILDREN_LIMIT:
        raise UserErrorException(
            "run.create_children: %r children were asked for, 1 to %d are possible" % (number, _CHILDREN_LIMIT)
        )
    if count is None:
        return [{str(tag_key): str(value)} for value in tag_values or ()]
    return [{"azureml.batch_child_number": str(place)} for place in range(number)]


def _ending(run_id: str, status: str) -> Dict[str, Any]:
    return {"id": run_id, "op": "end", "status": status}


def _error_fields(details: Any) -> Dict[str, Any]:
    if isinstance(details, BaseException):
        lines = traceback.format_exception(type(details), details, details.__traceback__)
        return {"type": type(details).__name__, "m": str(details), "trace": "".join(lines)}
    return {"type": "UserError", "m": "" if details is None else str(details), "trace": ""}


def _say_local(what: str) -> None:
    """Say that an answer comes from this attempt's files alone."""
    sys.stderr.write(
        "aml-jupyter: no service answered within %g s; these %s are what this attempt itself has written\n"
        % (reply_seconds(), what)
    )

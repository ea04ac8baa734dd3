"""Own interactive runs: `Experiment.start_logging` makes this very process a run that logs until it is completed."""

from __future__ import annotations

import atexit
import functools
import getpass
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from aml_jupyter import errors
from aml_jupyter.environments import submitter
from aml_jupyter.errors import UserErrorException
from aml_jupyter.sdk.mapping import texts_by_name
from aml_jupyter.sdk.run import Run
from aml_jupyter.service.in_process import LOST, describe_process, end_lost_runs, ingest_in_process
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.client.errors import AmlError as ClientError
from aml_jupyter.supervisor.client.recorder import Recorder
from aml_jupyter.supervisor.client.sinks import ControlSink
from aml_jupyter.workspace import (
    WorkspaceFolder,
    append_change,
    check_run_id,
    find_run,
    insert_run,
    new_run_id,
    take_snapshot,
    transition,
    write_definition,
)
from aml_jupyter.workspace.snapshots.collect import content_in_use
from aml_jupyter.workspace.states import FINAL

if TYPE_CHECKING:
    from aml_jupyter.sdk.experiment import Experiment

__all__ = ["InteractiveRun", "own_errors", "start_interactive"]

INGEST_SECONDS = 0.5
"""How long a logged value may take into the run history, where views find it."""


class _InteractiveRecorder(Recorder):
    """Write events into the run's own control folder, as a submitted run's client does."""

    def __init__(self, control: Path, run_id: str) -> None:
        self._sink = ControlSink(str(control), run_id)


def _recorded(name: str) -> Callable[..., None]:
    """Return the method of a Recorder called `name` as a method of `InteractiveRun`."""

    @functools.wraps(getattr(Recorder, name))
    def call(self: InteractiveRun, *args: Any, **kwargs: Any) -> None:
        self._refuse_ended(name)
        with own_errors():
            getattr(self._recorder, name)(*args, **kwargs)
        self._ingest_soon()

    return call


class InteractiveRun(Run):
    """Stand for a run that lives in this process; in a ``with`` block it completes or fails at the block's end."""

    log = _recorded("log")
    log_list = _recorded("log_list")
    log_row = _recorded("log_row")
    log_table = _recorded("log_table")
    log_image = _recorded("log_image")
    log_confusion_matrix = _recorded("log_confusion_matrix")
    log_accuracy_table = _recorded("log_accuracy_table")
    log_residuals = _recorded("log_residuals")
    log_predictions = _recorded("log_predictions")
    upload_file = _recorded("upload_file")
    upload_files = _recorded("upload_files")
    upload_folder = _recorded("upload_folder")

    def __init__(self, experiment: Experiment, run_id: str, outputs: str | None = None) -> None:
        self._control = experiment.workspace.folder.layout.run(run_id).attempt(1).control
        self._recorder = _InteractiveRecorder(self._control, run_id)
        self._outputs = outputs
        self._ended = False
        self._process = os.getpid()
        self._timer: threading.Timer | None = None
        self._ingesting = threading.Lock()
        super().__init__(experiment, run_id)
        atexit.register(self._end_with_process)

    def flush(self, timeout_seconds: float = 300) -> None:
        """Return when everything that was logged is in the run history."""
        self._recorder.flush(timeout_seconds)
        self._ingest()

    def complete(self, _set_status: bool = True) -> None:
        """End the run as Completed; the files of its `outputs` folder become its own."""
        if self._outputs is not None and os.path.isdir(self._outputs):
            self.upload_folder("outputs", self._outputs)
        self._end("Completed", "", None)

    def fail(self, error_details: Any = None, error_code: str | None = None) -> None:
        """End the run as Failed, with the reason `error_details`: text or an exception."""
        kind = error_code or (type(error_details).__name__ if isinstance(error_details, BaseException) else "UserError")
        message = str(error_details) if error_details is not None else "run.fail() was called"
        self._end("Failed", message, {"type": kind, "message": message, "log_tail": "", "log_path": None})

    def cancel(self) -> None:
        """End the run as Canceled."""
        self._ingest()
        super().cancel()
        self._ended = True
        atexit.unregister(self._end_with_process)

    def child_run(
        self, name: str | None = None, run_id: str | None = None, outputs: str | None = None
    ) -> InteractiveRun:
        """Start a child run in this process."""
        self._refuse_ended("child_run")
        return super().child_run(name, run_id, outputs)

    def __enter__(self) -> InteractiveRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ended or self.status in FINAL:
            return
        if isinstance(error, KeyboardInterrupt):
            self.cancel()
        elif error is not None:
            self.fail(error)
        else:
            self.complete()

    @property
    def _folder(self) -> WorkspaceFolder:
        self._ingest()
        return super()._folder

    def _refuse_ended(self, name: str) -> None:
        if self._ended:
            raise UserErrorException(f"Run {self.id} has ended; {name} works before complete(), fail() and cancel().")

    def _end(self, status: str, reason: str, error: dict[str, Any] | None) -> None:
        self._refuse_ended(status.lower())
        self.flush()
        ended = time.time()
        with self._folder.store.transaction() as tx:
            transition(tx, self.id, status, reason, at=ended, error=error)
        self._ended = True
        atexit.unregister(self._end_with_process)
        append_change(
            self._folder, self.id, {"op": "end", "status": status, "reason": reason, "error": error, "ended": ended}
        )

    def _ingest_soon(self) -> None:
        """Take what is new into the run history within `INGEST_SECONDS`, many values at once."""
        if self._timer is None or not self._timer.is_alive():
            self._timer = threading.Timer(INGEST_SECONDS, self._ingest)
            self._timer.daemon = True
            self._timer.start()

    def _ingest(self) -> None:
        with self._ingesting:
            ingest_in_process(self.experiment.workspace.folder, self.id)

    def _end_with_process(self) -> None:
        """Say so where the process ends and the run does not; one that is killed is found by the next one."""
        if not self._ended and self._process == os.getpid() and super()._record().status not in FINAL:
            self._end("Failed", LOST, {"type": "ProcessLost", "message": LOST, "log_tail": "", "log_path": None})


def start_interactive(
    experiment: Experiment,
    display_name: str | None,
    outputs: str | None,
    snapshot_directory: str | None,
    run_id: str | None,
    tags: Mapping[str, str] | None,
    parent: str | None = None,
) -> InteractiveRun:
    """Write down a run whose process is this one, and return it.

    Raises
    ------
    UserErrorException
        When `run_id` is taken.
    """
    folder = experiment.workspace.folder
    for field, value in (
        ("outputs", outputs),
        ("snapshot_directory", snapshot_directory),
        ("display_name", display_name),
    ):
        if value is not None and (not isinstance(value, str | os.PathLike) or "\0" in str(value)):
            raise UserErrorException(f"start_logging({field}={value!r:.60}): expected a text.", field)
    tags = texts_by_name(tags, "tags")
    end_lost_runs(folder)
    wanted = run_id or new_run_id(experiment.name)
    check_run_id(wanted)
    if find_run(folder.store.read(), wanted) is not None:
        raise UserErrorException(f"The run id {wanted!r} is taken; leave run_id out to get a new one.", "run_id")
    with content_in_use(folder):
        snapshot = None
        if snapshot_directory is not None:
            snapshot = take_snapshot(folder, Path(snapshot_directory).resolve()).id
        definition = _definition(experiment, wanted, display_name, snapshot_directory, snapshot, tags, parent)
        place = folder.layout.run(wanted)
        (place.attempt(1).control / protocol.EVENTS).mkdir(parents=True)
        write_definition(folder.layout, definition)
        with folder.store.transaction() as tx:
            insert_run(tx, definition, status="Running", reason="in this process", in_process=True)
    return InteractiveRun(experiment, wanted, outputs)


def _definition(
    experiment: Experiment,
    run_id: str,
    display_name: str | None,
    snapshot_directory: str | None,
    snapshot: str | None,
    tags: Mapping[str, str] | None,
    parent: str | None,
) -> dict[str, Any]:
    """Return the content of ``run.json``."""
    return {
        "format": 1,
        "id": run_id,
        "experiment": experiment.name,
        "parent": parent,
        "number": None,
        "display_name": display_name or f"run_{run_id}",
        "kind": "interactive",
        "target": "local",
        "source_directory": str(Path(snapshot_directory or os.curdir).resolve()),
        "snapshot": snapshot,
        "script": None,
        "command": None,
        "arguments": [],
        "parameters": {},
        "run_config": {},
        "environment_variables": {},
        "submitter": {**submitter(), "user": getpass.getuser(), "cwd": os.getcwd()},
        "cell": None,
        "notebook": None,
        "process": describe_process(),
        "tags": dict(tags or {}),
        "properties": {},
        "created": time.time(),
        "hidden": False,
    }


@contextmanager
def own_errors() -> Iterator[None]:
    """Turn what the in-run client raises into the class of the same name that this package exports."""
    try:
        yield
    except ClientError as error:
        kind = getattr(errors, type(error).__name__, errors.AmlError)
        raise kind(error.message) from None

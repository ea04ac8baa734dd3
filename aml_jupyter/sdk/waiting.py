"""Wait for a run to end, and print its log while it grows."""

from __future__ import annotations

import codecs
import sys
import time
from pathlib import Path

from aml_jupyter.errors import ActivityFailedException, ExperimentExecutionException
from aml_jupyter.sdk.run_files import USER_LOG
from aml_jupyter.service import ensure_service, look_after, wait_for_run
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.plain import open_plain
from aml_jupyter.views import log_path
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run
from aml_jupyter.workspace.states import FINAL

__all__ = ["failure_text", "wait_for_completion", "watched_run"]

LOOK_SECONDS = 0.1
"""How often the log is looked at; SDK v1 takes 2 to 60 seconds."""

SERVICE_SECONDS = 3.0
"""How often the waiter makes sure that a service is there."""


def watched_run(folder: WorkspaceFolder, run_id: str) -> RunRecord:
    """Return a run as it is now; while it has not ended, its service is looked after, so that nobody polls in vain."""
    record = get_run(folder.store.read(), run_id)
    if record.status not in FINAL:
        look_after(folder)
    return record


def wait_for_completion(folder: WorkspaceFolder, run_id: str, show_output: bool, raise_on_error: bool) -> RunRecord:
    """Block until the run is final and return it.

    Raises
    ------
    ActivityFailedException
        When it failed and `raise_on_error` is True.
    ExperimentExecutionException
        When the waiting was interrupted (Ctrl-C); the run goes on.
    """
    try:
        record = _follow(folder, run_id) if show_output else wait_for_run(folder, run_id)
    except KeyboardInterrupt:
        raise ExperimentExecutionException(
            f"The waiting for run {run_id} was interrupted; the run goes on. Look at it with run.get_status() or "
            f"`aml run show {run_id}`, end it with run.cancel() or `aml run cancel {run_id}`."
        ) from None
    if record.status == "Failed" and raise_on_error:
        raise ActivityFailedException(failure_text(folder, record))
    return record


def failure_text(folder: WorkspaceFolder, record: RunRecord) -> str:
    """Return why the run failed, with the end of its log, and where the whole log lies."""
    error = record.error or {}
    path = Path(error.get("log_path") or _log_of(folder, record))
    tail = error.get("log_tail") or ""
    lines = tail if isinstance(tail, str) else "\n".join(tail)
    text = f"Run {record.id} failed: {error.get('message') or record.reason or 'no reason was recorded'}"
    if lines.strip():
        text += f"\nThe end of its log:\n{lines.rstrip()}"
    return f"{text}\nThe whole log: {path}" if path.exists() else text


def _follow(folder: WorkspaceFolder, run_id: str) -> RunRecord:
    """Print the log as it grows until the run is final."""
    print(f"RunId: {run_id}")
    printer = _LogPrinter(folder)
    checked = time.monotonic()
    while True:
        record = wait_for_run(folder, run_id, timeout=LOOK_SECONDS)
        printer.show(record)
        if record.status in FINAL:
            break
        if time.monotonic() - checked >= SERVICE_SECONDS:
            checked = time.monotonic()
            ensure_service(folder)
    print(f"\nExecution Summary\n=================\nRunId: {run_id}\nStatus: {record.status}")
    if record.status == "Canceled" and record.reason:
        print(f"Reason: {record.reason}")
    return record


class _LogPrinter:
    """Print what is new: why the run waits, then its log, attempt by attempt."""

    def __init__(self, folder: WorkspaceFolder) -> None:
        self._folder = folder
        self._log: Path | None = None
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._said = ""

    def show(self, record: RunRecord) -> None:
        log = log_path(self._folder, record)
        if log != self._log:
            self._print_new(record)  # the end of the one before
            self._log, self._offset = log, 0
            self._decoder.reset()
        if log is None or not log.is_file():
            waiting = f"{record.status}: {record.reason}" if record.reason else record.status
            if record.status not in FINAL and waiting != self._said:
                self._said = waiting
                print(waiting)
            return
        self._print_new(record)

    def _print_new(self, record: RunRecord) -> None:
        if self._log is None or not self._log.is_file():
            return
        with open_plain(self._log) as stream:
            stream.seek(self._offset)
            data = stream.read()
        if not data:
            return
        if self._offset == 0:
            again = f" of attempt {record.attempt}" if record.attempt > 1 else ""
            title = f"Streaming {protocol.BUILD_LOG if self._log.name == protocol.BUILD_LOG else USER_LOG}{again}"
            print(f"\n{title}\n{'=' * len(title)}\n")
        self._offset += len(data)
        sys.stdout.write(self._decoder.decode(data))
        sys.stdout.flush()


def _log_of(folder: WorkspaceFolder, record: RunRecord) -> Path:
    return folder.layout.run(record.id).attempt(max(record.attempt, 1)).control / protocol.LOG

"""Follow a run from outside: its log without gap or repetition, its states, and its end."""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.cli.common import emit_json, wants_json
from aml_jupyter.cli.parser import Arguments
from aml_jupyter.supervisor.plain import open_plain

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["exit_code_of", "follow_run", "wait_for_runs"]

POLL_SECONDS: Final = 0.1
ALIVE_SECONDS: Final = 3.0
CHUNK_BYTES: Final = 1 << 20
LAST_LINES: Final = 10


class _LogReader:
    """Read what is new in one log, by byte offset; half a character waits for its other half."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self._offset = offset
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self, write: Callable[[str], None]) -> None:
        """Pass on everything that the file has more than at the last call."""
        try:
            with open_plain(self.path) as stream:
                stream.seek(self._offset)
                while data := stream.read(CHUNK_BYTES):
                    self._offset += len(data)
                    write(self._decoder.decode(data))
        except FileNotFoundError:
            return


def follow_run(
    folder: WorkspaceFolder,
    run_id: str,
    write: Callable[[str], None] | None = None,
    on_state: Callable[[RunRecord], None] | None = None,
    path_of: Callable[[RunRecord], Path | None] | None = None,
) -> RunRecord:
    """Return the run when it is final, passing on its log as it grows; a service that has died meanwhile is started again.

    Parameters
    ----------
    write : callable, optional
        Takes new text of the log; every attempt's log is passed on once, from its beginning.
    on_state : callable, optional
        Called with the run when its state or its reason is another one than before.
    path_of : callable, optional
        Another file than the attempt's log.

    Raises
    ------
    ServiceException
        When the workspace's service has died and cannot be started again: the run would never be final.
    """
    from aml_jupyter.views import log_path
    from aml_jupyter.workspace import get_run
    from aml_jupyter.workspace.states import FINAL

    pause = threading.Event()
    reader: _LogReader | None = None
    said: tuple[str, str] | None = None
    checked = time.monotonic()
    place = path_of or (lambda run: log_path(folder, run))
    while True:
        run = get_run(folder.store.read(), run_id)
        path = place(run) if write else None
        is_news = on_state is not None and (run.status, run.reason) != said
        said = (run.status, run.reason)
        if on_state is not None and is_news and run.status not in FINAL:
            on_state(run)
        if write is not None and path is not None:
            if reader is not None and reader.path != path:
                reader.read(write)
            if reader is None or reader.path != path:
                reader = _LogReader(path)
            reader.read(write)
        if run.status in FINAL:
            if on_state is not None and is_news:
                on_state(run)
            return run
        if time.monotonic() - checked > ALIVE_SECONDS:
            from aml_jupyter.service import ensure_service

            checked = time.monotonic()
            ensure_service(folder)
        pause.wait(POLL_SECONDS)


def wait_for_runs(
    folder: WorkspaceFolder,
    run_ids: Sequence[str],
    arguments: Arguments,
    door: Door,
    timeout: float | None = None,
    show_log: bool = True,
    extra: dict[str, Any] | None = None,
) -> int:
    """Wait until every run is final; return 0 only when all completed, 1 when one did not, 130 after Ctrl-C.

    Parameters
    ----------
    timeout : float, optional
        Seconds to wait at the most; then the exit code is 124.
    show_log : bool
        Pass on the log of a single run while it goes on (never with ``--json``).
    extra : dict, optional
        What JSON has beside the run's own fields.
    """
    from aml_jupyter.service import wait_for_run
    from aml_jupyter.views import run_view
    from aml_jupyter.workspace import get_run
    from aml_jupyter.workspace.states import FINAL

    quiet = wants_json(arguments)
    deadline = None if timeout is None else time.monotonic() + timeout
    shows_log = len(run_ids) == 1 and show_log and not quiet and deadline is None

    said: dict[str, tuple[str, str]] = {}

    def say(run: RunRecord) -> None:
        if not quiet and said.get(run.id) != (run.status, run.reason):
            said[run.id] = (run.status, run.reason)
            is_told_below = run.status == "Failed"  # with its cause and the end of its log
            door.remark(f"{run.id}  {run.status}" + (f", {run.reason}" if run.reason and not is_told_below else ""))

    try:
        for run_id in run_ids:
            if shows_log:
                follow_run(folder, run_id, door.write, say)
                continue
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            run = wait_for_run(folder, run_id, left, say)
            if run.status not in FINAL:
                door.remark(f"aml: {run_id} is {run.status} after {timeout:g} s; it goes on (aml run logs -f {run_id})")
                return 124
    except KeyboardInterrupt:
        going = [run_id for run_id in run_ids if get_run(folder.store.read(), run_id).status not in FINAL]
        for run_id in going:
            door.remark(
                f"no longer waiting; run {run_id} goes on. Follow it: aml run logs -f {run_id}  end it: aml run cancel {run_id}"
            )
        return 130
    ended = [get_run(folder.store.read(), run_id) for run_id in run_ids]
    if quiet:
        found = [{**run_view(folder, run.id).as_json(), **(extra or {})} for run in ended]
        emit_json(door, found[0] if len(found) == 1 else found)
    else:
        for run in ended:
            if run.status == "Failed":
                door.remark(_why(folder, run, with_log=not shows_log))
    return exit_code_of(ended)


def exit_code_of(runs: Sequence[RunRecord]) -> int:
    """Return 0 when every run completed, else 1."""
    return 0 if all(run.status == "Completed" for run in runs) else 1


def _why(folder: WorkspaceFolder, run: RunRecord, with_log: bool) -> str:
    """Return why a run failed, with the end of its log where that was not shown, and the log's path."""
    from aml_jupyter.views import log_path
    from aml_jupyter.views.logs import read_tail

    said = [f"aml: run {run.id} failed: {(run.error or {}).get('message') or run.reason}"]
    path = log_path(folder, run)
    if path is not None:
        if with_log:
            said += [f"  | {line}" for line in read_tail(path, LAST_LINES).plain()]
        said.append(f"  its log: {path}")
    return "\n".join(said)

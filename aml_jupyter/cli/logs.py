"""Own `aml run logs`: a run's log, whole, its end, or as it grows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aml_jupyter.cli.common import emit_json, open_workspace, select_run, wants_json
from aml_jupyter.cli.follow import follow_run
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, accept_experiment, add_verb
from aml_jupyter.errors import UserErrorException

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["add_verb_to"]

CHUNK_BYTES = 1 << 20


def add_verb_to(verbs: Nouns) -> None:
    """Add `aml run logs`."""
    logs = add_verb(
        verbs,
        "logs",
        _logs,
        "Print a run's log: what it wrote to standard output and standard error.",
        "aml run logs -f last\naml run logs last --tail 20\naml run logs last --file logs/training.log",
    )
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run has ended")
    _add_options(logs)
    monitor = add_verb(
        verbs,
        "monitor-logs",
        _logs,
        "Print a run's log until the run has ended, as SDK v1's command line did.",
        "aml run monitor-logs -r last",
    )
    monitor.set_defaults(follow=True)
    _add_options(monitor)


def _add_options(parser: Parser) -> None:
    add = parser.add_argument
    add("--file", metavar="NAME", help="another file of the run in place of its log, for example logs/training.log")
    add("--attempt", type=int, metavar="N", help="the log of an earlier attempt")
    add("--tail", type=int, metavar="N", help="only the last N lines")
    add("run", nargs="?", metavar="RUN", help="id, unique beginning of one, name, or last")
    add("-r", "--run", dest="run_option", metavar="RUN", help="the same, as an option")
    accept_experiment(parser)


def _logs(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.cli.run import named_run

    if arguments.tail is not None and arguments.tail < 0:
        raise UserErrorException(f"--tail {arguments.tail}: a number of lines of at least 0 was expected", "tail")
    folder = open_workspace(arguments)
    run = select_run(folder, named_run(arguments), arguments)
    follow = arguments.follow
    if follow and wants_json(arguments):
        raise UserErrorException("--json and -f exclude each other: a log that grows is not one JSON value", "json")
    if follow and arguments.attempt is not None:
        raise UserErrorException("--attempt and -f exclude each other: -f passes on every attempt's log", "attempt")
    if follow:
        return _follow(arguments, door, folder, run)
    path = _file_of(folder, run, arguments.file, arguments.attempt)
    if path is None:
        if wants_json(arguments):
            return emit_json(door, {"id": run.id, "attempt": run.attempt, "path": None, "size": 0, "text": ""})
        door.remark(f"run {run.id} is {run.status} and has no log yet" + (f": {run.reason}" if run.reason else ""))
        return 0
    if wants_json(arguments):
        size = path.stat().st_size if path.exists() else 0
        text = "\n".join(_tail(path, arguments.tail)) if arguments.tail is not None else _whole(path)
        return emit_json(
            door,
            {"id": run.id, "attempt": arguments.attempt or run.attempt, "path": str(path), "size": size, "text": text},
        )
    if arguments.tail is not None:
        door.write("".join(line + "\n" for line in _tail(path, arguments.tail)))
        return 0
    _copy(path, door)
    return 0


def _follow(arguments: Arguments, door: Door, folder: WorkspaceFolder, run: RunRecord) -> int:
    attempt = 0

    def place(now: RunRecord) -> Path | None:
        return _file_of(folder, now, arguments.file, None, must_exist=False)

    def say(now: RunRecord) -> None:
        nonlocal attempt
        if attempt and now.attempt > attempt:
            door.remark(f"attempt {now.attempt} begins: {now.reason}")
        attempt = now.attempt
        if now.status == "Queued":
            door.remark(f"{now.id} waits" + (f": {now.reason}" if now.reason else ""))

    try:
        ended = follow_run(folder, run.id, door.write, say, place)
    except KeyboardInterrupt:
        door.remark(f"no longer following; run {run.id} goes on. End it: aml run cancel {run.id}")
        return 130
    if ended.status != "Completed":
        door.remark(f"{ended.id}  {ended.status}" + (f", {ended.reason}" if ended.reason else ""))
    return 0


def _file_of(
    folder: WorkspaceFolder, run: RunRecord, name: str | None, attempt: int | None, must_exist: bool = True
) -> Path | None:
    """Return the path of the log, or of the file that was named; None before the first attempt."""
    from aml_jupyter.views import log_path
    from aml_jupyter.workspace import artifact_path

    if attempt is not None and not 1 <= attempt <= run.attempt:
        raise UserErrorException(f"--attempt {attempt}: run {run.id} has had {run.attempt} attempts", "attempt")
    if name is None:
        return log_path(folder, run, attempt)
    if attempt is not None and attempt != run.attempt:
        raise UserErrorException("--file is of the newest attempt; leave --attempt out", "attempt")
    try:
        return artifact_path(folder, run.id, name)
    except UserErrorException:
        if must_exist:
            raise
        return None


def _tail(path: Path, lines: int) -> list[str]:
    from aml_jupyter.views.logs import read_tail

    return list(read_tail(path, lines, limit_bytes=max(1 << 16, lines * 500)).lines)


def _whole(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.exists() else ""


def _copy(path: Path, door: Door) -> None:
    """Write the whole file a piece at a time; a log may be larger than memory."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as stream:
            while piece := stream.read(CHUNK_BYTES):
                door.write(piece)
    except FileNotFoundError:
        return

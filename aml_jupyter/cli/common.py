"""Own what verbs share: which workspace, which run, how a result is printed, how values are read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aml_jupyter.cli.parser import Arguments
from aml_jupyter.errors import UserErrorException, nearest

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.views import View
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = [
    "config_says",
    "current_folder",
    "emit",
    "emit_json",
    "open_workspace",
    "pairs",
    "select_run",
    "wants_json",
    "watched_workspace",
]


@contextmanager
def config_says(tell: Callable[[str], None]) -> Iterator[None]:
    """Hand what reading configurations says through the log to `tell`, and to nobody else, for the time of the block."""
    import logging

    ear = logging.Handler()
    ear.emit = lambda record: tell(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("aml_jupyter.config")
    before = log.handlers, log.propagate
    log.handlers, log.propagate = [ear], False
    try:
        yield
    finally:
        log.handlers, log.propagate = before


def wants_json(arguments: Arguments) -> bool:
    """Tell whether ``--json`` was said."""
    return bool(getattr(arguments, "json", False))


def current_folder() -> Path:
    """Return the current folder.

    Raises
    ------
    UserErrorException
        When it was deleted.
    """
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UserErrorException("the current folder does not exist any more; change to one that does") from None


def open_workspace(arguments: Arguments) -> WorkspaceFolder:
    """Return the workspace that ``--workspace``, AML_WORKSPACE, the project's ``config.json`` or the registry names.

    A folder without one gets one; `run_line` says so when the line has been carried out, since it may be a slip.
    """
    from aml_jupyter.workspace import find_workspace
    from aml_jupyter.workspace.locate import is_path

    wanted = getattr(arguments, "workspace", None) or os.environ.get("AML_WORKSPACE", "")
    is_new = is_path(wanted) and not os.path.exists(os.path.join(os.path.expanduser(wanted), "workspace.json"))
    folder = find_workspace(wanted or None)
    if is_new:
        arguments.made_workspace = folder.root
    return folder


def watched_workspace(arguments: Arguments) -> WorkspaceFolder:
    """Return the workspace for who looks at its runs: its service is started again where it is gone and runs are open."""
    from aml_jupyter.service import look_after

    folder = open_workspace(arguments)
    look_after(folder)
    return folder


def emit(arguments: Arguments, door: Door, view: View) -> int:
    """Print a view as JSON or for people, and return the exit code of a verb that has done its work."""
    if wants_json(arguments):
        return emit_json(door, view.as_json())
    door.show(view)
    return 0


def emit_json(door: Door, value: Any) -> int:
    """Print plain data as JSON and return 0."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2, allow_nan=False)
    door.write(text + "\n")
    return 0


def select_run(folder: WorkspaceFolder, text: str, arguments: Arguments | None = None) -> RunRecord:
    """Return the run that `text` means: its id, ``last``, a unique beginning of an id or of its last part, or its name.

    Raises
    ------
    UserErrorException
        When no run or several runs are meant, or the line says that it is of another experiment (``-e``).
    """
    run = _named(folder, text)
    experiment = getattr(arguments, "runs_experiment", run.experiment)
    if run.experiment != experiment:
        raise UserErrorException(
            f"run {run.id} belongs to experiment {run.experiment!r}, not to {experiment!r}", "experiment"
        )
    return run


def _named(folder: WorkspaceFolder, text: str) -> RunRecord:
    from aml_jupyter.workspace import find_run, find_runs

    db = folder.store.read()
    if text == "last":
        latest = find_runs(db, last=1)
        if not latest:
            raise UserErrorException(
                "there is no run yet in this workspace; submit one with: aml submit SCRIPT.py", "run"
            )
        return latest[0]
    exact = find_run(db, text)
    if exact is not None:
        return exact
    everything = find_runs(db, include_hidden=True, children=True)
    for found in (
        [run for run in everything if text and run.id.startswith(text)],
        [run for run in everything if len(text) >= 4 and run.id.rpartition("_")[2].startswith(text)],
        [run for run in everything if run.display_name == text],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(run.id for run in found[:5]) + (", ..." if len(found) > 5 else "")
            raise UserErrorException(f"{text!r} means {len(found)} runs: {listed}", "run")
    known = nearest(text, [run.id for run in everything[:200]])
    raise UserErrorException(
        f"there is no run {text!r} in workspace {folder.name!r}; {known or 'it has no runs'}", "run"
    )


def pairs(words: Sequence[str] | None, option: str, value_optional: bool = False) -> dict[str, str]:
    """Return ``NAME=VALUE`` words as a dict.

    Raises
    ------
    UserErrorException
        When a word has no ``=`` (unless the value is optional) or no name.
    """
    found = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not name or not (equals or value_optional):
            raise UserErrorException(f"{option} {word!r}: NAME=VALUE was expected", option.lstrip("-"))
        found[name] = value
    return found

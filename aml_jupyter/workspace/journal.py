"""Own the two files that remember what was changed from outside a run, so that the database can be built anew.

A line of ``runs/<id>/changes.jsonl`` has ``time``, and ``op``:

==============  =====================================================================================================
``tags``        ``tags``: {key: value, or null for a removed one}
``properties``  ``properties``: {key: value}
``name``        ``display_name``
``priority``    ``priority``
``cancel``      ``reason``
``sweep``       ``change``: what `hyperdrive.with_changes` reads
``end``         ``status``, ``reason``, ``error``, ``exit_code``, ``started``, ``ended``: an end that no
                ``result.json`` explains
==============  =====================================================================================================

A line of ``journal.jsonl`` has ``time``, and ``op``: ``target`` (``target``: the fields of the `TargetRecord`),
``target_deleted`` (``name``), ``default`` (``name``), ``experiment`` (``name``), ``run_removed`` (``id``),
``model`` and ``environment`` (the fields of their records), ``model_deleted`` and ``environment_deleted`` (``name``,
``version``).
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aml_jupyter.errors import WorkspaceException
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.durable import sync_folder
from aml_jupyter.supervisor.faults import fault_point

from .folder import WorkspaceFolder

__all__ = ["append_change", "append_journal", "read_lines", "torn_lines"]


def append_change(folder: WorkspaceFolder, run_id: str, change: dict[str, Any]) -> None:
    """Append one change to the run's ``changes.jsonl``; it is on the disk when this returns.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    run_id : str
        The run.
    change : dict
        ``op`` and its fields (see the module's text); ``time`` is added when it is missing.

    Raises
    ------
    WorkspaceException
        When the file cannot be written.
    """
    _append(folder.layout.run(run_id).changes, change)


def append_journal(folder: WorkspaceFolder, entry: dict[str, Any]) -> None:
    """Append one entry to the workspace's ``journal.jsonl``; as `append_change` does."""
    _append(folder.layout.journal, entry)


def _append(path: Path, entry: dict[str, Any]) -> None:
    # the newline in front keeps a line whole when the one before it was torn by a crash or a full disk
    text = "\n" + json.dumps({"time": time.time(), **entry}, default=_plain) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            data = text.encode()
            with fault_point("journal.append"):
                written = os.write(descriptor, data)
                if written != len(data):
                    raise OSError(28, "No space left on device")
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if made:
            sync_folder(path.parent)
    except OSError as error:
        raise WorkspaceException(
            f"{path} cannot be written: {error.strerror}. The change was not made. Free some space or make the folder "
            "writable, and try again."
        ) from error


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def torn_lines(path: Path) -> int:
    """Return how many lines of a file of JSON objects are no whole one."""
    try:
        written = [line for line in path.read_bytes().split(b"\n") if line.strip()]
    except FileNotFoundError:
        return 0
    return len(written) - sum(1 for _ in read_lines(path))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a file of JSON objects; torn ones and a missing file yield nothing."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    for line in protocol.whole_lines(data)[0]:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value

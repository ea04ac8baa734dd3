"""Own the list of an attempt's files that are on the machine where it ran, and not here: ``attempts/<n>/there.json``."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aml_jupyter.supervisor import protocol

from .folder import WorkspaceFolder
from .runs import get_run

__all__ = ["THERE", "FileThere", "count_there", "files_in", "files_there"]

THERE: Final = "there.json"


@dataclass(frozen=True)
class FileThere:
    """Describe a file that is elsewhere: its place below the attempt's folder, bytes, time of change (ns), hash and target."""

    path: str
    size: int
    modified: int
    sha256: str
    target: str

    @property
    def name(self) -> str:
        """Return its name among the run's files."""
        return self.path.removeprefix(f"{protocol.WORK}/")


def files_in(attempt: Path) -> list[FileThere]:
    """Return the files that the list of an attempt's folder has, and that are not here."""
    content = None
    with contextlib.suppress(OSError, ValueError):
        content = protocol.read_json(str(attempt / THERE))
    if not content:
        return []
    target = str(content["target"])
    found = [FileThere(str(path), size, modified, sha256, target) for path, size, modified, sha256 in content["files"]]
    return [file for file in found if not (attempt / file.path).exists()]


def count_there(folder: WorkspaceFolder, target: str) -> int:
    """Return how many files of all runs are on the machine of a target, and not here."""
    lists = folder.layout.runs.glob(f"*/attempts/*/{THERE}")
    return sum(file.target == target for place in lists for file in files_in(place.parent))


def files_there(folder: WorkspaceFolder, run_id: str) -> dict[str, FileThere]:
    """Return the files of the run's current attempt that are on another machine, by name.

    Raises
    ------
    UserErrorException
        When there is no such run.
    """
    run = get_run(folder.store.read(), run_id)
    return (
        {file.name: file for file in files_in(folder.layout.run(run.id).attempt(run.attempt).path)}
        if run.attempt
        else {}
    )

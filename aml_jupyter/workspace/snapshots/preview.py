"""Say what a snapshot would hold, without reading a file's content or writing anything."""

from __future__ import annotations

import os
from dataclasses import dataclass

from aml_jupyter.errors import SnapshotException

from .limits import Limits, biggest_entries
from .scan import Ignored
from .source import look_at
from .store import SnapshotWorkspace, open_store

__all__ = ["SnapshotPreview", "preview_snapshot"]

_BIGGEST = 10


@dataclass(frozen=True)
class SnapshotPreview:
    """Describe what would go.

    Attributes
    ----------
    source : str
        Real path of the source directory.
    files : int
        Number of files.
    size : int
        Their size in bytes.
    changed_files : int
        Files that are new, or whose size or times are not what they were at the last snapshot of this folder.
    biggest : tuple of (str, int)
        The ten biggest files: relative path and size in bytes.
    biggest_folders : tuple of (str, int)
        The ten biggest folders, all that is in them included.
    ignored : tuple of Ignored
        What stays out at the top of each ignored branch, and the rule (``rule.origin``, ``.line``, ``.text``) that did it.
    ignore_file : str or None
        Name of the ignore file that was read.
    notes : tuple of str
        What is left out or treated in a special way, and why.
    limit_bytes, limit_files : int or None
        The limits in force.
    refusal : str
        Why it would be refused; empty when it would not.
    """

    source: str
    files: int
    size: int
    changed_files: int
    biggest: tuple[tuple[str, int], ...]
    biggest_folders: tuple[tuple[str, int], ...]
    ignored: tuple[Ignored, ...]
    ignore_file: str | None
    notes: tuple[str, ...]
    limit_bytes: int | None
    limit_files: int | None
    refusal: str = ""


def preview_snapshot(
    folder: SnapshotWorkspace, source: str | os.PathLike[str], exclude_defaults: bool = True
) -> SnapshotPreview:
    """Look at a source directory and say what its snapshot would hold.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace; nothing is written to it.
    source : str or os.PathLike
        The source directory; '' is the current one.
    exclude_defaults : bool
        Whether the built-in exclusions hold.

    Raises
    ------
    SnapshotException
        The folder is missing, is a file, or cannot be read.
    """
    limits = Limits.in_force()
    scan = look_at(folder, open_store(folder), source, exclude_defaults)
    changed = [item for item in scan.pending if not item.is_doubtful]
    refusal = ""
    try:
        limits.check_size(scan)
        limits.check_files(scan, changed)
    except SnapshotException as error:
        refusal = error.message
    files, folders = biggest_entries(scan.sizes(), _BIGGEST)
    return SnapshotPreview(
        source=scan.source,
        files=scan.files,
        size=scan.size,
        changed_files=len(changed),
        biggest=tuple(files),
        biggest_folders=tuple(folders),
        ignored=tuple(scan.ignored),
        ignore_file=scan.rules.origin,
        notes=scan.notes.lines(),
        limit_bytes=limits.size,
        limit_files=limits.files,
        refusal=refusal,
    )

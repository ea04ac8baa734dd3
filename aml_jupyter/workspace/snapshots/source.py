"""Check the source directory and look at it, for everything that needs to know what a snapshot would hold."""

from __future__ import annotations

import os

from aml_jupyter.errors import SnapshotException, nearest

from .cache import load_known
from .ignore import read_rules
from .notes import shown
from .scan import Scan, scan_source
from .store import ContentStore, SnapshotWorkspace

__all__ = ["look_at", "source_path"]


def source_path(source: str | os.PathLike[str]) -> str:
    """Return the real path of a source directory ('' is the current folder).

    Raises
    ------
    SnapshotException
        It is missing, is a file, or cannot be read.
    """
    written = os.fspath(source) or "."
    path = os.path.realpath(written)
    if not os.path.exists(path):
        parent, name = os.path.split(path)
        known = (
            [entry for entry in os.listdir(parent) if os.path.isdir(os.path.join(parent, entry))]
            if _readable(parent)
            else []
        )
        raise SnapshotException(
            f"The source directory {shown(written)} does not exist. {nearest(name, known)}".rstrip(), "source_directory"
        )
    if not os.path.isdir(path):
        raise SnapshotException(
            f"The source directory {shown(written)} is a file. Give the folder that holds it: {shown(os.path.dirname(path))}",
            "source_directory",
        )
    if os.path.dirname(path) == path:
        raise SnapshotException(
            f"The source directory {shown(written)} is the whole file system. Put what the run needs into a folder.",
            "source_directory",
        )
    if not _readable(path):
        raise SnapshotException(
            f"The source directory {shown(written)} cannot be read. Change its rights, or choose another folder.",
            "source_directory",
        )
    return path


def look_at(
    folder: SnapshotWorkspace, store: ContentStore, source: str | os.PathLike[str], exclude_defaults: bool = True
) -> Scan:
    """Look at a source directory with its ignore rules and what is known of it.

    Raises
    ------
    SnapshotException
        The directory cannot be snapshotted at all.
    """
    path = source_path(source)
    workspace = os.path.realpath(folder.root)
    if path == workspace:
        raise SnapshotException(
            f"The source directory {shown(path)} is the workspace itself, which would grow with each of its own "
            "snapshots. Put the scripts into a folder of their own.",
            "source_directory",
        )
    known = load_known(store, path)
    if known is not None and not store.has(known.tree):
        known = None
    try:
        return scan_source(path, read_rules(path, exclude_defaults), known, workspace, exclude_defaults)
    except OSError as error:
        raise SnapshotException(
            f"The source directory {shown(path)} cannot be read ({error.strerror}).", "source_directory"
        ) from error


def _readable(path: str) -> bool:
    return os.access(path, os.R_OK | os.X_OK)

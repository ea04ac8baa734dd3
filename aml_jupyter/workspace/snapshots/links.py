"""Decide what becomes of a symbolic link in a source directory.

A link that stays inside is kept as a link (relative, so that it means the same in the run's folder); the content of a
file outside is taken in place of the link; a directory outside is left out; a broken link or a loop is kept as it is.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from .notes import Notes, shown

__all__ = ["Link", "examine_link"]


@dataclass(frozen=True)
class Link:
    """Say what becomes of a link: its `target` when it is kept, the `status` of the file that is copied, or neither."""

    target: str | None = None
    status: os.stat_result | None = None
    inside: str | None = None
    """Relative path of what a kept link points to, to be looked for in the snapshot."""


def examine_link(root: str, path: str, full: str, notes: Notes) -> Link:
    """Say what becomes of the link at `full`, and note what a person should know.

    Parameters
    ----------
    root : str
        The real path of the source directory.
    path : str
        The link's path relative to it.
    full : str
        The link's absolute path.
    notes : Notes
        Receives the note, if there is one.
    """
    try:
        target = os.readlink(full)
    except FileNotFoundError:
        notes.add("disappeared while the snapshot was taken: left out", path)
        return Link()
    try:
        real = os.path.realpath(full, strict=True)
        status = os.stat(real)
    except OSError as error:
        if error.errno == errno.ELOOP:
            notes.add("is a link that leads back to itself: kept as it is", path)
        elif isinstance(error, PermissionError):
            notes.add("is a link to something that cannot be read: left out", path)
            return Link()
        else:
            notes.add("is a broken link: kept as it is", path, f" (its target {target} does not exist)")
        return Link(target=target)
    if real == root or real.startswith(root.rstrip(os.sep) + os.sep):
        place = os.path.dirname(path)
        lexical = os.path.normpath(os.path.join(place, target))
        if os.path.isabs(target) or lexical == ".." or lexical.startswith(".." + os.sep):
            target = os.path.relpath(real, os.path.realpath(os.path.dirname(full)))
        return Link(target=target, inside=os.path.relpath(real, root))
    if stat.S_ISREG(status.st_mode):
        notes.add("is a link to a file outside the folder: its content is taken", path, f" (from {target})")
        return Link(status=status)
    if stat.S_ISDIR(status.st_mode):
        notes.add(
            "is a link to a folder outside: left out; copy the folder here, or pass its path as an argument",
            path,
            f" (it leads to {shown(real)})",
        )
    else:
        notes.add("is a link to a device, socket or pipe: left out", path)
    return Link()

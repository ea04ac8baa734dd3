"""Give disk space of a far machine back: content and environments that nothing has used for a while."""

import os
import shutil
import time
from typing import Any, Dict, Iterator, Tuple

from .far_build import READY, TOOLS, is_building
from .far_kept import kept_size
from .faults import fault_point
from .protocol import CONTROL, LAUNCH

__all__ = ["clean"]

WRECKED_AFTER = 86400.0
"""Seconds after which what was being written is believed to be a wreck."""


def clean(base: str, unused_days: float, dry_run: bool) -> Dict[str, Any]:
    """Remove what was not used for so many days; safe beside everything else, since what is missed is sent or built again.

    Parameters
    ----------
    base : str
        The base folder.
    unused_days : float
        For how long nothing may have used it.
    dry_run : bool
        Remove nothing, and return what would be.

    Returns
    -------
    dict
        ``content`` and ``environments``, each [count, bytes]; ``outputs`` of runs that stay here, which are never removed.
    """
    before = time.time() - unused_days * 86400.0
    content, environments = [0, 0], [0, 0]
    for path, age in _files(base, before):
        content[0] += 1
        content[1] += age
        if not dry_run:
            with fault_point("far.clean"):
                try:
                    os.unlink(path)
                except OSError:
                    pass
    for folder in _environments(base, before):
        environments[0] += 1
        environments[1] += sum(
            os.lstat(os.path.join(where, name)).st_size for where, _, names in os.walk(folder) for name in names
        )
        if not dry_run:
            with fault_point("far.clean"):
                shutil.rmtree(folder, ignore_errors=True)
    return {"content": content, "environments": environments, "outputs": list(kept_size(base))}


def _files(base: str, before: float) -> Iterator[Tuple[str, int]]:
    """Yield blobs, lists of snapshots and wrecks, each with its size."""
    root = os.path.join(base, "content")
    for kind, limit in (("blobs", before), ("trees", before), ("partial", min(before, time.time() - WRECKED_AFTER))):
        for where, _, names in os.walk(os.path.join(root, kind)):
            for name in names:
                path = os.path.join(where, name)
                try:
                    facts = os.lstat(path)
                except OSError:
                    continue
                if facts.st_mtime < limit:
                    yield path, facts.st_size


def _environments(base: str, before: float) -> Iterator[str]:
    root = os.path.join(base, "environments")
    starts = " ".join(_launches(base))
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else ():
        folder = os.path.join(root, name)
        try:
            used = os.stat(os.path.join(folder, READY)).st_mtime
        except OSError:
            used = os.stat(folder).st_mtime
        if used < before and not is_building(folder) and "/environments/%s/" % name not in starts:
            yield folder
    tools = os.path.join(base, TOOLS)
    for name in sorted(os.listdir(tools)) if os.path.isdir(tools) else ():
        folder = os.path.join(tools, name)
        if os.stat(folder).st_mtime < before:  # whoever builds and misses it does without
            yield folder


def _launches(base: str) -> Iterator[str]:
    """Yield how the attempts that are here were started: a run may take longer than an environment is kept."""
    for where, _, names in os.walk(os.path.join(base, "runs")):
        if LAUNCH in names and os.path.basename(where) == CONTROL:
            try:
                with open(os.path.join(where, LAUNCH)) as stream:
                    yield stream.read()
            except OSError:
                continue

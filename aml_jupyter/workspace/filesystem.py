"""Tell what kind of file system a workspace lies on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["is_network"]

_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "nfs",
     "nfs4", "smb3", "smbfs"}
)  # fmt: skip


def is_network(path: Path) -> bool:
    """Tell whether `path` lies on a network file system, where SQLite's WAL must not be used.

    ``AML_WORKSPACE_FS=network`` or ``local`` decides it; otherwise Linux's mount table is read, and other systems
    are taken for local.
    """
    forced = os.environ.get("AML_WORKSPACE_FS", "")
    if forced:
        return forced == "network"
    if not sys.platform.startswith("linux"):
        return False
    return _mounted_type(os.path.realpath(path)) in _NETWORK


def _mounted_type(path: str) -> str:
    """Return the type of the file system that holds `path`, as the mount table says."""
    best, kind = "", ""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
            lines = stream.readlines()
    except OSError:
        return ""
    for line in lines:
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4].encode().decode("unicode_escape")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, right.split(" ")[0]
    return kind

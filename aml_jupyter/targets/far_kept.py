"""Leave big outputs of an attempt on its machine, with a list of them here, and fetch them when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aml_jupyter.config.sizes import bytes_of
from aml_jupyter.supervisor import durable, protocol
from aml_jupyter.targets.far_arrivals import discard, is_here, note_stay, read_arrivals
from aml_jupyter.targets.far_fetch import fetch_named
from aml_jupyter.targets.far_link import FarLink
from aml_jupyter.targets.protocol import Handle
from aml_jupyter.workspace import TargetRecord
from aml_jupyter.workspace.files_there import THERE, FileThere, files_in

__all__ = ["bring", "leave"]

HASHED_WITHIN = 3600.0
"""Seconds that the machine may be silent while it hashes one file."""


def leave(link: FarLink, handle: Handle, root: Path, folders: Sequence[str], record: TargetRecord) -> None:
    """Have files larger than the target's ``largest_output`` kept over there, and listed beside the attempt's folders here.

    Parameters
    ----------
    root : Path
        The attempt's folder here.
    folders : sequence of str
        The watched folders below it; ``logs`` always comes.

    Raises
    ------
    HostUnreachable
        When the link is cut; asked again, it finds what was kept.
    """
    limit = str(record.settings.get("largest_output") or "")
    if not limit or not folders:
        return
    key, kept = [handle.run_id, handle.attempt], list[dict[str, Any]]()
    link.ask(
        "keep",
        key=key,
        folders=[name for name in folders if name != f"{protocol.WORK}/logs"],
        limit=bytes_of(limit, "largest_output"),
        seconds=HASHED_WITHIN,
        part=lambda header, _: kept.append(header),
    )
    here = [entry["name"] for entry in kept if is_here(root / entry["name"], entry["size"], entry["time"])]
    for name in here:
        note_stay(root, name)
    if here:
        link.ask("drop", key=key, names=here)
    away = [entry for entry in kept if entry["name"] not in here]
    arrivals = read_arrivals(root)
    for entry in away:
        if arrivals.came(root, entry["name"]):
            discard(root, entry["name"])  # it came while it was smaller
    if away:
        _list(root, record.name, [FileThere(e["name"], e["size"], e["time"], e["sha256"], record.name) for e in away])


def bring(link: FarLink, handle: Handle, root: Path, wanted: Sequence[FileThere]) -> list[str]:
    """Fetch kept files into their places here, each checked by its hash; have them removed over there, and return which came.

    Raises
    ------
    HostUnreachable
        When the link is cut; it goes on where it was then.
    OSError
        When the disk here is full.
    """
    key = [handle.run_id, handle.attempt]
    came = []
    for file in wanted:
        fetch_named(link, handle, root, file.path, file.size, file.modified)
        if is_here(root / file.path, file.size, file.modified):
            came.append(file.path)
    if came:
        left = [file for file in files_in(root) if file.path not in came]
        _list(root, wanted[0].target, left)
        link.ask("drop", key=key, names=came)
    return came


def _list(root: Path, target: str, files: Sequence[FileThere]) -> None:
    content = {"target": target, "files": [[file.path, file.size, file.modified, file.sha256] for file in files]}
    durable.write_json(root / THERE, content, point="remote.mark")

"""Own `aml snapshot`: what a submit would copy, what it leaves out by which rule, and what changed since a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aml_jupyter.cli.common import current_folder, emit, open_workspace, select_run
from aml_jupyter.cli.parser import Arguments, Nouns, add_verb
from aml_jupyter.errors import UserErrorException

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door

__all__ = ["add_verbs"]


def add_verbs(nouns: Nouns) -> None:
    """Add `aml snapshot`."""
    parser = add_verb(
        nouns,
        "snapshot",
        _snapshot,
        "Show what a submit of a folder would copy: number, size, biggest files, ignored by which rule. Copies nothing.",
        "aml snapshot\naml snapshot src --diff last",
    )
    parser.add_argument("folder", nargs="?", default=".", metavar="FOLDER", help="the folder; else the current one")
    parser.add_argument("--diff", metavar="RUN", help="what changed since this run was submitted")


def _snapshot(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import difference_view, snapshot_view
    from aml_jupyter.workspace import diff_snapshots, preview_snapshot
    from aml_jupyter.workspace.outcome import check_snapshot_kept

    source = current_folder() / os.path.expanduser(arguments.folder)
    if not os.path.isdir(source):
        raise UserErrorException(f"{source} is not a folder", "folder")
    folder = open_workspace(arguments)
    if arguments.diff is None:
        return emit(arguments, door, snapshot_view(preview_snapshot(folder, source)))
    run = select_run(folder, arguments.diff)
    check_snapshot_kept(run)
    assert run.snapshot is not None
    return emit(arguments, door, difference_view(run.id, diff_snapshots(folder, run.snapshot, source)))

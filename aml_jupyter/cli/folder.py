"""Own `aml folder`: make a folder one of a workspace, as SDK v1's command line did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aml_jupyter.cli.common import emit_json, open_workspace, wants_json
from aml_jupyter.cli.parser import Arguments, Nouns, add_noun, add_verb

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door

__all__ = ["add_verbs"]


def add_verbs(nouns: Nouns) -> None:
    """Add `aml folder` and its verb."""
    verbs = add_noun(nouns, "folder", "make a folder one of a workspace: run configurations and config.json")
    attach = add_verb(
        verbs,
        "attach",
        _attach,
        "Write run configurations for every target, config.json and .amlignore; files that are there stay as they are.",
        "aml folder attach -e digits\naml folder attach --path ~/project",
    )
    attach.add_argument("-e", "--experiment-name", metavar="NAME", help="experiment of submits from the folder")
    attach.add_argument("--path", default=".", metavar="FOLDER", help="the folder; else the current one")
    attach.add_argument("-w", "--workspace-name", metavar="NAME", help="the workspace, by its name")
    attach.add_argument("-g", "--resource-group", metavar="NAME", help="accepted, and not needed")


def _attach(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.sdk.scaffold import attach_folder
    from aml_jupyter.sdk.workspace import Workspace

    if arguments.workspace_name:
        arguments.workspace = arguments.workspace_name
    made = attach_folder(Workspace(open_workspace(arguments)), arguments.path, arguments.experiment_name)
    if wants_json(arguments):
        return emit_json(
            door,
            {
                "path": str(made.path),
                "experiment": made.experiment,
                "written": list(made.written),
                "kept": list(made.kept),
                "notes": list(made.notes),
            },
        )
    for name in made.written:
        door.write(f"wrote {name}\n")
    for name in made.kept:
        door.write(f"kept  {name}, which was there\n")
    for note in made.notes:
        door.remark(f"note: {note}")
    door.write(f"{made.path} is attached; submits from it belong to experiment {made.experiment}\n")
    return 0

"""Own `aml workspace`: the folders that remember everything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aml_jupyter.cli.common import emit, open_workspace, watched_workspace
from aml_jupyter.cli.parser import Arguments, Nouns, add_noun, add_verb
from aml_jupyter.errors import UserErrorException

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door

__all__ = ["add_verbs"]


def add_verbs(nouns: Nouns) -> None:
    """Add `aml workspace` and its verbs."""
    verbs = add_noun(
        nouns, "workspace", "look at workspaces, the folders that remember everything; check and mend them"
    )
    add_verb(verbs, "show", _show, "Show the workspace: folder, runs, targets, service.", "aml workspace show --json")
    add_verb(verbs, "list", _list, "List the workspaces that you have opened.", "aml workspace list")
    create = add_verb(verbs, "create", _create, "Create a workspace.", "aml workspace create ~/team --name team")
    create.add_argument(
        "folder", nargs="?", metavar="FOLDER", help="an empty or new folder; else one in your data folder"
    )
    create.add_argument(
        "-n", "-w", "--name", "--workspace-name", metavar="NAME", help="the workspace's name; else the folder's"
    )
    create.add_argument("-l", "--location", metavar="REGION", help="kept, as in SDK v1; nothing depends on it")
    create.add_argument("-g", "--resource-group", metavar="NAME", help="the same")
    rebuild = add_verb(
        verbs,
        "rebuild",
        _rebuild,
        "Build the database anew from the runs' files, after it was lost or damaged.",
        "aml workspace rebuild --workspace ~/team",
    )
    rebuild.add_argument("folder", nargs="?", metavar="FOLDER", help="the workspace, as a word")
    add_verb(
        verbs,
        "verify",
        _verify,
        "Check the workspace against its files; exit code 1 when something is wrong.",
        "aml workspace verify",
    )
    collect = add_verb(
        verbs,
        "gc",
        _collect,
        "Give disk space back: unused environments, and what no run needs. What a run made always stays.",
        "aml workspace gc --dry-run",
    )
    collect.add_argument(
        "--unused-days",
        type=float,
        default=30.0,
        metavar="DAYS",
        help="collect environments that no run used for so long (30), and backups that are so old",
    )
    collect.add_argument(
        "--working-copies",
        action="store_true",
        help="also thin out the working directories of runs that ended so long ago: files as in the snapshot are removed there",
    )
    collect.add_argument("--dry-run", action="store_true", help="remove nothing, say what would be")
    takeover = add_verb(
        verbs,
        "takeover",
        _takeover,
        "Move a workspace on a network file system to this machine, when the one that served it is gone.",
        "aml workspace takeover --workspace /net/team",
    )
    takeover.add_argument("--force", action="store_true", help="even though the other machine was seen a moment ago")


def _show(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import workspace_view

    return emit(arguments, door, workspace_view(watched_workspace(arguments)))


def _list(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import workspace_list_rows

    return emit(arguments, door, workspace_list_rows())


def _create(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import workspace_view
    from aml_jupyter.workspace import WorkspaceFolder, find_workspace, workspace_by_name

    place = arguments.folder or getattr(arguments, "workspace", None)
    facts = {key: getattr(arguments, key) for key in ("location", "resource_group") if getattr(arguments, key)}
    if place is None:
        if arguments.name is None:
            raise UserErrorException("a folder or --name is missing: aml workspace create FOLDER", "folder")
        return emit(arguments, door, workspace_view(workspace_by_name(arguments.name, create=True, **facts)))
    WorkspaceFolder.open(place, create=True, name=arguments.name, **facts).close()
    return emit(arguments, door, workspace_view(find_workspace(WorkspaceFolder.open(place).root)))


def _rebuild(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import report_view
    from aml_jupyter.workspace import rebuild_workspace

    return emit(arguments, door, report_view(rebuild_workspace(_root(arguments))))


def _verify(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import report_view
    from aml_jupyter.workspace import verify_workspace

    view = report_view(verify_workspace(open_workspace(arguments)))
    emit(arguments, door, view)
    return 0 if view.good else 1


def _collect(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import collect_garbage
    from aml_jupyter.views import collected_rows

    found = collect_garbage(
        open_workspace(arguments), arguments.unused_days, arguments.working_copies, arguments.dry_run
    )
    return emit(arguments, door, collected_rows(found, arguments.dry_run))


def _takeover(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import take_over
    from aml_jupyter.views import service_view

    folder = open_workspace(arguments)
    before = take_over(folder, force=arguments.force)
    if before is not None:
        door.remark(
            f"the workspace was {before}'s, and is this machine's now; what runs there is seen as not responding"
        )
    else:
        door.remark("nothing had to be taken over: the workspace is this machine's")
    return emit(arguments, door, service_view(folder))


def _root(arguments: Arguments) -> Path:
    """Return the folder to rebuild, without opening its database, which may be gone or damaged."""
    from aml_jupyter.workspace import find_workspace, list_workspaces
    from aml_jupyter.workspace.project import find_config, read_config

    wanted = arguments.folder or getattr(arguments, "workspace", None) or os.environ.get("AML_WORKSPACE")
    is_said = bool(wanted)
    if not wanted:
        file = find_config()
        config = read_config(file) if file else None
        wanted = "default" if config is None else str(config.folder or config.name)
    if Path(wanted).expanduser().is_dir() and (is_said or os.sep in wanted):
        return Path(wanted).expanduser().absolute()
    named = [entry.root for entry in list_workspaces() if entry.name == wanted]
    if len(named) > 1:
        folders = ", ".join(map(str, named))
        raise UserErrorException(
            f"{len(named)} workspaces are called {wanted!r}: {folders}; name the folder", "workspace"
        )
    if named:
        return named[0]
    if is_said:
        raise UserErrorException(f"{wanted} is neither a folder nor the name of a workspace", "workspace")
    return Path(find_workspace().root)

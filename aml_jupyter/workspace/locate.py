"""Own where a user's workspaces are looked for: opens nothing, makes nothing, and imports almost nothing.

`registry` and `project` open, make and check what is found here; completion has 50 ms for a whole process and asks here alone.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` costs more than this module
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "CONFIG_FOLDERS",
    "CONFIG_NAMES",
    "DEFAULT",
    "config_file",
    "home_of",
    "is_path",
    "registered",
    "user_data_path",
    "workspace_root",
]

CONFIG_FOLDERS = (".azureml", "aml_config", "")
CONFIG_NAMES = ("config.json", "project.json")
DEFAULT = "default"
IDENTITY = "workspace.json"


def user_data_path() -> str:
    """Return where the user's own data lies: ``AML_USER_DATA``, else the system's usual place."""
    chosen = os.environ.get("AML_USER_DATA")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    if sys.platform == "linux":  # as platformdirs has it, which would take half of the time that a completion has
        place = os.environ.get("XDG_DATA_HOME", "")
        return os.path.join(place if place.strip() else os.path.expanduser("~/.local/share"), "aml-jupyter")
    import platformdirs

    return str(platformdirs.user_data_dir("aml-jupyter", appauthor=False))


def registered() -> list[dict[str, Any]]:
    """Return the user's list of workspaces: ``id``, ``name`` and ``root`` of each.

    Raises
    ------
    OSError, ValueError
        When the list is there and cannot be read.
    """
    import json  # only here: it would take a third of the time that a completion has

    try:
        with open(os.path.join(user_data_path(), "workspaces.json"), encoding="utf-8") as stream:
            content = json.load(stream)
    except FileNotFoundError:
        return []
    listed = content.get("workspaces", []) if isinstance(content, dict) else []
    return [each for each in listed if isinstance(each, dict) and {"id", "name", "root"} <= set(each)]


def home_of(name: str) -> str:
    """Return where a workspace that is known by its name alone lies."""
    return os.path.join(user_data_path(), "workspaces", name)


def is_path(wanted: str) -> bool:
    """Tell whether a person who names a workspace so means a folder, not a name of the list."""
    return wanted in (".", "..", "~") or os.sep in wanted or "/" in wanted or os.path.isdir(os.path.expanduser(wanted))


def config_file(start: str, names: tuple[str, ...] = CONFIG_NAMES) -> str | None:
    """Return the ``config.json`` for the folder `start`: in it, or in the nearest folder above that has one."""
    folder = os.path.realpath(start)
    while True:
        for sub in CONFIG_FOLDERS:
            for name in names:
                candidate = os.path.join(folder, sub, name)
                if os.path.isfile(candidate) and (sub or _names_workspace(candidate)):
                    return candidate
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def workspace_root(choice: str | None = None) -> str | None:
    """Return the folder of the workspace that the user means, by the rules of `registry.find_workspace`.

    None where it is not there yet, or where one of those rules would refuse.

    Raises
    ------
    OSError, ValueError
        When a file that says so cannot be read.
    """
    wanted = choice or os.environ.get("AML_WORKSPACE", "")
    if not wanted:
        found = config_file(".")
        wanted = _named_by(found) if found else DEFAULT
    if is_path(wanted):
        root = os.path.abspath(os.path.expanduser(wanted))
    else:
        root = home_of(wanted)
        if not os.path.isfile(os.path.join(root, IDENTITY)):
            known = [str(each["root"]) for each in registered() if each["name"] == wanted]
            known = [each for each in known if os.path.isfile(os.path.join(each, IDENTITY))]
            if len(known) != 1:
                return None
            (root,) = known
    return root if os.path.isfile(os.path.join(root, IDENTITY)) else None


def _named_by(path: str) -> str:
    """Return the folder or the name of the workspace that a ``config.json`` names."""
    import json

    with open(path, encoding="utf-8-sig") as stream:
        content = json.load(stream)
    folder = content.get("workspace_folder")
    if folder:
        return os.path.realpath(os.path.join(os.path.dirname(path), os.path.expanduser(str(folder))))
    parts = str(content.get("Scope") or "").split("/")
    scope = dict(zip([part.lower() for part in parts], parts[1:], strict=False))
    return str(content.get("workspace_name") or scope.get("workspaces") or "")


def _names_workspace(path: str) -> bool:
    """Tell whether a ``config.json`` outside of SDK v1's folders is one of a workspace; many programs use that name."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as stream:
            text = stream.read()
    except OSError:  # nobody says that it is ours
        return False
    return any(f'"{key}"' in text for key in ("workspace_name", "workspace_folder", "Scope"))

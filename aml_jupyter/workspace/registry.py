"""Own which workspaces this user has, where they are, and the user's own folders."""

from __future__ import annotations

import os
import stat
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aml_jupyter.errors import UserErrorException, WorkspaceException, nearest
from aml_jupyter.supervisor.durable import write_json

from .filelock import exclusive
from .folder import WorkspaceFolder, check_workspace_name
from .layout import Layout
from .locate import DEFAULT, home_of, is_path, registered, user_data_path
from .project import WorkspaceConfig, find_config, read_config

__all__ = [
    "WorkspaceEntry",
    "find_workspace",
    "list_workspaces",
    "register_workspace",
    "runtime_folder",
    "user_data_folder",
    "workspace_by_name",
    "workspace_of_config",
]

_LONGEST: Final = 60
"""Bytes that a runtime folder of our own choice may have: a socket's path has about 100."""
_LONGEST_CHOSEN: Final = 72
"""Bytes that any runtime folder may have: the names of the sockets take up to 28 of 104."""


@dataclass(frozen=True)
class WorkspaceEntry:
    """Describe a workspace that the user has opened once."""

    id: str
    name: str
    root: Path
    exists: bool


def user_data_folder() -> Path:
    """Return the folder of the user's own data: ``AML_USER_DATA``, else the system's usual place.

    Raises
    ------
    WorkspaceException
        When it cannot be made.
    """
    path = Path(user_data_path())
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceException(
            f"The user's data folder {path} cannot be made: {error.strerror}. Name another one in AML_USER_DATA."
        ) from error
    return path


def runtime_folder() -> Path:
    """Return the folder for sockets: ``AML_RUNTIME``, else the system's usual place, else a short one below ``/tmp``.

    Raises
    ------
    WorkspaceException
        When it cannot be made, belongs to somebody else, or is a symbolic link.
    """
    chosen = os.environ.get("AML_RUNTIME")
    if chosen:
        path = Path(os.path.abspath(os.path.expanduser(chosen)))
        if os.name == "posix" and len(os.fsencode(path)) > _LONGEST_CHOSEN:
            raise WorkspaceException(
                f"The runtime folder {path} of AML_RUNTIME has {len(os.fsencode(path))} characters; sockets need one of at "
                f"most {_LONGEST_CHOSEN}. Name a shorter one, for example below /tmp."
            )
        return _private(path)
    import platformdirs

    with warnings.catch_warnings():  # it warns of a folder that it does not take
        warnings.simplefilter("ignore")
        usual = Path(platformdirs.user_runtime_dir("aml-jupyter", appauthor=False))
    if len(os.fsencode(usual)) <= _LONGEST and os.access(usual.parent, os.W_OK):
        return _private(usual)
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return _private(Path("/tmp" if os.name == "posix" else tempfile.gettempdir()) / f"aml-{user}")


def _private(path: Path) -> Path:
    """Make `path` a folder that only this user can enter, and check that it is one."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise WorkspaceException(f"The runtime folder {path} is not a folder. Name another one in AML_RUNTIME.")
        if os.name == "posix":
            if found.st_uid != os.getuid():
                raise WorkspaceException(
                    f"The runtime folder {path} belongs to user {found.st_uid}, not to this one ({os.getuid()}). "
                    "Name another one in AML_RUNTIME."
                )
            if stat.S_IMODE(found.st_mode) != 0o700:
                path.chmod(0o700)
    except OSError as error:
        raise WorkspaceException(
            f"The runtime folder {path} cannot be used: {error.strerror}. Name another one in AML_RUNTIME."
        ) from error
    return path


def list_workspaces() -> list[WorkspaceEntry]:
    """Return the workspaces that this user has opened, by name."""
    entries = [
        WorkspaceEntry(
            str(each["id"]), str(each["name"]), Path(each["root"]), Layout(Path(each["root"])).identity.exists()
        )
        for each in _registered()
    ]
    return sorted(entries, key=lambda entry: (entry.name, str(entry.root)))


def register_workspace(folder: WorkspaceFolder) -> None:
    """Write the workspace into the user's list.

    A list that cannot be written does not stand in the way of the work: the workspace is then found by its path only.
    """
    entry = {"id": folder.id, "name": folder.name, "root": str(folder.root)}
    try:
        path = _registry()
        if entry in _registered():
            return
        with exclusive(path.with_suffix(".lock")):
            others = [
                each for each in _registered() if each["root"] != entry["root"] and not _has_moved(each, folder.id)
            ]
            write_json(path, {"format": 1, "workspaces": [*others, entry]}, point="registry.write")
    except (OSError, WorkspaceException):
        return


def _has_moved(entry: dict[str, Any], workspace_id: str) -> bool:
    """Tell whether a workspace of the list is the one of this id, and is not in its old place: else that is a copy."""
    return bool(entry["id"] == workspace_id and not Layout(Path(entry["root"])).identity.exists())


def find_workspace(choice: str | os.PathLike[str] | None = None) -> WorkspaceFolder:
    """Open the workspace that the user means.

    Parameters
    ----------
    choice : str or path, optional
        A folder (made when it is missing or empty; ``./x`` where ``x`` alone is a name), or the name of a workspace in
        the user's list. Without it ``AML_WORKSPACE`` says which, without that the project's ``config.json`` (see
        `find_config`), and without that it is the default one in the user's data folder.

    Raises
    ------
    UserErrorException
        When it is a name that no workspace has, or several have; names the nearest.
    ConfigurationError
        When the project's ``config.json`` is broken.
    WorkspaceException
        When the workspace cannot be opened.
    """
    wanted = os.fspath(choice) if choice else os.environ.get("AML_WORKSPACE", "")
    if not wanted:
        named = find_config()
        return workspace_of_config(read_config(named)) if named else workspace_by_name(DEFAULT, create=True)
    path = Path(wanted).expanduser()
    if not is_path(wanted):
        return workspace_by_name(wanted)
    folder = WorkspaceFolder.open(path, create=True)
    register_workspace(folder)
    return folder


def workspace_of_config(config: WorkspaceConfig) -> WorkspaceFolder:
    """Open the workspace that a ``config.json`` names; one that is not known yet is made in the user's data folder."""
    if config.folder is not None:
        return find_workspace(config.folder)
    facts = {"subscription_id": config.subscription_id, "resource_group": config.resource_group}
    return workspace_by_name(config.name, create=True, **{key: value for key, value in facts.items() if value})


def workspace_by_name(name: str, create: bool = False, **facts: str) -> WorkspaceFolder:
    """Open the workspace called `name`; of several the one in the user's data folder.

    Parameters
    ----------
    name : str
        Its name in the user's list.
    create : bool
        Make it in the user's data folder when there is none.
    **facts : str
        ``location``, ``resource_group`` and ``subscription_id`` when it is made.

    Raises
    ------
    UserErrorException
        When there is none; names the nearest. When there are several, and none of them in the user's data folder.
    """
    check_workspace_name(name)
    user_data_folder()  # made, or refused
    home = Path(home_of(name))
    known = list_workspaces()
    named = [entry.root for entry in known if entry.exists and entry.name == name]
    is_home = Layout(home).identity.exists() or not named
    if len(named) > 1 and not is_home:
        raise UserErrorException(
            f"{len(named)} workspaces are called {name!r}: {', '.join(map(str, named))}. Name the folder.", "workspace"
        )
    root = home if is_home else named[0]
    if not create and not Layout(root).identity.exists():
        names = nearest(name, sorted({entry.name for entry in known if entry.exists}))
        raise UserErrorException(f"There is no workspace called {name!r}. {names}".rstrip(), "workspace")
    folder = WorkspaceFolder.open(root, create=create, name=name if create else None, **facts)
    register_workspace(folder)
    return folder


def _registry() -> Path:
    return user_data_folder() / "workspaces.json"


def _registered() -> list[dict[str, Any]]:
    try:
        return registered()
    except (OSError, ValueError) as error:
        raise WorkspaceException(
            f"The list of workspaces {_registry()} cannot be read: {error}. Remove it: workspaces are listed again when they "
            "are opened."
        ) from error

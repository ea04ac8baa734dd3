"""Own the handle of one open workspace: its identity, its layout and its store. Creates the folder, too."""

from __future__ import annotations

import os
import re
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from aml_jupyter.errors import UserErrorException, WorkspaceException
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.durable import link_json
from aml_jupyter.supervisor.faults import fault_point

from .layout import Layout
from .migration import prepare_database
from .store import Store

__all__ = ["FORMAT", "WorkspaceFolder", "check_workspace_name", "read_identity"]

FORMAT: Final = 1
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,32}")


def check_workspace_name(name: str) -> None:
    """Refuse a name that no workspace may have.

    Raises
    ------
    UserErrorException
        Unless it has 2 to 33 letters, digits, ``_`` or ``-``, the first a letter or a digit.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserErrorException(
            f"The workspace name {name!r} cannot be used: expected 2 to 33 letters, digits, '_' or '-', beginning with "
            "a letter or a digit.",
            "workspace",
        )


def read_identity(layout: Layout) -> dict[str, Any] | None:
    """Return the content of ``workspace.json``, or None when the folder is not a workspace.

    Raises
    ------
    WorkspaceException
        When the file cannot be read, or was written by a newer package.
    """
    try:
        identity = protocol.read_json(str(layout.identity))
    except NotADirectoryError:
        raise WorkspaceException(f"{layout.root} is not a folder.") from None
    except (OSError, ValueError) as error:
        raise WorkspaceException(f"The workspace's file {layout.identity} cannot be read: {error}.") from error
    if identity is None:
        return None
    if not isinstance(identity.get("id"), str) or not isinstance(identity.get("name"), str):
        raise WorkspaceException(
            f"The workspace's file {layout.identity} has no 'id' or no 'name': it was changed by hand."
        )
    if int(identity.get("format", 0)) > FORMAT:
        raise WorkspaceException(
            f"The workspace {layout.root} has format {identity['format']}; this package reads up to {FORMAT}. "
            "Upgrade: pip install -U aml-jupyter"
        )
    return identity


class WorkspaceFolder:
    """Hold a workspace open in this process.

    Attributes
    ----------
    root : Path
        Its folder.
    id, name, location, resource_group, subscription_id : str
        What ``workspace.json`` says.
    layout : Layout
        Where everything lies.
    store : Store
        The database.
    """

    def __init__(self, root: Path, identity: dict[str, Any]) -> None:
        self.root = root
        self.layout = Layout(root)
        self.id: str = identity["id"]
        self.name: str = identity["name"]
        self.created = float(identity.get("created") or 0)
        self.location: str = identity.get("location") or "local"
        self.resource_group: str = identity.get("resource_group") or "local"
        self.subscription_id: str = identity.get("subscription_id") or str(uuid.UUID(int=0))
        self.store = Store(self.layout.database)

    def __repr__(self) -> str:
        return f"WorkspaceFolder({str(self.root)!r}, name={self.name!r})"

    @classmethod
    def open(
        cls, root: str | os.PathLike[str], create: bool = False, name: str | None = None, **facts: str
    ) -> WorkspaceFolder:
        """Open the workspace in the folder `root`.

        Parameters
        ----------
        root : path
            The folder.
        create : bool
            Make the workspace when the folder is missing or empty.
        name : str, optional
            Its name when it is made; otherwise the folder's own name, made legal.
        **facts : str
            ``location``, ``resource_group`` and ``subscription_id`` when it is made.

        Raises
        ------
        WorkspaceException
            When there is no workspace, or it cannot be read, or a newer package is needed for it.
        UserErrorException
            When it is to be made and its name cannot be used.
        """
        path = Path(os.path.abspath(os.path.expanduser(root)))
        layout = Layout(path)
        identity = read_identity(layout)
        if identity is None:
            if not create:
                raise WorkspaceException(
                    f"There is no workspace in {path} (it has no workspace.json). Name another folder with --workspace "
                    "or AML_WORKSPACE, or leave both out for the default one."
                )
            identity = _create(layout, name, facts)
        prepare_database(layout, identity["id"])
        return cls(path, identity)

    def close(self) -> None:
        """Close the database."""
        self.store.close()


def _create(layout: Layout, name: str | None, facts: dict[str, str]) -> dict[str, Any]:
    """Make the folder and its ``workspace.json``; of several processes that try, the first one's stands."""
    if name is not None:
        check_workspace_name(name)
    made = not layout.root.exists()
    try:
        layout.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        foreign = sorted(entry.name for entry in layout.root.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise WorkspaceException(f"The workspace folder {layout.root} cannot be made: {error.strerror}.") from error
    if foreign and read_identity(layout) is None:
        if layout.database.exists() or layout.runs.is_dir():
            raise WorkspaceException(
                f"{layout.root} looks like a workspace whose workspace.json is lost. Put it back from a backup, or write a "
                f'new one: {{"format": {FORMAT}, "id": "{uuid.uuid4().hex}", "name": "{_legal_name(layout.root.name)}", '
                f'"created": {int(time.time())}}}'
            )
        raise WorkspaceException(
            f"{layout.root} is not a workspace (it has no workspace.json) and is not empty ({', '.join(foreign[:5])}). "
            "Name an empty or a new folder."
        )
    _keep_private(layout.root)
    identity = {
        "format": FORMAT,
        "id": uuid.uuid4().hex,
        "name": name or _legal_name(layout.root.name),
        "created": time.time(),
        "location": facts.get("location") or "local",
        "resource_group": facts.get("resource_group") or "local",
        "subscription_id": facts.get("subscription_id") or str(uuid.UUID(int=0)),
    }
    try:
        link_json(layout.identity, identity, point="workspace.create")
    except OSError as error:
        if made:
            with suppress(OSError), fault_point("workspace.discard"):
                layout.root.rmdir()
        raise WorkspaceException(
            f"The workspace {layout.root} cannot be made: {error.strerror}. Nothing was left behind. Free some space, "
            "make the folder writable, or name another one."
        ) from error
    found = read_identity(layout)
    assert found is not None, "workspace.json was just written or was there"
    return found


def _keep_private(root: Path) -> None:
    """Let nobody but its owner enter the folder: it will hold logs, values, snapshots and declared variables."""
    with suppress(OSError):  # a file system without rights, or somebody else's folder: who made that decides
        if os.name == "posix" and root.stat().st_uid == os.getuid():
            root.chmod(0o700)


def _legal_name(text: str) -> str:
    """Return a workspace name made of a folder's name."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-_")[:33]
    return name if _NAME.fullmatch(name) else "workspace"

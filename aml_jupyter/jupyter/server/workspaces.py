"""Own the workspaces that this server has open: find one by its id, open it once, close all at the end."""

from __future__ import annotations

import threading

from aml_jupyter.workspace import WorkspaceFolder, find_workspace, list_workspaces

from .errors import NotFound

__all__ = ["OpenWorkspaces"]


class OpenWorkspaces:
    """Hold each workspace that a client has asked for; `default` is the server's own (AML_WORKSPACE or the user's)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._default: str | None = None
        self._open: dict[str, WorkspaceFolder] = {}

    def get(self, workspace_id: str) -> WorkspaceFolder:
        """Return the workspace called `workspace_id`, opened.

        Raises
        ------
        NotFound
            When no workspace with this id is registered, or its folder is gone.
        """
        with self._lock:
            if workspace_id == "default":
                workspace_id = self._default = self._default or self._keep(find_workspace()).id
            if workspace_id not in self._open:
                self._keep(self._find(workspace_id))
            return self._open[workspace_id]

    def opened(self) -> list[WorkspaceFolder]:
        """Return every workspace that is open now."""
        with self._lock:
            return list(self._open.values())

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            for folder in self._open.values():
                folder.close()
            self._open.clear()
            self._default = None

    def _keep(self, folder: WorkspaceFolder) -> WorkspaceFolder:
        if folder.id in self._open:
            folder.close()
        return self._open.setdefault(folder.id, folder)

    def _find(self, workspace_id: str) -> WorkspaceFolder:
        for entry in list_workspaces():
            if entry.id == workspace_id:
                if not entry.exists:
                    raise NotFound(f"The workspace '{entry.name}' was at {entry.root}, which is gone.", "workspace")
                return WorkspaceFolder.open(entry.root)
        default = find_workspace()  # AML_WORKSPACE need not be registered
        if default.id == workspace_id:
            return default
        default.close()
        raise NotFound(f"No workspace has the id '{workspace_id}'; GET workspaces lists them.", "workspace")

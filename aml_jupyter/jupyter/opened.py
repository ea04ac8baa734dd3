"""Own the workspaces that this kernel has open: each once, however many cells name it."""

from __future__ import annotations

import threading

from aml_jupyter.workspace import WorkspaceFolder, find_workspace

__all__ = ["kernel_workspace", "opened_once"]

_lock = threading.Lock()
_open: dict[str, WorkspaceFolder] = {}


def kernel_workspace(choice: str | None = None) -> WorkspaceFolder:
    """Return the workspace that ``--workspace``, AML_WORKSPACE, a ``config.json`` or the user's list names."""
    found = find_workspace(choice)
    kept = opened_once(found)
    if kept is not found:
        found.close()
    return kept


def opened_once(folder: WorkspaceFolder) -> WorkspaceFolder:
    """Return the handle of the same workspace that is open already, or keep `folder` as that."""
    with _lock:
        kept = _open.get(folder.id)
        if kept is None or kept.root != folder.root:
            kept = _open[folder.id] = folder
        return kept

"""Own passwords and tokens: in the system's keyring where one works, else in files that only the user can read.

``AML_KEYRING=off`` forces the files.
"""

from __future__ import annotations

import hashlib
import os
import re
import urllib.parse
from pathlib import Path
from typing import Any

from aml_jupyter.errors import UserErrorException, WorkspaceException
from aml_jupyter.supervisor.durable import sync_folder
from aml_jupyter.supervisor.faults import fault_point

from .filelock import exclusive
from .folder import WorkspaceFolder

__all__ = ["check_secret_name", "delete_secret", "get_secret", "set_secret"]


def check_secret_name(name: object) -> str:
    """Return `name` when a person's secret can be called so, as in the key vault of SDK v1.

    The workspace's own passwords have names with other characters in them, so that no run can ask for those.

    Raises
    ------
    UserErrorException
        When it is not 1 to 127 letters, digits and hyphens.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[0-9a-zA-Z-]{1,127}", name):
        raise UserErrorException(
            f"The secret name {name!r:.160} cannot be used: expected 1 to 127 letters, digits and hyphens.", "name"
        )
    return name


def set_secret(folder: WorkspaceFolder, name: str, value: str) -> None:
    """Keep a secret of the workspace.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    name : str
        1 to 127 characters.
    value : str
        The secret.

    Raises
    ------
    UserErrorException
        When the name cannot be used.
    WorkspaceException
        When it cannot be written.
    """
    path = _file(folder, name)
    keyring = _keyring()
    if keyring is not None and _in_keyring(keyring, "set_password", _service(folder), name, value):
        _remove(path)
        return
    with exclusive(folder.layout.creation_lock):
        _write(path, value)


def get_secret(folder: WorkspaceFolder, name: str) -> str | None:
    """Return the secret called `name`, or None when there is none; raises as `set_secret` does."""
    path = _file(folder, name)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise WorkspaceException(f"The secret {name!r} cannot be read from {path}: {error.strerror}.") from error
    keyring = _keyring()
    if keyring is None:
        return None
    try:
        found: str | None = keyring.get_password(_service(folder), name)
    except keyring.errors.KeyringError:
        return None
    return found


def delete_secret(folder: WorkspaceFolder, name: str) -> None:
    """Forget the secret called `name`; nothing happens when there is none. Raises as `set_secret` does."""
    _remove(_file(folder, name))
    keyring = _keyring()
    if keyring is not None:
        _in_keyring(keyring, "delete_password", _service(folder), name)


def _service(folder: WorkspaceFolder) -> str:
    return f"aml-jupyter/{folder.id}"


def _keyring() -> Any:
    """Return the keyring module when the system has a keyring that keeps secrets, else None."""
    if os.environ.get("AML_KEYRING", "").lower() in ("off", "0", "no", "false"):
        return None
    import keyring

    # backends that fail or forget have a priority of 0 or less; plain files of others are no better than ours
    return keyring if getattr(keyring.get_keyring(), "priority", 0) >= 1 else None


def _in_keyring(keyring: Any, act: str, *arguments: str) -> bool:
    """Do one act on the keyring; False when it is there but does not work (locked, no session)."""
    try:
        getattr(keyring, act)(*arguments)
    except keyring.errors.KeyringError:
        return False
    return True


def _file(folder: WorkspaceFolder, name: str) -> Path:
    if not name or len(name) > 127:
        raise UserErrorException(f"The secret name {name!r} cannot be used: expected 1 to 127 characters.", "name")
    quoted = urllib.parse.quote(name, safe="")
    if len(quoted) > 160:  # a file's name has 255 bytes at the most
        quoted = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return folder.layout.secrets / f"s-{quoted}"


def _write(path: Path, value: str) -> None:
    partial = path.with_name(".partial")  # one name: what a killed process leaves is overwritten by the next
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.parent.chmod(0o700)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with fault_point("secrets.write"):
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                os.chmod(partial, 0o600)
                stream.write(value)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, path)
        sync_folder(path.parent)
    except OSError as error:
        _remove(partial)
        raise WorkspaceException(f"The secret cannot be written to {path.parent}: {error.strerror}.") from error


def _remove(path: Path) -> None:
    try:
        with fault_point("secrets.remove"):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise WorkspaceException(f"The secret {path} cannot be removed: {error.strerror}.") from error

"""Own where things lie on a far machine, and which names are allowed: nothing that comes over the link leads elsewhere."""

import errno
import os
import re
import stat
from typing import Any, Dict, Tuple

from .protocol import CONTROL

__all__ = ["Key", "Places", "runtime_folder"]

Key = Tuple[str, int]
"""A run's id and the number of its attempt."""

_NAME = re.compile(r"[A-Za-z0-9][\w.\-]{0,250}$")
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
_KEPT_BEGINNINGS = ("LC_", "XDG_", "CUDA_", "SSL_CERT_", "PIP_", "UV_", "JAVA_HOME", "SPARK_HOME")


class Places:
    """Know where the attempts of one workspace lie below the base folder.

    Parameters
    ----------
    base : str
        The base folder, absolute.
    workspace : str
        The id of the workspace.
    target : str
        The name of the target.
    """

    def __init__(self, base: str, workspace: str, target: str = "") -> None:
        self.base = base
        self.who = checked(workspace + target)
        """The name of whoever acts here: no two processes have the same."""
        self.workspace = checked(workspace)
        self.runs = os.path.join(base, "runs", self.workspace)

    def attempt(self, key: Key) -> str:
        """Return the folder of an attempt."""
        return os.path.join(self.runs, checked(key[0]), "attempts", str(int(key[1])))

    def control(self, key: Key) -> str:
        """Return the control folder of an attempt."""
        return os.path.join(self.attempt(key), CONTROL)

    def inside(self, key: Key, name: str) -> str:
        """Return the path of a file of an attempt, or of its run's inputs (``../../inputs/...``).

        Raises
        ------
        ValueError
            When it leads anywhere else.
        """
        root = self.attempt(key)
        if name.startswith("../../inputs/"):
            root, name = os.path.dirname(os.path.dirname(root)), name[len("../../") :]
        parts = name.split("/")
        if os.path.isabs(name) or not all(parts) or {".", ".."} & set(parts) or "\0" in name:
            raise ValueError("%r is no name of a file of an attempt" % name)
        return os.path.join(root, *parts)


_LONGEST = 60
_LONGEST_CHOSEN = 72
"""Bytes that a folder for sockets may have, the usual one and one of AML_RUNTIME; as in `workspace.registry`."""


def checked(name: str) -> str:
    """Return `name` when it is one part of a path, of harmless characters.

    Raises
    ------
    ValueError
        When it is not.
    """
    if not isinstance(name, str) or not _NAME.match(name):
        raise ValueError("%r is no name of a run or workspace" % (name,))
    return name


def runtime_folder() -> str:
    """Return the user's folder for sockets and slots, the same one that an aml-jupyter of this machine uses.

    Raises
    ------
    OSError
        When it belongs to somebody else, cannot be made, or is too long for the path of a socket.
    """
    chosen = os.environ.get("AML_RUNTIME")
    if chosen:
        path = os.path.abspath(os.path.expanduser(chosen))
        length = len(os.fsencode(path))
        if length > _LONGEST_CHOSEN:
            said = "AML_RUNTIME has %d characters; sockets need a folder of at most %d" % (length, _LONGEST_CHOSEN)
            raise OSError(errno.ENAMETOOLONG, said, path)
    else:
        usual = os.environ.get("XDG_RUNTIME_DIR") or "/run/user/%d" % os.getuid()
        path = os.path.join(usual, "aml-jupyter")
        if len(os.fsencode(path)) > _LONGEST or not os.access(usual, os.W_OK):
            path = "/tmp/aml-%d" % os.getuid()
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(13, "the folder for sockets belongs to somebody else, or is none", path)
    if stat.S_IMODE(found.st_mode) != 0o700:
        os.chmod(path, 0o700)
    return path


def own_variables() -> Dict[str, Any]:
    """Return what of this machine's variables a run has besides its own."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or (name.startswith(_KEPT_BEGINNINGS) and "://" not in value)
    }

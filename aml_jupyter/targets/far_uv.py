"""Carry uv to a far machine, once: it makes virtual environments there in a small part of the time that pip takes."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from aml_jupyter.environments.pythons import uv_program
from aml_jupyter.errors import ConfigurationError
from aml_jupyter.targets.far_arrivals import sha256_of
from aml_jupyter.targets.far_link import FarLink
from aml_jupyter.targets.far_upload import Sender
from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["send_uv", "uv_for"]

NEVER: Final = "AML_FAR_UV"
"""With the value ``never`` in the service's environment uv is not carried along."""


def uv_for(recipe: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Return the name that our uv has on a machine; '' where it is of no use there.

    Parameters
    ----------
    recipe : dict
        As ``run.json`` has it: conda's environments are not uv's.
    found : dict
        What was found of the machine (`supervisor.far_facts`): it has to be of this one's kind, with glibc.
    """
    is_same = sys.platform == "linux" and found.get("system") == "Linux" and found.get("machine") == platform.machine()
    has_glibc = str(found.get("libc") or "").startswith("glibc") and platform.libc_ver()[0] == "glibc"
    if recipe.get("kind") != "venv" or not is_same or not has_glibc or os.environ.get(NEVER) == "never":
        return ""
    try:
        return f"uv-{_digest(*_own())[:16]}"
    except (ConfigurationError, OSError):
        return ""


def send_uv(link: FarLink, folder: WorkspaceFolder, name: str) -> None:
    """Have our uv on the machine under `name`; nothing is sent when it is there.

    Raises
    ------
    HostUnreachable
        When the link is cut.
    FarRefusal
        When there is no room for it.
    """
    path, size, modified = _own()
    entries = [[os.path.basename(path), "x", _digest(path, size, modified), size]]
    Sender(folder, link).send_files(name, entries, Path(path).parent, "tool")


def _own() -> tuple[str, int, int]:
    path = os.path.realpath(uv_program())
    facts = os.stat(path)
    return path, facts.st_size, facts.st_mtime_ns


@lru_cache(maxsize=4)
def _digest(path: str, size: int, modified: int) -> str:
    with open(path, "rb") as stream:
        return sha256_of(stream)

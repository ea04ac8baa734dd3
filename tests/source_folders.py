"""Write folders for snapshot tests, and read them back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def write_files(root: Path, files: dict[str, bytes]) -> None:
    """Write files below `root`; a name that ends with ``/`` is an empty folder."""
    root.mkdir(exist_ok=True, parents=True)
    for name, content in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def content_of(root: Path) -> dict[str, Any]:
    """Return every file's bytes, every link's target, and None for every folder, by relative path."""
    found: dict[str, Any] = {}
    for place, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(place, name)
            relative = os.path.relpath(path, root)
            if os.path.islink(path):
                found[relative] = "-> " + os.readlink(path)
            elif os.path.isdir(path):
                found[relative] = None
            else:
                found[relative] = Path(path).read_bytes()
    return found

"""Check that the script of a run lies in its source directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from aml_jupyter.errors import ConfigurationError, nearest

_MOST_SCRIPTS = 500
_SKIPPED = {".git", ".ipynb_checkpoints", "__pycache__", "node_modules", "site-packages"}


def source_folder(source_directory: str | os.PathLike[str] | None) -> Path:
    """Return the source directory as an absolute path; an empty one is the current folder.

    Raises
    ------
    ConfigurationError
        When it is not a folder.
    """
    if "\0" in os.fspath(source_directory or ""):
        raise ConfigurationError(
            "source_directory: expected a folder, found a name with NUL.", field="source_directory"
        )
    folder = Path(os.path.abspath(os.path.expanduser(source_directory or ".")))
    if not os.path.isdir(folder):
        raise ConfigurationError(
            f"source_directory: expected a folder, found {'a file' if os.path.exists(folder) else 'nothing'} at {folder}.",
            field="source_directory",
        )
    return folder


def check_script(source_directory: str | os.PathLike[str] | None, script: str | os.PathLike[str]) -> str:
    """Return the script's path relative to the source directory, with forward slashes.

    Parameters
    ----------
    source_directory : path or None
        The folder that is sent; empty means the current folder.
    script : path
        The script, relative to that folder or absolute inside it.

    Raises
    ------
    ConfigurationError
        When the folder or the script is missing, or the script lies outside the folder (links are followed).
    """
    folder = source_folder(source_directory)
    written = os.fspath(script)
    try:
        if not os.path.lexists(folder / written):
            written = written.replace("\\", "/")  # a configuration may have been written on Windows
            os.lstat(folder / written)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # too long, NUL in it, a folder that nobody may look into
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(f"script: {_brief(written)} cannot be used: {why}.", field="script") from error
    full = Path(os.path.normpath(folder / os.path.expanduser(written)))
    refusal = f"{full} script path doesn't exist. The script should be inside the project folder"
    root, real = Path(os.path.realpath(folder)), Path(os.path.realpath(full))
    if not real.is_relative_to(root):
        raise ConfigurationError(
            f"{refusal} {folder}. Move it there, or name the folder that has it as source_directory.", field="script"
        )
    if not full.is_relative_to(folder):
        full = folder / real.relative_to(root)
    if not full.is_file():
        found = (
            "it is a folder" if full.is_dir() else nearest(full.relative_to(folder).as_posix(), list(_scripts(folder)))
        )
        raise ConfigurationError(f"{refusal} {folder}; {found or 'the folder has no scripts'}.", field="script")
    if not os.access(full, os.R_OK):
        raise ConfigurationError(
            f"script: {full} cannot be read (Permission denied). Change its rights.", field="script"
        )
    return full.relative_to(folder).as_posix()


def _brief(text: str) -> str:
    """Return a name as a message shows it."""
    return repr(text if len(text) <= 120 else f"{text[:60]}...{text[-40:]}")


def _scripts(folder: Path) -> Iterator[str]:
    """Yield the scripts and notebooks that could have been meant, nearest levels first, up to a bound."""
    count = 0
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        for name in sorted(files):
            if name.endswith((".py", ".ipynb", ".sh", ".R", ".r")):
                yield Path(root, name).relative_to(folder).as_posix()
                count += 1
                if count >= _MOST_SCRIPTS:
                    return

"""Copy files of the workspace to where a person wants them: whole or not at all, and telling how far it is."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from aml_jupyter.supervisor.plain import open_plain
from aml_jupyter.views.progress import shown_progress

__all__ = ["copy_all", "copy_file"]

_BLOCK: Final = 4 << 20


def copy_file(source: Path, place: Path, moved: Callable[[int], None] | None = None) -> int:
    """Copy `source` to `place` through a temporary name, and return its size in bytes.

    A full disk leaves no half a file under the right name.

    Parameters
    ----------
    moved : callable, optional
        Told the number of bytes of each block that was copied.

    Raises
    ------
    OSError
        When it cannot be read or written; nothing is left behind then.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".aml-")
    size = 0
    try:
        with open_plain(source) as reading, os.fdopen(handle, "wb") as writing:
            while block := reading.read(_BLOCK):
                writing.write(block)
                size += len(block)
                if moved is not None:
                    moved(len(block))
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return size


def copy_all(files: Sequence[tuple[Path, Path]], label: str) -> list[Path]:
    """Copy files to their places, with a progress bar where somebody looks and it takes a while.

    Returns
    -------
    list of Path
        The sources that are not there any more: a script that goes on may remove what it made.

    Raises
    ------
    OSError
        As `copy_file`.
    """
    total = done = 0
    gone: list[Path] = []
    for source, _ in files:
        with contextlib.suppress(FileNotFoundError):
            total += source.stat().st_size
    with shown_progress(label, "bytes") as progress:

        def moved(size: int) -> None:
            nonlocal done
            done += size
            if progress is not None:
                progress(done, total)

        for source, place in files:
            try:
                copy_file(source, place, moved)
            except FileNotFoundError:
                if source.is_file():
                    raise
                gone.append(source)
    return gone


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

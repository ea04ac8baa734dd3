"""Walk a project's folder and hand each file to who can read it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from aml_jupyter.cli.doctoring import files, scripts
from aml_jupyter.errors import AmlError, UserErrorException
from aml_jupyter.views.doctor import DoctorReport, Finding

__all__ = ["examine"]

LARGEST: Final = 8 * 2**20
"""Bytes of a file that is read."""
MOST_FILES: Final = 20_000
MOST_SECONDS: Final = 120.0
_PASSED_OVER: Final = frozenset(
    {".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints", "node_modules", ".tox", ".mypy_cache", "site-packages"}
)
_TEXT: Final = {
    ".py": scripts.script_findings,
    ".ipynb": scripts.notebook_findings,
    ".sh": files.command_findings,
    ".ps1": files.command_findings,
    ".cmd": files.command_findings,
    ".bat": files.command_findings,
    ".md": files.command_findings,
}
_CONFIGURATION: Final = (".azureml", "aml_config")


def examine(folder: str | os.PathLike[str]) -> DoctorReport:
    """Return what a folder uses of SDK v1, and what becomes of it here.

    Raises
    ------
    UserErrorException
        When there is no such folder.
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise UserErrorException(f"{root} is not a folder. Name the folder of a project.", "folder")
    begun = time.monotonic()
    found: set[Finding] = set()
    notes: list[str] = []
    count = 0
    for path in _files(root):
        if count >= MOST_FILES or time.monotonic() - begun > MOST_SECONDS:
            notes.append(f"not all of the folder was read: it stopped after {count} files")
            break
        count += 1
        name = str(path.relative_to(root))
        try:
            found.update(_of_file(path, name, notes))
        except OSError as error:
            notes.append(f"{name} cannot be read: {error.strerror}")
    return DoctorReport(str(root), tuple(sorted(found)), count, tuple(notes))


def _files(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _PASSED_OVER
            and not os.path.exists(os.path.join(place, name, "pyvenv.cfg"))
            and not os.path.isdir(os.path.join(place, name, "conda-meta"))
        )
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file():
                yield path


def _of_file(path: Path, name: str, notes: list[str]) -> Iterator[Finding]:
    ending = path.suffix.lower()
    by_text: Callable[[str, str], Iterator[Finding]] | None = _TEXT.get(ending)
    if by_text is not None:
        if path.stat().st_size > LARGEST:
            notes.append(f"{name} has more than {LARGEST // 2**20} MB and was not read")
            return
        data = path.read_bytes()
        if b"azureml" in data or b"az " in data:
            yield from by_text(name, data.decode("utf-8-sig", "replace"))
        return
    inside = path.parent.name in _CONFIGURATION
    if ending == ".runconfig":
        yield from files.run_configuration_findings(name, path)
    elif ending == ".compute":
        yield from files.compute_findings(name, path)
    elif path.name == "conda_dependencies.yml":
        yield from files.packages_findings(name, path)
    elif path.name in ("hdconfig.yml", "hdconfig.yaml"):
        yield from files.sweep_findings(name, path)
    elif path.name == "spark_dependencies.yml" and inside:
        yield Finding(
            name, 0, "Spark packages", "works", "spark-submit gets them; the run needs a Python or image with Spark"
        )
    elif inside and path.name in ("config.json", "project.json"):
        yield from _workspace_file(path, name)
    elif inside and not ending and path.stat().st_size < LARGEST:
        yield from files.run_configuration_findings(name, path)


def _workspace_file(path: Path, name: str) -> Iterator[Finding]:
    from aml_jupyter.workspace.project import read_config

    try:
        read = read_config(path)
    except AmlError as error:
        yield Finding(name, 0, "workspace", "broken", str(error))
        return
    text = f"Workspace.from_config() opens workspace {read.name} of this machine; it is made at its first use"
    yield Finding(name, 0, "workspace", "works", text)

"""Own the files of registered models: copied aside, placed in one step, checked, copied out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from aml_jupyter.errors import ModelException, WorkspaceException
from aml_jupyter.supervisor.durable import sync_folder
from aml_jupyter.supervisor.faults import fault_point

from .folder import WorkspaceFolder
from .layout import Layout
from .records import ModelRecord
from .snapshots.temporary import create_temporary_folder, remove_abandoned

__all__ = [
    "discard_strangers",
    "download_model",
    "files_of_path",
    "missing_models",
    "model_folder",
    "place",
    "remove_placed",
    "staged",
]

_ASIDE = ".tmp"


def model_folder(layout: Layout, name: str, version: int) -> Path:
    """Return where the files of one version lie."""
    return layout.models / name / str(version)


def files_of_path(path: str | os.PathLike[str], children: Sequence[str] | None = None) -> tuple[dict[str, Path], str]:
    """Return what a model made of a file or a folder consists of, and the one name that all its names begin with.

    Parameters
    ----------
    path : path
        A file, or a folder with all below it.
    children : sequence of str, optional
        Only these files and folders in it.

    Raises
    ------
    ModelException
        When there is nothing, or a child is not in the folder.
    """
    top = Path(os.path.abspath(path))
    if top.is_file():
        return {top.name: top}, top.name
    if not top.is_dir():
        raise ModelException(f"ModelPathNotFound: there is no file or folder {top}.", "model_path")
    found: dict[str, Path] = {}
    for begin in [top / child for child in children] if children else [top]:
        if not begin.resolve().is_relative_to(top.resolve()) or not begin.exists():
            raise ModelException(f"ModelPathNotFound: {begin} is no file or folder in {top}.", "child_paths")
        for place_, folders, names in os.walk(begin) if begin.is_dir() else [(str(begin.parent), [], [begin.name])]:
            folders.sort()
            for name in sorted(names):
                file = Path(place_, name)
                if file.is_file():
                    found[f"{top.name}/{file.relative_to(top).as_posix()}"] = file
    return found, top.name


@contextmanager
def staged(layout: Layout, files: Mapping[str, str | os.PathLike[str]]) -> Iterator[tuple[str, int]]:
    """Copy `files` into a folder of their own beside the models, synced; the value is that folder and their bytes.

    Whatever is left of it after the block is removed.

    Raises
    ------
    WorkspaceException
        When they cannot be copied.
    """
    aside = layout.models / _ASIDE
    descriptor, temporary = None, ""
    try:
        try:
            aside.mkdir(parents=True, exist_ok=True)
            remove_abandoned(str(aside))
            descriptor, temporary = create_temporary_folder(str(aside), "model-")
            size = _copy(files, os.path.join(temporary, "files"))
        except OSError as error:
            raise WorkspaceException(
                f"The model's files cannot be copied to {layout.models}: {error.strerror or error}. Nothing was registered. "
                "Free some space or make the folder writable, and try again."
            ) from error
        yield os.path.join(temporary, "files"), size
    finally:
        if temporary:
            with fault_point("models.discard"):
                shutil.rmtree(temporary, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def _copy(files: Mapping[str, str | os.PathLike[str]], target: str) -> int:
    size = 0
    folders = {target}
    os.mkdir(target)
    for name, source in files.items():
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or not parts.parts:
            raise ModelException(f"The file name {name!r} leads out of the model's folder.", "model_path")
        path = os.path.join(target, *parts.parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        folders.update(os.path.join(target, *parts.parts[:depth]) for depth in range(1, len(parts.parts)))
        with open(source, "rb") as stream, open(path, "xb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
            copy.flush()
            size += copy.tell()
            with fault_point("models.copy"):
                os.fsync(copy.fileno())
    for folder in sorted(folders):
        sync_folder(folder)
    return size


def place(layout: Layout, temporary: str, name: str, version: int) -> None:
    """Move the copied files to the place of a version; the caller's transaction makes its row."""
    target = model_folder(layout, name, version)
    try:
        target.parent.mkdir(exist_ok=True)
        with fault_point("models.place"):
            os.rename(temporary, target)
        sync_folder(target.parent)
        sync_folder(layout.models)
    except OSError as error:
        raise WorkspaceException(f"The model's files cannot be moved to {target}: {error.strerror}.") from error


def discard_strangers(layout: Layout, name: str, known: Iterable[int]) -> None:
    """Remove folders of versions that have no row: what a killed registration or deletion left."""
    kept = {str(version) for version in known}
    parent = layout.models / name
    if parent.is_dir():
        for path in parent.iterdir():
            if path.name not in kept:
                remove_placed(layout, name, path.name)


def remove_placed(layout: Layout, name: str, version: int | str) -> None:
    """Remove the folder of a version, when it is there: out of its place in one step, then file by file."""
    aside = layout.models / _ASIDE
    try:
        aside.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = create_temporary_folder(str(aside), "gone-")
        try:
            with fault_point("models.remove"):
                os.rename(layout.models / name / str(version), os.path.join(temporary, "files"))
        except FileNotFoundError:
            pass
        finally:
            with fault_point("models.discard"):
                shutil.rmtree(temporary, ignore_errors=True)
            if descriptor is not None:
                os.close(descriptor)
    except OSError as error:
        raise WorkspaceException(f"The files of model {name}:{version} cannot be removed: {error.strerror}.") from error


def missing_models(layout: Layout, records: Iterable[ModelRecord]) -> list[str]:
    """Return a phrase for each model whose files are not there."""
    return [
        f"model {record.id} has lost its files: {path} is missing"
        for record in records
        if not (path := model_folder(layout, record.name, record.version) / record.root).exists()
    ]


def download_model(
    folder: WorkspaceFolder,
    record: ModelRecord,
    target: str | os.PathLike[str],
    exist_ok: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Copy a model's file or folder into the folder `target` and return its path there.

    Parameters
    ----------
    progress : callable, optional
        Told the bytes that were copied, and those in all.

    Raises
    ------
    ModelException
        When it is there already and `exist_ok` is False, or the registry has lost the files.
    """
    source = model_folder(folder.layout, record.name, record.version) / record.root
    goal = Path(target) / record.root
    if not source.exists():
        raise ModelException(f"Model {record.id} has lost its files: {source} is missing.", "name")
    if goal.exists() and not exist_ok:
        raise ModelException(
            f"{goal} is there already; nothing was written. Pass exist_ok=True (--exist-ok) to replace it.",
            "target_dir",
        )
    goal.parent.mkdir(parents=True, exist_ok=True)
    total = sum(path.stat().st_size for path in (source, *source.rglob("*")) if path.is_file()) if progress else 0
    done = 0

    def copy(one: str, other: str) -> None:
        nonlocal done
        shutil.copyfile(one, other)
        done += os.path.getsize(other)
        if progress is not None:
            progress(done, total)

    if source.is_dir():
        shutil.copytree(source, goal, dirs_exist_ok=True, copy_function=copy)
    else:
        copy(str(source), str(goal))
    return goal

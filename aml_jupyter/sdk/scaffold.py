"""Make a folder one of a workspace: the files that SDK v1's ``az ml folder attach`` wrote, never over a person's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aml_jupyter.config import CondaDependencies, RunConfiguration
from aml_jupyter.config.compute_files import ENDING as COMPUTE_ENDING
from aml_jupyter.config.conda_dependencies import FILE_NAME
from aml_jupyter.config.run_config_files import ENDING, config_folder
from aml_jupyter.errors import UserErrorException
from aml_jupyter.workspace import TargetRecord, check_experiment_name, list_targets
from aml_jupyter.workspace.locate import CONFIG_NAMES as NAMES
from aml_jupyter.workspace.project import WorkspaceConfig, read_config, remembered_experiment

if TYPE_CHECKING:
    from aml_jupyter.sdk.workspace import Workspace

__all__ = ["AttachedFolder", "attach_folder", "write_target_files"]

IGNORED: Final = (".ipynb_checkpoints", "azureml-logs", ".azureml", ".git", "outputs", "azureml-setup", "docs")
"""What SDK v1 puts into a new ``.amlignore``."""


@dataclass(frozen=True)
class AttachedFolder:
    """Say what attaching a folder did."""

    path: Path
    experiment: str
    written: tuple[str, ...]
    kept: tuple[str, ...]
    """Files that were there already, and stayed as they were."""
    notes: tuple[str, ...] = ()


def attach_folder(workspace: Workspace, path: str | Path, experiment: str | None = None) -> AttachedFolder:
    """Write the configuration folder of a project: run configurations, packages, ``config.json``, ``.amlignore``.

    Parameters
    ----------
    workspace : Workspace
        What the folder belongs to from now on.
    path : path
        The project's folder.
    experiment : str, optional
        The experiment of submits from it; the folder's own name when left out.

    Raises
    ------
    UserErrorException
        When there is no such folder, it belongs to another workspace already, or the name cannot be one.
    """
    project = Path(path).expanduser().resolve()
    if not project.is_dir():
        raise UserErrorException(f"{project} is not a folder. Name the project's folder, or change to it.", "path")
    if experiment is not None:
        check_experiment_name(experiment)
    place = config_folder(project)
    notes: list[str] = []
    _check_owner(workspace, place, experiment, notes)
    made: dict[str, bool] = {}

    def write(file: Path, act: Callable[[], object]) -> None:
        name = str(file.relative_to(project))
        made[name] = not file.exists()
        if made[name]:
            file.parent.mkdir(parents=True, exist_ok=True)
            act()

    packages = place / FILE_NAME
    write(packages, lambda: CondaDependencies().save(packages))
    records = list_targets(workspace.folder.store.read())
    targets = {record.name: record.type for record in records}
    for record in records:
        if record.type in ("remote", "remotedocker"):
            compute = place / f"{record.name}{COMPUTE_ENDING}"
            write(compute, partial(_save_compute, compute, record))
    for name, kind in {"local": "local", "docker": "docker", **targets}.items():
        file = place / f"{name}{ENDING}"
        plain = place / name
        write(plain if plain.exists() else file, partial(_save, project, file, name, kind))
    write(
        place / NAMES[0],
        lambda: workspace._write_config(project, None, experiment or ""),
    )
    ignore = project / ".amlignore"
    if not (project / ".gitignore").exists() or ignore.exists():
        write(ignore, lambda: ignore.write_text("".join(f"/{name}\n" for name in IGNORED), encoding="utf-8"))
    else:
        notes.append(".gitignore says what is left out of snapshots; with an .amlignore it would no longer count")
    written = tuple(name for name, new in made.items() if new)
    kept = tuple(name for name, new in made.items() if not new)
    return AttachedFolder(project, remembered_experiment(project) or project.name, written, kept, tuple(notes))


def write_target_files(workspace: Workspace, path: str | Path, target: TargetRecord) -> tuple[str, ...]:
    """Write a new target's ``.compute`` and ``.runconfig`` into a folder that is attached to the workspace, and into no other.

    Parameters
    ----------
    workspace : Workspace
        What the target belongs to.
    path : path
        The folder; one that is not attached stays as it is, and so do files that are there.
    target : TargetRecord
        A machine that was attached.

    Returns
    -------
    tuple of str
        The names of the files that were written, below the folder.
    """
    project = Path(path).resolve()
    place = config_folder(project)
    file = place / NAMES[0]
    if not file.exists() or _is_of_another(workspace, read_config(file)):
        return ()
    compute, configuration = place / f"{target.name}{COMPUTE_ENDING}", place / f"{target.name}{ENDING}"
    written = []
    if not compute.exists():
        _save_compute(compute, target)
        written.append(compute)
    if not configuration.exists() and not (place / target.name).exists():
        _save(project, configuration, target.name, target.type)
        written.append(configuration)
    return tuple(str(each.relative_to(project)) for each in written)


def _is_of_another(workspace: Workspace, said: WorkspaceConfig) -> bool:
    """Say whether a folder's configuration names another workspace."""
    if said.folder is not None:
        return said.folder != Path(workspace.folder.root).resolve()
    return said.name != workspace.name


def _check_owner(workspace: Workspace, place: Path, experiment: str | None, notes: list[str]) -> None:
    """Refuse a folder of another workspace; say when the experiment cannot be remembered."""
    file = place / NAMES[0]
    if not file.exists():
        return
    before = read_config(file)
    if _is_of_another(workspace, before):
        raise UserErrorException(
            f"{file} says that the folder belongs to workspace {before.name or before.folder!s}, not to {workspace.name}. "
            "Use that one (--workspace), or remove the file.",
            "workspace",
        )
    if experiment is not None and before.experiment != experiment:
        notes.append(
            f'{file} was left as it is, so experiment {experiment} is not remembered; add "experiment_name": '
            f'"{experiment}" to it, or name it with -e'
        )


def _save_compute(file: Path, record: TargetRecord) -> None:
    """Write where a machine is as files of 2017 said it, without a password."""
    import json

    said = {
        "type": record.type,
        "address": record.settings.get("address"),
        "username": record.settings.get("username"),
        "pythonLocation": record.settings.get("python"),
        "userManagedEnvironment": True,
    }
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in said.items() if value]
    file.write_text("".join(lines), encoding="utf-8")


def _save(project: Path, file: Path, name: str, kind: str) -> None:
    """Write the run configuration of one target."""
    configuration = RunConfiguration(script="train.py")
    configuration.target = "local" if name in ("local", "docker") else name
    configuration.framework = "PySpark" if kind == "hdinsight" else "Python"
    configuration.environment.docker.enabled = kind not in ("local", "computeinstance", "remote")
    python = configuration.environment.python
    python.conda_dependencies_file = str(file.parent / FILE_NAME)
    python._conda_dependencies_file = str((file.parent / FILE_NAME).relative_to(project))  # the folder may move
    configuration.save(str(project), file.name)

"""Own ``config.json``, by which a project's folder names its workspace; where it lies is SDK v1's rule."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from aml_jupyter.errors import ConfigurationError, UserErrorException

from .folder import check_workspace_name
from .locate import CONFIG_FOLDERS as FOLDERS
from .locate import CONFIG_NAMES as NAMES
from .locate import config_file

__all__ = ["WorkspaceConfig", "find_config", "read_config", "remembered_experiment", "write_config"]


@dataclass(frozen=True)
class WorkspaceConfig:
    """Hold what a ``config.json`` says: the workspace's name, or its folder, and where the file lies."""

    path: Path
    name: str
    folder: Path | None
    subscription_id: str = ""
    resource_group: str = ""
    experiment: str = ""
    """The experiment that the folder was attached to (`aml folder attach`)."""


def find_config(path: str | os.PathLike[str] | None = None, file_name: str | None = None) -> Path | None:
    """Return the ``config.json`` for `path`, or None where there is none.

    Parameters
    ----------
    path : path, optional
        A file, which is taken as it is, or the folder where the search begins; the current folder when left out. In each
        folder ``.azureml/``, ``aml_config/`` and the folder itself are looked at, then its parent.
    file_name : str, optional
        Name to look for instead of ``config.json`` and ``project.json``.

    Raises
    ------
    UserErrorException
        When `path` does not exist.
    """
    try:
        start = Path(path or ".").resolve()
    except FileNotFoundError:  # the current folder has been deleted
        return None
    if start.is_file():
        return start
    if not start.is_dir():
        raise UserErrorException(
            f"There is neither a file nor a folder {str(path)!r}. Give the path of a config.json, or a folder below it.",
            "path",
        )
    found = config_file(str(start), (file_name,) if file_name else NAMES)
    return Path(found) if found else None


def read_config(path: Path) -> WorkspaceConfig:
    """Read the file at `path`; the ``project.json`` of 2018 (``Id``, ``Scope``) is understood, too.

    Raises
    ------
    ConfigurationError
        When it is no JSON object, or names neither a workspace that can be nor a folder: with file, line and key.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"{path}, line {error.lineno}: expected a JSON object with 'workspace_name', found {error.msg!r} in column "
            f"{error.colno}.",
            "path",
        ) from error
    except (ValueError, OSError) as error:
        raise ConfigurationError(f"{path}: {error}. Expected a JSON object with 'workspace_name'.", "path") from error
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{path}: expected a JSON object with 'workspace_name', found {content!r:.60}.", "path"
        )
    scope = str(content.get("Scope") or "").split("/")
    parts = dict(zip((part.lower() for part in scope), scope[1:], strict=False))
    folder = content.get("workspace_folder")
    name = content.get("workspace_name") or parts.get("workspaces") or ""
    if not name and not folder:
        raise ConfigurationError(
            f"{path} names no workspace. Expected the key 'workspace_name', 'workspace_folder', or a 'Scope' with "
            "/workspaces/NAME in it; "
            f"found {', '.join(map(repr, content)) or 'nothing'}.",
            "workspace_name",
        )
    if not folder:
        try:
            check_workspace_name(str(name))
        except UserErrorException as error:
            key = "workspace_name" if content.get("workspace_name") else "Scope"
            raise ConfigurationError(f"{path}{_line_of(text, key)}, {key}: {error.message}", key) from None
    return WorkspaceConfig(
        path=path,
        name=str(name),
        folder=(path.parent / Path(str(folder)).expanduser()).resolve() if folder else None,
        subscription_id=str(content.get("subscription_id") or parts.get("subscriptions") or ""),
        resource_group=str(content.get("resource_group") or parts.get("resourcegroups") or ""),
        experiment=str(content.get("experiment_name") or ""),
    )


def remembered_experiment(project: Path) -> str | None:
    """Return the experiment that the folder `project` itself was attached to, or None; a broken file says nothing here."""
    for folder in FOLDERS[:2]:
        path = project / folder / NAMES[0]
        if path.is_file():
            try:
                return read_config(path).experiment or None
            except ConfigurationError:
                return None
    return None


def write_config(config: WorkspaceConfig) -> None:
    """Write `config` to its path, as SDK v1 does, and the workspace's folder where its name alone would not find it.

    A folder inside the project is written relative to the file, so that the project can be moved.
    """
    content = {
        "subscription_id": config.subscription_id,
        "resource_group": config.resource_group,
        "workspace_name": config.name,
    }
    if config.experiment:
        content["experiment_name"] = config.experiment
    if config.folder is not None:
        here = config.path.parent.resolve()
        project = here.parent if here.name in FOLDERS else here
        inside = config.folder.is_relative_to(project)
        content["workspace_folder"] = os.path.relpath(config.folder, here) if inside else str(config.folder)
    config.path.parent.mkdir(parents=True, exist_ok=True)
    config.path.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")


def _line_of(text: str, key: str) -> str:
    before, found, _ = text.partition(f'"{key}"')
    return f", line {before.count(chr(10)) + 1}" if found else ""

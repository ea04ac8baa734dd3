"""Own `Model`: one version of a registered model, as SDK v1's notebooks and scripts know it."""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aml_jupyter.errors import ModelException
from aml_jupyter.sdk.mapping import texts_by_name
from aml_jupyter.sdk.unbuilt import RefusingClass, refuse_attribute
from aml_jupyter.supervisor.client.model import Framework
from aml_jupyter.views.progress import shown_progress
from aml_jupyter.workspace import (
    ModelRecord,
    delete_model,
    download_model,
    files_of_path,
    get_model,
    list_models,
    register_model,
    update_model,
)

if TYPE_CHECKING:
    from aml_jupyter.sdk.run import Run
    from aml_jupyter.sdk.workspace import Workspace

__all__ = ["Model"]

CACHE = "azureml-models"
"""SDK v1's folder for fetched models, in the working directory."""

_DEPLOYMENTS = "Web services and deployments are not planned; docs/migration.md says what there is."

UNBUILT = {
    "add_dataset_references": "",
    "deploy": _DEPLOYMENTS,
    "get_sas_urls": "Model.download copies the files.",
    "package": _DEPLOYMENTS,
    "print_configuration": "",
    "profile": _DEPLOYMENTS,
}
"""Attributes of SDK v1's Model that are still to come, and what works instead."""

Filter = Sequence[str | Sequence[str]]


class Model(metaclass=RefusingClass):
    """Stand for one version of a registered model.

    Parameters
    ----------
    workspace : Workspace
        The workspace.
    name, id : str, optional
        The model's name, or its ``name:version``.
    tags, properties : list, optional
        Only a version that has these keys, or [key, value] pairs.
    version : int, optional
        The newest that passes the filters when it is left out.
    run_id, model_framework : str, optional
        Only a version of this run, or with this framework.

    Raises
    ------
    ModelException
        When there is none, with the nearest names.
    """

    Framework = Framework

    def __init__(
        self,
        workspace: Workspace,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        tags: Filter | None = None,
        properties: Filter | None = None,
        version: int | None = None,
        run_id: str | None = None,
        model_framework: str | None = None,
        **_ignored: Any,
    ) -> None:
        if id is not None:
            name, _, number = id.rpartition(":")
            if not name or not number.isdigit():
                raise ModelException(f"The model id {id!r} cannot be used: name:version was expected.", "id")
            version = int(number)
        if name is None:
            raise ModelException("Model needs a name or an id.", "name")
        self.workspace = workspace
        db = workspace.folder.store.read()
        self._record = get_model(db, name, _checked(version))
        if tags or properties or run_id or model_framework:
            found = list_models(db, name, version, tags, properties, run_id, model_framework, latest=True)
            if not found:
                raise ModelException(f"ModelNotFound: no version of model {name!r} passes the filters.", "tags")
            self._record = found[0]

    @classmethod
    def _of(cls, workspace: Workspace, record: ModelRecord) -> Model:
        model = cls.__new__(cls)
        model.workspace = workspace
        model._record = record
        return model

    # ---- register and find

    @staticmethod
    def register(
        workspace: Workspace,
        model_path: str | os.PathLike[str],
        model_name: str,
        tags: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        description: str | None = None,
        datasets: Any = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        child_paths: Sequence[str] | None = None,
        **_ignored: Any,
    ) -> Model:
        """Make the next version of the model `model_name` of a file or a folder.

        Parameters
        ----------
        workspace : Workspace
            The workspace.
        model_path : path
            A file, or a folder with all below it.
        model_name : str
            A letter or digit, then up to 254 letters, digits, ``-``, ``.`` and ``_``.
        tags, properties : dict, optional
            Tags can be changed later, properties can not.
        description, model_framework, model_framework_version : str, optional
            Kept and shown.
        child_paths : list of str, optional
            Only these files and folders in `model_path`.
        datasets
            SDK v1's; it changes nothing.

        Raises
        ------
        ModelException
            When the name cannot be used, or there is no such file or folder.
        """
        files, root = files_of_path(model_path, child_paths)
        record = register_model(
            workspace.folder,
            model_name,
            files,
            root,
            tags=texts_by_name(tags, "tags"),
            properties=texts_by_name(properties, "properties"),
            description=description,
            framework=model_framework,
            framework_version=model_framework_version,
        )
        print(f"Registering model {model_name}")
        return Model._of(workspace, record)

    @staticmethod
    def list(
        workspace: Workspace,
        name: str | None = None,
        tags: Filter | None = None,
        properties: Filter | None = None,
        run_id: str | None = None,
        latest: bool = False,
        dataset_id: str | None = None,
        expand: bool = True,
        page_count: int = 255,
        model_framework: str | None = None,
    ) -> builtins.list[Model]:
        """Return the models that pass every filter, the newest first.

        Parameters
        ----------
        workspace : Workspace
            The workspace.
        name, run_id, model_framework : str, optional
            Only those with this value.
        tags, properties : list, optional
            Only those that have these keys, or [key, value] pairs.
        latest : bool
            Of each name only the newest.
        dataset_id, expand, page_count
            SDK v1's; they change nothing.
        """
        db = workspace.folder.store.read()
        found = list_models(db, name, None, tags, properties, run_id, model_framework, latest)
        return [Model._of(workspace, record) for record in found]

    @staticmethod
    def get_model_path(model_name: str, version: int | None = None, _workspace: Workspace | None = None) -> str:
        """Return the path of a model's file or folder.

        Inside a run, and where `_workspace` is given, it is fetched to ``azureml-models/<name>/<version>/`` once. Otherwise
        it is what lies there already (the newest version), or ``./<name>``.

        Raises
        ------
        ModelException
            When there is none, or `version` is not an integer.
        """
        _checked(version)
        if os.environ.get("AML_RUN_ID"):
            from aml_jupyter.supervisor import client

            try:
                return client.Model.get_model_path(model_name, version)
            except client.ModelException as error:
                raise ModelException(error.message) from None
        if _workspace is not None:
            return Model(_workspace, model_name, version=version)._fetched()
        return _cached(model_name, version)

    # ---- what it is

    @property
    def name(self) -> str:
        """The model's name."""
        return self._record.name

    @property
    def id(self) -> str:
        """``name:version``."""
        return self._record.id

    @property
    def version(self) -> int:
        """The version, from 1."""
        return self._record.version

    @property
    def tags(self) -> dict[str, str]:
        """The tags, as they were when this object was made or last changed the model."""
        return dict(self._record.tags)

    @property
    def properties(self) -> dict[str, str]:
        """The properties."""
        return dict(self._record.properties)

    @property
    def description(self) -> str:
        """The description."""
        return self._record.description

    @property
    def created_time(self) -> datetime:
        """When it was registered, in UTC."""
        return datetime.fromtimestamp(self._record.created, timezone.utc)

    @property
    def model_framework(self) -> str:
        """The framework that it was made with; ``Custom`` when none was named."""
        return self._record.framework

    @property
    def model_framework_version(self) -> str | None:
        """That framework's version."""
        return self._record.framework_version

    @property
    def run_id(self) -> str | None:
        """The run that made it."""
        return self._record.run

    @property
    def experiment_name(self) -> str | None:
        """The experiment of that run."""
        return self._record.experiment

    @property
    def run(self) -> Run | None:
        """That run itself."""
        from aml_jupyter.sdk.run import Run

        return None if self._record.run is None else Run.get(self.workspace, self._record.run)

    # ---- what can be done

    def download(
        self, target_dir: str | os.PathLike[str] = ".", exist_ok: bool = False, exists_ok: bool | None = None
    ) -> str:
        """Copy the file or folder into `target_dir` and return its path there.

        Raises
        ------
        ModelException
            When it is there already and `exist_ok` is False.
        """
        with shown_progress(f"download of {self.id}", "bytes") as progress:
            replace = bool(exist_ok or exists_ok)
            return str(download_model(self.workspace.folder, self._record, target_dir, replace, progress))

    def update(
        self, tags: Mapping[str, Any] | None = None, description: str | None = None, *_ignored: Any, **_also: Any
    ) -> None:
        """Replace the tags, the description, or both."""
        texts = None if tags is None else texts_by_name(tags, "tags")
        self._record = update_model(
            self.workspace.folder,
            self.name,
            self.version,
            tags=texts,
            replace_tags=texts is not None,
            description=description,
        )

    def add_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags; others stay."""
        self._record = update_model(self.workspace.folder, self.name, self.version, tags=texts_by_name(tags, "tags"))

    def remove_tags(self, tags: str | Sequence[str]) -> None:
        """Remove one tag or several, by key."""
        gone = dict.fromkeys([tags] if isinstance(tags, str) else tags)
        self._record = update_model(self.workspace.folder, self.name, self.version, tags=gone)

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Add properties; one that is set cannot be changed."""
        texts = texts_by_name(properties, "properties")
        self._record = update_model(self.workspace.folder, self.name, self.version, properties=texts)

    def delete(self) -> None:
        """Delete this version with its files; its number is not given again."""
        delete_model(self.workspace.folder, self.name, self.version)

    def _fetched(self) -> str:
        folder = Path(CACHE, self.name, str(self.version))
        goal = folder / self._record.root
        if not goal.exists():
            download_model(self.workspace.folder, self._record, folder)
        return str(goal)

    def __getattr__(self, name: str) -> Any:
        refuse_attribute(self, name, UNBUILT)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and (other.workspace, other.id) == (self.workspace, self.id)

    def __hash__(self) -> int:
        return hash((self.workspace, self.id))

    def __repr__(self) -> str:
        return f"Model(name={self.name}, id={self.id}, version={self.version}, tags={self.tags}, properties={self.properties})"


def _checked(version: object) -> int | None:
    if version is None:
        return None
    if isinstance(version, bool) or not isinstance(version, int):
        raise ModelException(f"version {version!r}: a model's version is an int.", "version")
    return version


def _cached(name: str, version: int | None) -> str:
    """Return what an earlier fetch left in the working directory, or ``./<name>``."""
    place = Path(CACHE, name)
    numbers = sorted(int(path.name) for path in place.iterdir() if path.name.isdigit()) if place.is_dir() else []
    for number in reversed(numbers) if version is None else [version]:
        found = sorted((place / str(number)).iterdir()) if (place / str(number)).is_dir() else []
        if found:
            return str(found[0]) if len(found) == 1 else str(place / str(number))
    if version is None and Path(name).exists():
        return name
    raise ModelException(
        f"Model {name!r} is neither in {place} nor in the current folder. Pass _workspace=Workspace.from_config() to fetch it "
        "from the workspace's registry.",
        "model_name",
    )

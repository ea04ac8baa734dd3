"""Register what a script registers with MLflow in the workspace: the model registry behind ``aml-run:``.

Imported by MLflow itself, as `mlflow_store` is. A version of a model is one of the workspace's, with its files; aliases,
stages and whatever else the workspace has no place for are refused by name.
"""

import re
from typing import Any, Dict, List, NoReturn, Optional
from urllib.parse import unquote, urlparse

from mlflow.entities.model_registry import ModelVersion, ModelVersionTag, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    NOT_IMPLEMENTED,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
)
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.model_registry.abstract_store import AbstractStore

from .errors import AmlError
from .model import Model

__all__ = ["RegistryStore"]

_NAME = re.compile(r"\s*name\s*=\s*(['\"])(?P<name>.*)\1\s*$")


def _refuse(what: str) -> NoReturn:
    raise MlflowException(
        "%s: the workspace's model registry has no such thing. What there is: register_model, get_model_version, "
        "get_latest_versions, search_model_versions(\"name='...'\"), tags, description, delete_model_version; the rest is done "
        "with Model of azureml.core, or with `aml model`" % what,
        error_code=NOT_IMPLEMENTED,
    )


class _Registry:
    """Be the part of the registry that the workspace has."""

    def create_registered_model(self, name: str, *args: Any, **kwargs: Any) -> RegisteredModel:
        """Return the name as a model; it is there as soon as it has a version."""
        if _versions(name):
            raise MlflowException("Model %r exists already" % (name,), error_code=RESOURCE_ALREADY_EXISTS)
        return RegisteredModel(name=name, creation_timestamp=0, last_updated_timestamp=0)

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: Optional[str] = None,
        tags: Any = None,
        run_link: Optional[str] = None,
        description: Optional[str] = None,
        local_model_path: Optional[str] = None,
        model_id: Optional[str] = None,
    ) -> ModelVersion:
        """Copy the model's files into the workspace as its next version."""
        given = {tag.key: tag.value for tag in tags or ()}
        if model_id is not None:  # of MLflow 3
            import mlflow

            logged = mlflow.MlflowClient().get_logged_model(model_id)
            source, run_id = logged.artifact_location, run_id or logged.source_run_id
        path = local_model_path or _path_of(source)
        return _version(_asked(Model.register, None, path, name, tags=given, description=description, _run=run_id))

    def get_model_version(self, name: str, version: Any) -> ModelVersion:
        """Return one version."""
        return _version(_model(name, version))

    def get_model_version_download_uri(self, name: str, version: Any) -> str:
        """Return where the files of a version lie."""
        return _model(name, version)._place()

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Return a model with its newest version."""
        found = _versions(name)
        if not found:
            raise MlflowException("There is no model %r" % (name,), error_code=RESOURCE_DOES_NOT_EXIST)
        times = [int(model._fields["created"] * 1000) for model in found]
        return RegisteredModel(
            name=name,
            creation_timestamp=min(times),
            last_updated_timestamp=max(times),
            latest_versions=[_version(found[0])],
        )

    def get_latest_versions(self, name: str, stages: Any = None) -> List[ModelVersion]:
        """Return the newest version, alone in a list."""
        return [_version(model) for model in _versions(name)[:1]]

    def search_model_versions(self, filter_string: Optional[str] = None, *args: Any, **kwargs: Any) -> PagedList:
        """Return the versions of the model that the filter names; every model's where there is no filter."""
        named = _NAME.match(filter_string) if filter_string else None
        if filter_string and named is None:
            _refuse("The filter %r" % (filter_string,))
        found = _versions(named.group("name")) if named else _asked(Model.list)
        return PagedList([_version(model) for model in found], None)

    def set_model_version_tag(self, name: str, version: Any, tag: Any) -> None:
        """Set a tag of a version."""
        _asked(_model(name, version).add_tags, {tag.key: tag.value})

    def delete_model_version_tag(self, name: str, version: Any, key: str) -> None:
        """Remove a tag of a version."""
        _asked(_model(name, version).remove_tags, [key])

    def update_model_version(self, name: str, version: Any, description: Optional[str] = None) -> ModelVersion:
        """Change the description of a version."""
        model = _model(name, version)
        _asked(model.update, description=description)
        return _version(model)

    def delete_model_version(self, name: str, version: Any) -> None:
        """Delete a version; its number is not given again."""
        _asked(_model(name, version).delete)

    def _await_model_version_creation(self, *args: Any) -> None:
        """Return at once: a version is there when it is registered."""


def _refusal(name: str) -> Any:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse("MLflow's %s" % name)

    return refuse


_MISSING: Dict[str, Any] = {
    name: _refusal(name)
    for name, value in vars(AbstractStore).items()
    if getattr(value, "__isabstractmethod__", False) and not hasattr(_Registry, name)
}
"""What is abstract in MLflow and has no place here: nothing else keeps it from answering None."""


class RegistryStore(type("_Rest", (_Registry, AbstractStore), _MISSING)):  # type: ignore[misc]
    """Be MLflow's model registry inside a run.

    Parameters
    ----------
    store_uri, tracking_uri : str, optional
        As MLflow passes them; there is one registry, the workspace's.
    """

    def __init__(self, store_uri: Optional[str] = None, tracking_uri: Optional[str] = None) -> None:
        super().__init__(store_uri, tracking_uri)


def _asked(question: Any, *args: Any, **kwargs: Any) -> Any:
    """Return the answer of the workspace; its refusal is MLflow's exception."""
    try:
        return question(*args, **kwargs)
    except AmlError as error:
        raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None


def _versions(name: str) -> List[Model]:
    """Return the versions of a model, the newest first."""
    found: List[Model] = _asked(Model.list, None, name)
    return found


def _model(name: str, version: Any) -> Model:
    found = [model for model in _versions(name) if str(model.version) == str(version)]
    if not found:
        raise MlflowException(
            "There is no version %s of model %r" % (version, name), error_code=RESOURCE_DOES_NOT_EXIST
        )
    return found[0]


def _version(model: Model) -> ModelVersion:
    fields = model._fields
    return ModelVersion(
        name=fields["name"],
        version=str(fields["version"]),
        creation_timestamp=int(fields["created"] * 1000),
        last_updated_timestamp=int(fields["modified"] * 1000),
        description=fields["description"],
        run_id=fields["run"],
        source=str(fields["path"]),
        tags=[ModelVersionTag(key, value) for key, value in fields["tags"].items()],
    )


def _path_of(source: str) -> str:
    """Return the path of the files that a source means: a path, or a ``file:`` address."""
    address = urlparse(source)
    if address.scheme == "file":
        return unquote(address.path)
    if len(address.scheme) > 1:
        _refuse("Files at %s" % source)
    return source

"""Be a registered model inside a run: a handle that asks the service, and files that are fetched once."""

import os
import shutil
from typing import Any, Dict, List, Optional
from uuid import uuid4

from ..faults import fault_point
from .artifacts import copy_to
from .errors import ModelException, RunEnvironmentException
from .requests import Requests
from .unbuilt import refuse_attribute

__all__ = ["Framework", "Model", "fields_of"]

_CACHE = "azureml-models"  # SDK v1's name, in the working directory


def fields_of(
    tags: Optional[Dict[str, Any]],
    properties: Optional[Dict[str, Any]],
    description: Optional[str],
    framework: Optional[str],
    framework_version: Optional[str],
) -> Dict[str, Any]:
    """Return what a registration says beside name and files; tags and properties become texts."""
    return {
        "tags": _texts(tags),
        "properties": _texts(properties),
        "description": description,
        "framework": framework,
        "framework_version": framework_version,
    }


class Framework:
    """Name the frameworks of models as SDK v1 does (``Model.Framework.SCIKITLEARN``)."""

    CUSTOM = "Custom"
    MULTI = "Multi"
    ONNX = "Onnx"
    PYTORCH = "PyTorch"
    SCIKITLEARN = "ScikitLearn"
    TENSORFLOW = "TensorFlow"
    TFKERAS = "TfKeras"


class Model:
    """Be one version of a model of the run's workspace.

    Parameters
    ----------
    workspace : Workspace
        The run's workspace.
    name, id : str
        The model's name, or its ``name:version``.
    version : int, optional
        The newest that passes the filters when it is left out.
    tags, properties : list, optional
        Only a version that has these keys, or [key, value] pairs.

    Raises
    ------
    ModelException
        When there is none.
    """

    Framework = Framework

    def __init__(
        self,
        workspace: Any,
        name: Optional[str] = None,
        id: Optional[str] = None,  # noqa: A002 - SDK v1's name
        tags: Optional[List[Any]] = None,
        properties: Optional[List[Any]] = None,
        version: Optional[int] = None,
        run_id: Optional[str] = None,
        model_framework: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        if id is not None:
            name, _, number = id.rpartition(":")
            if not name or not number.isdigit():
                raise ModelException("model id %r: expected name:version" % (id,))
            version = int(number)
        if name is None:
            raise ModelException("Model needs a name or an id")
        found = _ask("get_model", name=name, version=_version(version))
        if tags or properties or run_id or model_framework:
            listed = Model.list(workspace, name, tags, properties, run_id, True, version, model_framework)
            if not listed:
                raise ModelException("ModelNotFound: no version of model %r passes the filters" % (name,))
            found = listed[0]._fields
        self._fields: Dict[str, Any] = found

    @classmethod
    def _of(cls, fields: Dict[str, Any]) -> "Model":
        model = cls.__new__(cls)
        model._fields = dict(fields)
        return model

    @staticmethod
    def register(
        workspace: Any,
        model_path: str,
        model_name: str,
        tags: Optional[Dict[str, str]] = None,
        properties: Optional[Dict[str, str]] = None,
        description: Optional[str] = None,
        datasets: Any = None,
        model_framework: Optional[str] = None,
        model_framework_version: Optional[str] = None,
        _run: Optional[str] = None,
        **kwargs: Any,
    ) -> "Model":
        """Register a file or folder of this machine as the next version of the model `model_name`.

        Raises
        ------
        ModelException
            When there is no such file or folder.
        """
        if not os.path.exists(model_path):
            raise ModelException("ModelPathNotFound: there is no file or folder %s" % os.path.abspath(model_path))
        requests = _requests()
        inside = os.path.join("partial", "model-%s" % uuid4().hex)
        staged = os.path.join(inside, os.path.basename(os.path.abspath(model_path)))
        target = os.path.join(requests.control, staged)
        try:
            os.makedirs(os.path.dirname(target))
            _copy(model_path, target)
            fields = fields_of(tags, properties, description, model_framework, model_framework_version)
            if _run is not None:
                fields.update(id=_run, of_run=True)
            return Model._of(_ask("register_model", name=model_name, staged=staged.replace(os.sep, "/"), **fields))
        finally:
            with fault_point("client.discard"):
                shutil.rmtree(os.path.join(requests.control, inside), ignore_errors=True)

    @staticmethod
    def list(
        workspace: Any = None,
        name: Optional[str] = None,
        tags: Optional[List[Any]] = None,
        properties: Optional[List[Any]] = None,
        run_id: Optional[str] = None,
        latest: bool = False,
        version: Optional[int] = None,
        model_framework: Optional[str] = None,
        **kwargs: Any,
    ) -> "List[Model]":
        """Return the models that pass the filters, the newest first; `latest`: of each name only the newest."""
        found = _ask(
            "list_models",
            name=name,
            version=version,
            tags=tags,
            properties=properties,
            run=run_id,
            framework=model_framework,
            latest=latest,
        )
        return [Model._of(fields) for fields in found]

    @staticmethod
    def get_model_path(model_name: str, version: Optional[int] = None, _workspace: Any = None) -> str:
        """Return the path of a model's file or folder, fetched to ``azureml-models/<name>/<version>/`` once.

        Raises
        ------
        ModelException
            When there is no such model, or `version` is not an integer.
        """
        return Model._of(_ask("get_model", name=model_name, version=_version(version)))._fetched()

    def download(self, target_dir: str = ".", exist_ok: bool = False, exists_ok: Optional[bool] = None) -> str:
        """Copy the model's file or folder into `target_dir` and return its path there.

        Raises
        ------
        ModelException
            When it is there already and `exist_ok` is False.
        """
        goal = os.path.join(target_dir, self._fields["root"])
        if os.path.lexists(goal) and not (exist_ok or exists_ok):
            raise ModelException("%s is there already; pass exist_ok=True to replace it" % goal)
        os.makedirs(target_dir, exist_ok=True)
        _copy(self._place(), goal)
        return goal

    def update(
        self, tags: Optional[Dict[str, Any]] = None, description: Optional[str] = None, *args: Any, **kwargs: Any
    ) -> None:
        """Replace the tags, the description, or both."""
        self._change(description=description, **({} if tags is None else {"tags": _texts(tags), "replace_tags": True}))

    def add_tags(self, tags: Dict[str, Any]) -> None:
        """Set tags; others stay."""
        self._change(tags=_texts(tags))

    def remove_tags(self, tags: "List[str]") -> None:
        """Remove tags by key."""
        self._change(tags={str(key): None for key in ([tags] if isinstance(tags, str) else tags)})

    def add_properties(self, properties: Dict[str, Any]) -> None:
        """Add properties; one that is set cannot be changed."""
        self._change(properties=_texts(properties))

    def delete(self) -> None:
        """Delete this version; its number is not given again."""
        _ask("delete_model", name=self.name, version=self.version)

    @property
    def created_time(self) -> Any:
        """Return when it was registered, in UTC."""
        from datetime import datetime, timezone

        return datetime.fromtimestamp(self._fields["created"], timezone.utc)

    def _change(self, **changes: Any) -> None:
        self._fields = dict(_ask("update_model", name=self.name, version=self.version, **changes))

    def _place(self) -> str:
        path = str(self._fields["path"])
        if os.path.isabs(path) and not os.path.exists(path):  # a container sees what it is lent
            wanted = {"name": self._fields["name"], "version": self._fields["version"], "lend": True}
            path = str(_requests().ask("get_model", wanted)["path"])
        return path if os.path.isabs(path) else os.path.join(_requests().control, path)

    def _fetched(self) -> str:
        folder = os.path.join(_CACHE, self.name, str(self.version))
        goal = os.path.join(folder, self._fields["root"])
        if not os.path.exists(goal):
            aside = os.path.join(_CACHE, ".%s" % uuid4().hex)
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            os.makedirs(aside)
            try:
                _copy(self._place(), os.path.join(aside, self._fields["root"]))
                with fault_point("client.artifact"):
                    os.rename(aside, folder)
            except OSError:
                if not os.path.exists(goal):  # else another process was quicker
                    raise
            finally:
                with fault_point("client.discard"):
                    shutil.rmtree(aside, ignore_errors=True)
        return goal

    def __getattr__(self, name: str) -> Any:
        own = _ATTRIBUTES.get(name, name)
        if name.startswith("_") or own == "path" or own not in self.__dict__.get("_fields", {}):
            refuse_attribute("Model", name, type(self))
        return self.__dict__["_fields"][own]

    def __repr__(self) -> str:
        return "Model(name=%s, id=%s, version=%s, tags=%s, properties=%s)" % (
            self.name,
            self.id,
            self.version,
            self.tags,
            self.properties,
        )


_ATTRIBUTES = {
    "experiment_name": "experiment",
    "model_framework": "framework",
    "model_framework_version": "framework_version",
    "run_id": "run",
}


def _ask(op: str, **args: Any) -> Any:
    requests = _requests()
    return requests.ask(op, dict(args, after=requests.written()))


def _requests() -> Requests:
    from .context import current_requests

    requests = current_requests()
    if requests is None:
        raise RunEnvironmentException(
            "there is no workspace to ask for models: this process is not a submitted run. "
            "Use Model of an installed aml-jupyter"
        )
    return requests


def _version(version: Any) -> Optional[int]:
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise ModelException("version %r: a model's version is an int" % (version,))
    return version


def _texts(values: Optional[Dict[str, Any]]) -> Dict[str, str]:
    return {str(key): "" if value is None else str(value) for key, value in dict(values or {}).items()}


def _copy(source: str, target: str) -> None:
    """Copy a file, or a folder with all files below it, to `target`."""
    if not os.path.isdir(source):
        with open(target, "wb") as stream:
            copy_to(source, stream)
        return
    for where, folders, names in os.walk(source):
        folders.sort()
        inside = os.path.join(target, os.path.relpath(where, source))
        os.makedirs(inside, exist_ok=True)
        for name in sorted(names):
            if os.path.isfile(os.path.join(where, name)):
                with open(os.path.join(inside, name), "wb") as stream:
                    copy_to(os.path.join(where, name), stream)

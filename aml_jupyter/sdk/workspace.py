"""Own `Workspace`: SDK v1's door to everything that one workspace remembers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aml_jupyter.errors import UserErrorException, nearest
from aml_jupyter.sdk.mapping import NamedObjects
from aml_jupyter.sdk.unbuilt import refuse_attribute
from aml_jupyter.workspace import (
    WorkspaceFolder,
    default_target,
    find_workspace,
    list_experiments,
    list_targets,
    list_workspaces,
    workspace_by_name,
)
from aml_jupyter.workspace.project import WorkspaceConfig, find_config, read_config, write_config

if TYPE_CHECKING:
    from aml_jupyter.config import Environment
    from aml_jupyter.sdk.compute import ComputeTarget
    from aml_jupyter.sdk.environments import ImageBuildDetails
    from aml_jupyter.sdk.experiment import Experiment
    from aml_jupyter.sdk.keyvault import Keyvault
    from aml_jupyter.sdk.model import Model
    from aml_jupyter.sdk.run import Run

__all__ = ["Workspace"]

UNBUILT = {
    "datasets": "Pass a path as an argument of the script.",
    "datastores": "Pass a path as an argument of the script.",
    "get_default_datastore": "Pass a path as an argument of the script.",
    "set_default_datastore": "Pass a path as an argument of the script.",
    "images": "",
    "linked_services": "",
    "webservices": "",
    **dict.fromkeys(
        ["list_keys", "service_context", "sku", "sync_keys", "tags", "update"],
        "There is no Azure service behind a workspace.",
    ),
}
"""Attributes of SDK v1's Workspace that are still to come, and what works instead."""


class Workspace:
    """Stand for one workspace: its experiments, runs and compute targets.

    Parameters
    ----------
    subscription_id, resource_group : str, optional
        SDK v1's coordinates; they are kept as names and decide nothing.
    workspace_name : str, optional
        Name of a workspace that is known on this machine.
    auth : object, optional
        Ignored: nothing here needs an account.

    Raises
    ------
    UserErrorException
        When no workspace of that name is known.
    """

    def __init__(
        self,
        subscription_id: str | WorkspaceFolder | None = None,
        resource_group: str | None = None,
        workspace_name: str | None = None,
        auth: Any = None,
        **_ignored: Any,
    ) -> None:
        if isinstance(subscription_id, WorkspaceFolder):
            self.folder = subscription_id
            return
        if not workspace_name:
            raise UserErrorException(
                "Workspace() needs workspace_name. Workspace.from_config() opens the one of this project, or the default one.",
                "workspace_name",
            )
        known = _known_names()
        if workspace_name not in known:
            hint = nearest(workspace_name, list(known))
            raise UserErrorException(
                f"Workspace not found: no workspace named {workspace_name!r} is known on this machine"
                f"{'; ' if hint else ''}{hint}. Workspace.create({workspace_name!r}) makes it.",
                "workspace_name",
            )
        self.folder = workspace_by_name(workspace_name)

    # ---- which workspace

    @classmethod
    def from_config(
        cls, path: str | os.PathLike[str] | None = None, auth: Any = None, _file_name: str | None = None
    ) -> Workspace:
        """Open the workspace that the environment, a ``config.json`` or the user's default names.

        ``AML_WORKSPACE`` wins. Then a ``config.json`` (see `find_config`) is looked for from `path` upwards; a workspace
        that it names and that this machine does not know is created in the user's data folder. With no `path` and no
        ``config.json`` it is the default workspace.

        Raises
        ------
        UserErrorException
            When `path` is given and no ``config.json`` is found from there.
        ConfigurationError
            When the file is broken.
        """
        found = None if os.environ.get("AML_WORKSPACE") else find_config(path, _file_name)
        if found is None:
            if os.environ.get("AML_WORKSPACE") or (path is None and _file_name is None):
                return cls(find_workspace())
            raise UserErrorException(
                f"No {_file_name or 'config.json'} was found in {Path(path or '.').resolve()} or its parents (each with "
                ".azureml/ and aml_config/ in it). Give the full path of the file, or call from_config() without a path to "
                "get the default workspace.",
                "path",
            )
        config = read_config(found)
        if config.folder is not None:
            return cls(find_workspace(config.folder))
        return cls.create(
            config.name, exist_ok=True, subscription_id=config.subscription_id, resource_group=config.resource_group
        )

    @classmethod
    def get(
        cls,
        name: str,
        auth: Any = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        **_: Any,
    ) -> Workspace:
        """Open the workspace called `name`; the error says which are known."""
        return cls(subscription_id, resource_group, name)

    @classmethod
    def create(
        cls,
        name: str,
        auth: Any = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        exist_ok: bool = False,
        **_ignored: Any,
    ) -> Workspace:
        """Make a workspace called `name` in the user's data folder.

        Parameters
        ----------
        name : str
            Its name.
        subscription_id, resource_group, location : str, optional
            SDK v1's coordinates; they are kept, and decide nothing.
        exist_ok : bool
            Return the workspace of that name where there is one.

        Raises
        ------
        UserErrorException
            When there is one and `exist_ok` is False.
        """
        exists = name in _known_names()
        if exists and not exist_ok:
            raise UserErrorException(
                f"A workspace named {name!r} is there already. Open it with Workspace.get({name!r}), or pass exist_ok=True.",
                "name",
            )
        facts = {"subscription_id": subscription_id, "resource_group": resource_group, "location": location}
        workspace = cls(workspace_by_name(name, create=True, **{key: value for key, value in facts.items() if value}))
        if not exists:
            print(f"Created workspace {name} in {workspace.folder.root}")
        return workspace

    @classmethod
    def list(
        cls, subscription_id: str | None = None, auth: Any = None, resource_group: str | None = None
    ) -> Mapping[str, Sequence[Workspace]]:
        """Return the workspaces that this machine knows, by name; each name with a list, as in SDK v1."""
        found: dict[str, list[Workspace]] = {}
        for entry in list_workspaces():
            if entry.exists:
                found.setdefault(entry.name, []).append(cls(WorkspaceFolder.open(entry.root)))
        return found

    def write_config(self, path: str | os.PathLike[str] | None = None, file_name: str | None = None) -> None:
        """Write ``.azureml/config.json`` into the folder `path` (the current one), for `from_config` to find.

        The folder ``aml_config`` is used where it exists.
        """
        self._write_config(Path(path or ".").resolve(), file_name, "")

    def _write_config(self, project: Path, file_name: str | None, experiment: str) -> None:
        place = project / ("aml_config" if (project / "aml_config").is_dir() else ".azureml")
        same_name = [entry for entry in list_workspaces() if entry.exists and entry.name == self.name]
        by_name = len(same_name) == 1 and Path(same_name[0].root).resolve() == self.folder.root.resolve()
        write_config(
            WorkspaceConfig(
                path=place / (file_name or "config.json"),
                name=self.name,
                folder=None if by_name else self.folder.root.resolve(),
                subscription_id=self.subscription_id,
                resource_group=self.resource_group,
                experiment=experiment,
            )
        )

    def get_mlflow_tracking_uri(self) -> str:
        """Return where MLflow tracks: inside a run that run, elsewhere this workspace, for reading."""
        if os.environ.get("AML_RUN_ID") and os.environ.get("AML_CONTROL"):
            return "aml-run:"
        from urllib.parse import quote

        return f"aml-jupyter://{quote(str(self.folder.root))}"

    # ---- what it is

    @property
    def name(self) -> str:
        """Return the workspace's name."""
        return self.folder.name

    @property
    def location(self) -> str:
        """Return where it is; there is no region, so this machine's answer is the one in ``workspace.json``."""
        return self.folder.location

    @property
    def resource_group(self) -> str:
        """SDK v1's resource group, as ``workspace.json`` has it."""
        return self.folder.resource_group

    @property
    def subscription_id(self) -> str:
        """SDK v1's subscription, as ``workspace.json`` has it."""
        return self.folder.subscription_id

    @property
    def _workspace_id(self) -> str:
        return self.folder.id

    @property
    def _workspace_name(self) -> str:
        return self.folder.name

    def get_details(self) -> dict[str, Any]:
        """Return what is known about the workspace, under SDK v1's keys."""
        return {
            "id": f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}/workspaces/{self.name}",
            "name": self.name,
            "friendlyName": self.name,
            "location": self.location,
            "type": "aml-jupyter/workspaces",
            "workspaceid": self.folder.id,
            "folder": str(self.folder.root),
        }

    # ---- what it holds

    @property
    def experiments(self) -> Mapping[str, Experiment]:
        """Return the experiments by name."""
        from aml_jupyter.sdk.experiment import Experiment

        names = [record.name for record in list_experiments(self.folder.store.read())]
        return NamedObjects(names, lambda name: Experiment(self, name))

    @property
    def compute_targets(self) -> NamedObjects[ComputeTarget]:
        """Return the compute targets by name; it can also be called, as in SDK 0.1.x."""
        from aml_jupyter.sdk.compute import ComputeTarget

        names = [record.name for record in list_targets(self.folder.store.read())]
        return NamedObjects(names, lambda name: ComputeTarget(self, name))

    @property
    def environments(self) -> NamedObjects[Environment]:
        """Return the newest version of each registered environment by name, and the curated ones."""
        from aml_jupyter.service import environment_names, find_registered

        return NamedObjects(environment_names(self.folder), lambda name: find_registered(self.folder, name)[0])

    def get_environment(self, name: str, version: str | None = None, label: str | None = None) -> Environment:
        """Return a registered or curated environment; what `Environment.get` calls.

        Raises
        ------
        UserErrorException
            When there is none; says which names are nearest.
        """
        from aml_jupyter.sdk.environments import told
        from aml_jupyter.service import find_registered

        return told(find_registered(self.folder, name, version, label))

    def register_environment(self, environment: Environment) -> Environment:
        """Keep an environment and return it with its version; what `Environment.register` calls.

        Raises
        ------
        UserErrorException
            When its name or version cannot be used.
        """
        from aml_jupyter.sdk.environments import told
        from aml_jupyter.service import register_environment

        return told(register_environment(self.folder, environment))

    def keep_wheel(self, file_path: str | os.PathLike[str], exist_ok: bool = False) -> str:
        """Keep a wheel and return its address; what `Environment.add_private_pip_wheel` calls.

        Raises
        ------
        UserErrorException
            When it is no wheel, or another one has its name.
        """
        from aml_jupyter.workspace.environments import keep_wheel

        return keep_wheel(self.folder, file_path, exist_ok).absolute().as_uri()

    def build_environment(self, environment: Environment) -> ImageBuildDetails:
        """Begin to build what an environment asks for; what `Environment.build` calls.

        Raises
        ------
        UserErrorException
            When it asks for what cannot be had.
        """
        from aml_jupyter.sdk.environments import ImageBuildDetails

        return ImageBuildDetails.begin(self.folder, environment)

    def get_default_compute_target(self, type: str | None = None) -> ComputeTarget:  # noqa: A002
        """Return the target that a submit without a target goes to; `type` is SDK v1's and changes nothing."""
        from aml_jupyter.sdk.compute import ComputeTarget

        return ComputeTarget(self, default_target(self.folder.store.read()))

    @property
    def models(self) -> Mapping[str, Model]:
        """The newest version of each registered model, by name."""
        from aml_jupyter.sdk.model import Model

        return {model.name: model for model in sorted(Model.list(self, latest=True), key=lambda model: model.name)}

    def _register_model(self, model_name: str, model_path: str, *args: Any, **fields: Any) -> Model:
        """Register a file or folder, as a run that nobody submitted asks for it."""
        from aml_jupyter.sdk.model import Model

        return Model.register(self, model_path, model_name, *args, **fields)

    def get_default_keyvault(self) -> Keyvault:
        """Return what keeps the workspace's secrets; a run reads them with ``run.get_secret``."""
        from aml_jupyter.sdk.keyvault import Keyvault

        return Keyvault(self)

    def delete(self, *_ignored: Any, **_also: Any) -> None:
        """Refuse: a workspace holds the only copy of its run history.

        Raises
        ------
        UserErrorException
            Always; it says which folder to remove by hand.
        """
        raise UserErrorException(
            "A workspace is not deleted by a call: it holds the only copy of its run history. Stop its service (aml "
            f"workspace show) and remove the folder {self.folder.root}."
        )

    def get_run(self, run_id: str) -> Run:
        """Return the run called `run_id` (see `Run.get`)."""
        from aml_jupyter.sdk.run import Run

        return Run.get(self, run_id)

    def __getattr__(self, name: str) -> Any:
        refuse_attribute(self, name, UNBUILT)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workspace) and other.folder.root == self.folder.root

    def __hash__(self) -> int:
        return hash(self.folder.root)

    def __repr__(self) -> str:
        return f"Workspace(name={self.name!r}, folder={str(self.folder.root)!r})"


def _known_names() -> Sequence[str]:
    return [entry.name for entry in list_workspaces() if entry.exists]

"""Own `ComputeTarget`: find, create and follow a compute target of any type."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.service import create_target, delete_target, detach_target, update_target
from aml_jupyter.targets import KINDS, kind_of
from aml_jupyter.workspace import TargetRecord, default_target, find_target, get_target

if TYPE_CHECKING:
    from aml_jupyter.sdk.workspace import Workspace
    from aml_jupyter.transports.ssh_login import Credentials

__all__ = ["ComputeTarget", "TargetConfiguration"]

MOVING = ("Creating", "Updating", "Deleting", "Starting", "Stopping")
"""Provisioning states that another one follows by itself."""


@dataclass(frozen=True)
class TargetConfiguration:
    """Say what `provisioning_configuration` and `attach_configuration` return: a type and its settings."""

    type: str
    attached: bool
    settings: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    credentials: Credentials | None = field(default=None, repr=False)
    machine: str = ""
    """The name of a machine that is looked up in the workspace, where no address is given."""
    port: int = 22


class ComputeTarget:
    """Stand for one compute target of a workspace; ``ComputeTarget(ws, name)`` returns the subclass of its type.

    Parameters
    ----------
    workspace : Workspace
        The workspace.
    name : str
        The target's name, whatever the case.

    Raises
    ------
    ComputeTargetException
        ``ComputeTargetNotFound`` when there is none of that name (and of the class's type), with the nearest names.
    """

    _type: ClassVar[str | None] = None
    _classes: ClassVar[dict[str, type[ComputeTarget]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls._type is not None:
            ComputeTarget._classes.setdefault(cls._type, cls)

    def __new__(cls, workspace: Workspace, name: str) -> ComputeTarget:
        record = get_target(workspace.folder.store.read(), name)
        if cls._type is not None and kind_of(record.type).type != cls._type:
            raise ComputeTargetException(
                f"ComputeTargetNotFound: Compute Target with name {name} not found in provided workspace as a {cls.__name__}: "
                f"{record.name} is of type {record.type}. ComputeTarget(workspace, {record.name!r}) finds it.",
                "name",
            )
        chosen = ComputeTarget._classes.get(kind_of(record.type).type, ComputeTarget) if cls is ComputeTarget else cls
        return object.__new__(chosen)

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.workspace = workspace
        self._record = get_target(workspace.folder.store.read(), name)

    # ---- create and attach

    @classmethod
    def create(cls, workspace: Workspace, name: str, provisioning_configuration: TargetConfiguration) -> ComputeTarget:
        """Create a compute target in the workspace.

        Parameters
        ----------
        workspace : Workspace
            The workspace.
        name : str
            3 to 24 letters, digits and ``-``, a letter first; unique in the workspace whatever the case.
        provisioning_configuration : TargetConfiguration
            What a class's ``provisioning_configuration`` returns.

        Raises
        ------
        ComputeTargetException
            When the name or a setting is wrong, or the type is not built yet.
        """
        _check_configuration(provisioning_configuration, attached=False)
        record = create_target(
            workspace.folder,
            name,
            provisioning_configuration.type,
            dict(provisioning_configuration.settings),
            tags=dict(provisioning_configuration.tags),
            description=provisioning_configuration.description,
        )
        return ComputeTarget(workspace, record.name)

    @classmethod
    def attach(
        cls, workspace: Workspace, name: str, attach_configuration: TargetConfiguration | None = None, **_settings: Any
    ) -> ComputeTarget:
        """Attach what was made elsewhere.

        Parameters
        ----------
        workspace : Workspace
            The workspace.
        name : str
            3 to 24 letters, digits and ``-``, a letter first; unique in the workspace whatever the case.
        attach_configuration : TargetConfiguration
            What a class's ``attach_configuration`` returns.

        Raises
        ------
        ComputeTargetException
            When it cannot be reached or lacks something, or the type is not built yet.
        """
        if attach_configuration is None:
            raise not_built(cls.__name__, "attach")
        _check_configuration(attach_configuration, attached=True)
        if not kind_of(attach_configuration.type).built:
            raise not_built(kind_of(attach_configuration.type).class_name, "attach")
        from aml_jupyter.sdk.compute.remote import ask_person, settings_of_machine
        from aml_jupyter.service.remote import attach_target

        settings = attach_configuration.settings
        if attach_configuration.machine:
            settings = settings_of_machine(workspace.folder, attach_configuration)
        found = attach_target(
            workspace.folder,
            name,
            attach_configuration.type,
            settings,
            attach_configuration.credentials,
            ask_person,
            attach_configuration.tags,
            attach_configuration.description,
        )
        for problem in found.problems:
            print(f"{name}: {problem}")
        return ComputeTarget(workspace, found.target.name)

    @staticmethod
    def list(workspace: Workspace) -> Any:
        """Return the compute targets of the workspace."""
        return [workspace.compute_targets[name] for name in workspace.compute_targets]

    # ---- what it is

    @property
    def name(self) -> str:
        """Return the target's name."""
        return self._record.name

    @property
    def type(self) -> str:
        """Return the target's type, for example ``computeinstance``."""
        return self._record.type

    @property
    def provisioning_state(self) -> str:
        """Return the state of the last look (see `refresh_state`): Creating, Running, Stopped, Failed and so on."""
        return self._record.provisioning_state

    @property
    def provisioning_errors(self) -> Any:
        """Return what went wrong, as a list of dicts; None when nothing did."""
        return self._record.provisioning_errors or None

    @property
    def tags(self) -> dict[str, str]:
        """Return the target's tags."""
        return dict(self._record.tags)

    @property
    def description(self) -> str:
        """Return the target's description."""
        return self._record.description

    @property
    def location(self) -> str:
        """Return the workspace's location."""
        return self.workspace.location

    @property
    def is_attached(self) -> bool:
        """Tell whether it was attached rather than created."""
        return self._record.attached

    @property
    def cluster_resource_id(self) -> str:
        """SDK v1's resource id, made of the names here."""
        return f"{self.workspace.get_details()['id']}/computes/{self.name}"

    def refresh_state(self) -> None:
        """Look at the target again.

        Raises
        ------
        ComputeTargetException
            When it has been deleted.
        """
        self._record = get_target(self.workspace.folder.store.read(), self.name)

    def get_status(self) -> Any:
        """Return the provisioning state after a fresh look."""
        self.refresh_state()
        return self.provisioning_state

    def serialize(self) -> dict[str, Any]:
        """Return the target as plain data."""
        record = self._record
        return {
            "name": record.name,
            "type": record.type,
            "computeType": kind_of(record.type).title,
            "provisioningState": record.provisioning_state,
            "provisioningErrors": record.provisioning_errors,
            "properties": dict(record.settings),
            "tags": dict(record.tags),
            "description": record.description,
            "isAttachedCompute": record.attached,
            "isDefault": default_target(self.workspace.folder.store.read()) == record.name,
        }

    # ---- what can be done

    def wait_for_completion(
        self,
        show_output: bool = False,
        is_delete_operation: bool = False,
        timeout_in_minutes: float = 25,
        **_ignored: Any,
    ) -> None:
        """Wait until the target's state stops changing by itself, or it is gone, or the time is over.

        Parameters
        ----------
        show_output : bool
            Print each state.
        is_delete_operation : bool
            SDK v1's; changes nothing.
        timeout_in_minutes : float
            The longest time to wait. As in SDK v1 its end is no error.
        """
        deadline = time.monotonic() + timeout_in_minutes * 60
        shown = ""
        while True:
            record = self._look()
            state = record.provisioning_state if record else "Deleted"
            if show_output and state != shown:
                shown = state
                print(state)
            if record is None or state not in MOVING or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        if show_output:
            print(f"Provisioning operation finished, operation {state!r}")

    def update(self, **settings: Any) -> None:
        """Change settings of the target, for example ``max_parallel``."""
        self._record = update_target(self.workspace.folder, self.name, settings)

    def delete(self) -> None:
        """Delete a created target: its queued runs are canceled, its running ones are asked to end.

        One that was attached is forgotten only; the machine stays as it is.
        """
        if self.is_attached:
            self.detach()
            print(f"{self.name}: the workspace forgets it; the machine stays as it is.")
            return
        self._record = delete_target(self.workspace.folder, self.name)

    def detach(self) -> None:
        """Forget an attached target; what becomes of its runs is as with `delete`."""
        self._record = detach_target(self.workspace.folder, self.name)

    def _look(self) -> TargetRecord | None:
        record = find_target(self.workspace.folder.store.read(), self.name)
        if record is not None:
            self._record = record
        return record

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComputeTarget) and (other.workspace, other.name) == (self.workspace, self.name)

    def __hash__(self) -> int:
        return hash((self.workspace, self.name))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(workspace={self.workspace.name!r}, name={self.name!r}, type={self.type!r})"


def not_built(class_name: str, verb: str) -> ComputeTargetException:
    """Return the error for a class whose issue is still to come, or whose service is gone."""
    gone = next(
        (kind.note for kind in KINDS if kind.class_name == class_name and not (kind.creatable or kind.attachable)), ""
    )
    why = f"{gone}." if gone else "not built yet in aml-jupyter."
    return ComputeTargetException(
        f"{class_name}: {verb} is {'refused: ' if gone else ''}{why} What works instead: the target 'local', which every "
        "workspace has, a ComputeInstance (ComputeInstance.provisioning_configuration, ComputeTarget.create), and a machine "
        "over SSH (RemoteCompute.attach).",
        "type",
    )


def _check_configuration(configuration: Any, attached: bool) -> None:
    wanted = "attach_configuration" if attached else "provisioning_configuration"
    if not isinstance(configuration, TargetConfiguration):
        raise ComputeTargetException(
            f"{wanted} is {type(configuration).__name__}; expected what {wanted}() of a compute class returns, for example "
            "ComputeInstance.provisioning_configuration().",
            wanted,
        )
    if configuration.attached != attached:
        verb = "attached" if configuration.attached else "created"
        raise ComputeTargetException(
            f"A {kind_of(configuration.type).class_name} configuration of this kind is {verb}.", wanted
        )

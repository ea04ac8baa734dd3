"""Turn the stored row of a compute target into the object that acts on it."""

from __future__ import annotations

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.targets.containers import ContainerHost
from aml_jupyter.targets.kinds import kind_of
from aml_jupyter.targets.protocol import Target
from aml_jupyter.transports.this_machine import ThisMachine
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder, runtime_folder

__all__ = ["create_backend"]


def create_backend(folder: WorkspaceFolder, record: TargetRecord) -> Target:
    """Return the target that `record` describes.

    Raises
    ------
    ComputeTargetException
        When the type is unknown or is not built yet.
    """
    kind = kind_of(record.type)
    if kind.type in ("local", "computeinstance", "docker"):
        return ContainerHost(folder, record, ThisMachine(runtime_folder()))
    if kind.type in ("remote", "remotedocker"):
        from aml_jupyter.targets.far_containers import RemoteHost  # here: most workspaces have none

        return RemoteHost(folder, record)
    raise ComputeTargetException(
        f"Compute target {record.name!r} is of type {kind.type!r}, which this version cannot run on yet; "
        "local, computeinstance, docker, remote and remotedocker work.",
        "target",
    )

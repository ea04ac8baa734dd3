"""Re-export the names of ``azureml.exceptions``."""

from __future__ import annotations

from aml_jupyter.errors import (
    ActivityFailedException,
    ComputeTargetException,
    ExperimentExecutionException,
    RunEnvironmentException,
    SnapshotException,
    UserErrorException,
    WorkspaceException,
)
from aml_jupyter.errors import AmlError as AzureMLException

__all__ = [
    "ActivityFailedException",
    "AzureMLException",
    "ComputeTargetException",
    "ExperimentExecutionException",
    "RunEnvironmentException",
    "SnapshotException",
    "UserErrorException",
    "WorkspaceException",
]

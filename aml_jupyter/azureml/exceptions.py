"""Re-export the names of ``azureml.exceptions``."""

from __future__ import annotations

from aml_jupyter.errors import (
    ActivityFailedException,
    ComputeTargetException,
    ExperimentExecutionException,
    ModelException,
    RunEnvironmentException,
    ServiceException,
    SnapshotException,
    UserErrorException,
    WorkspaceException,
)
from aml_jupyter.errors import AmlError as AzureMLException

# SDK v1 raises one of three where this package has one class
ModelNotFoundException = ModelPathNotFoundException = WebserviceException = ModelException

__all__ = [
    "ActivityFailedException",
    "AzureMLException",
    "ComputeTargetException",
    "ExperimentExecutionException",
    "ModelNotFoundException",
    "ModelPathNotFoundException",
    "RunEnvironmentException",
    "ServiceException",
    "SnapshotException",
    "UserErrorException",
    "WebserviceException",
    "WorkspaceException",
]

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
from aml_jupyter.errors import ConfigurationError as RunConfigurationException

# SDK v1 raises one of three where this package has one class
ModelNotFoundException = ModelPathNotFoundException = WebserviceException = ModelException


class AuthenticationException(AzureMLException):
    """Be importable for an ``except``: nothing here signs in, so it is never raised."""


class ProjectSystemException(AzureMLException):
    """Be importable for an ``except``: nothing here asks Azure for a project, so it is never raised."""


class TrainingException(AzureMLException):
    """Be importable for an ``except``: a failed run raises `ActivityFailedException`."""


__all__ = [
    "ActivityFailedException",
    "AuthenticationException",
    "AzureMLException",
    "ComputeTargetException",
    "ExperimentExecutionException",
    "ModelNotFoundException",
    "ModelPathNotFoundException",
    "ProjectSystemException",
    "RunConfigurationException",
    "RunEnvironmentException",
    "ServiceException",
    "SnapshotException",
    "TrainingException",
    "UserErrorException",
    "WebserviceException",
    "WorkspaceException",
]

"""Define what the in-run client raises, under the names of ``aml_jupyter.errors`` and SDK v1.

Classes of their own: the client travels to the target without the rest of aml-jupyter.
"""

from typing import Dict, Type

__all__ = [
    "ActivityFailedException",
    "AmlError",
    "ExperimentExecutionException",
    "ModelException",
    "RunEnvironmentException",
    "ServiceException",
    "UserErrorException",
    "error_from_reply",
]


class AmlError(Exception):
    """Carry a message that a person can act on."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class UserErrorException(AmlError):
    """Refuse bad input before anything is written."""


class ModelException(UserErrorException):
    """Say that a registered model is unknown or misnamed, or that the files for it are not there."""


class RunEnvironmentException(AmlError):
    """Say that a call works only inside a submitted run."""


class ServiceException(AmlError):
    """Say that the workspace's service did not answer."""


class ActivityFailedException(AmlError):
    """Report that a run that was waited for has failed."""


class ExperimentExecutionException(AmlError):
    """Say that a run could not be submitted or followed to its end."""


_BY_NAME: Dict[str, Type[AmlError]] = {
    kind.__name__: kind
    for kind in (
        AmlError,
        UserErrorException,
        RunEnvironmentException,
        ServiceException,
        ActivityFailedException,
        ExperimentExecutionException,
        ModelException,
    )
}
_USER_ERRORS = ("ConfigurationError", "ComputeTargetException", "SnapshotException")


def error_from_reply(kind: str, message: str) -> AmlError:
    """Return the exception that the service's refusal stands for; `kind` is a class name of ``aml_jupyter.errors``."""
    if kind in _USER_ERRORS:
        kind = "UserErrorException"
    return _BY_NAME.get(kind, AmlError)(message)

"""Define every exception that aml-jupyter raises on purpose.

::

    Exception
    └── AmlError                        something happened, why, and what to do next
        ├── UserErrorException          the input is wrong; nothing was started (SDK v1's name)
        │   ├── ConfigurationError      a file or a field of a run configuration is wrong
        │   ├── ComputeTargetException  a compute target is unknown, misnamed or cannot do this
        │   ├── ModelException          a model is unknown or misnamed, or its files are not there
        │   └── SnapshotException       the source directory cannot be snapshotted
        ├── WorkspaceException          the workspace cannot be read or written (disk full, read-only, too new)
        ├── ServiceException            the service cannot be started or reached
        │   └── LeaseLost               another service owns the workspace now
        ├── ActivityFailedException     a run that was waited for has failed
        ├── ExperimentExecutionException  a run could not be followed to its end
        └── RunEnvironmentException     a call that needs a run was made outside one

A message says what happened, why, and what to do next. Every class can be pickled.
"""

from __future__ import annotations

__all__ = [
    "ActivityFailedException",
    "AmlError",
    "ComputeTargetException",
    "ConfigurationError",
    "ExperimentExecutionException",
    "LeaseLost",
    "ModelException",
    "RunEnvironmentException",
    "ServiceException",
    "SnapshotException",
    "UserErrorException",
    "WorkspaceException",
    "nearest",
]


class AmlError(Exception):
    """Carry a message that a person can act on.

    Parameters
    ----------
    message : str
        What happened, why, and what to do next.
    field : str, optional
        Name of the input field that is to blame (used by the HTTP API and the command line).
    """

    def __init__(self, message: str = "", field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    def __reduce__(self) -> tuple[type[AmlError], tuple[str, str | None]]:
        return type(self), (self.message, self.field)


class UserErrorException(AmlError):
    """Refuse bad input before anything is copied or started."""


class ConfigurationError(UserErrorException):
    """Refuse a broken run configuration: file, line, key, and what was expected."""


class ComputeTargetException(UserErrorException):
    """Say that a compute target is unknown, has an illegal name, or cannot do what was asked."""


class ModelException(UserErrorException):
    """Say that a registered model is unknown or misnamed, or that the files for it are not there."""


class SnapshotException(UserErrorException):
    """Say why a source directory cannot be snapshotted."""


class WorkspaceException(AmlError):
    """Say that the workspace cannot be read or written."""


class ServiceException(AmlError):
    """Say that the workspace's service cannot be started or reached."""


class LeaseLost(ServiceException):
    """Tell a service that another one owns its workspace now."""


class ActivityFailedException(AmlError):
    """Report a failed run, with the end of its log and the log's path."""


class ExperimentExecutionException(AmlError):
    """Say that a run could not be submitted or followed to its end."""


class RunEnvironmentException(AmlError):
    """Say that a call works only inside a submitted run."""


def nearest(name: str, known: list[str], limit: int = 3) -> str:
    """Return a phrase that names the known names nearest to `name`, or all of a few.

    Parameters
    ----------
    name : str
        What the user wrote.
    known : list of str
        What would have been right.
    limit : int
        How many to name at the most.

    Returns
    -------
    str
        For example ``"did you mean gpu-box? Known: ci, gpu-box, local"``; empty when `known` is.
    """
    import difflib

    if not known:
        return ""
    lowered = {entry.lower(): entry for entry in known}
    written = str(name).lower()[:200]
    hits = difflib.get_close_matches(written, list(lowered), n=limit, cutoff=0.6)
    # One that is much nearer than the others is what was meant.
    likeness = {hit: difflib.SequenceMatcher(None, hit, written).ratio() for hit in hits}
    close = [lowered[hit] for hit in hits if likeness[hit] > likeness[hits[0]] - 0.15]
    listed = ", ".join(sorted(known)[:12]) + (", ..." if len(known) > 12 else "")
    return (f"did you mean {' or '.join(close)}? " if close else "") + f"Known: {listed}"

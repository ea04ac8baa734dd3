"""Be what a script talks to inside its run: ``Run.get_context()`` and what hangs on it.

Owns the in-run client. It writes events and artifacts into the attempt's control folder and asks the service through
request files; outside a run the same calls work on memory. Standard library only: it travels to the compute target.
"""

from .context import get_context
from .environment import Environment
from .errors import (
    ActivityFailedException,
    AmlError,
    ExperimentExecutionException,
    ModelException,
    RunEnvironmentException,
    ServiceException,
    UserErrorException,
)
from .legacy import RunDetails, get_azureml_logger, set_diagnostics_collection
from .model import Model
from .offline import OfflineRun
from .own import SubmittedRun
from .run import Run, get_run
from .workspace import Experiment, Keyvault, Workspace

__all__ = [
    "ActivityFailedException",
    "AmlError",
    "Environment",
    "Experiment",
    "ExperimentExecutionException",
    "Keyvault",
    "Model",
    "ModelException",
    "OfflineRun",
    "Run",
    "RunDetails",
    "RunEnvironmentException",
    "ServiceException",
    "SubmittedRun",
    "UserErrorException",
    "Workspace",
    "get_azureml_logger",
    "get_context",
    "get_run",
    "set_diagnostics_collection",
]

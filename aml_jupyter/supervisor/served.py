"""List the import names that a run is served, what they hold, and what SDK v1 has beside them."""

from types import ModuleType
from typing import Any, Dict, Optional

__all__ = ["LAST", "SERVED", "VERSION", "fill", "last_resort", "refusal"]

VERSION = "0.1.0"

SERVED: Dict[str, Dict[str, str]] = {
    "azureml": {},
    "azureml.core": {
        "Experiment": "Experiment",
        "Keyvault": "Keyvault",
        "Model": "Model",
        "Run": "Run",
        "Workspace": "Workspace",
        "get_run": "get_run",
    },
    "azureml.core.workspace": {"Workspace": "Workspace"},
    "azureml.core.experiment": {"Experiment": "Experiment"},
    "azureml.core.keyvault": {"Keyvault": "Keyvault"},
    "azureml.core.model": {"Model": "Model"},
    "azureml.core.run": {
        "Run": "Run",
        "get_run": "get_run",
        "_OfflineRun": "OfflineRun",
        "_SubmittedRun": "SubmittedRun",
    },
    "azureml.exceptions": {
        "ActivityFailedException": "ActivityFailedException",
        "AzureMLException": "AmlError",
        "ExperimentExecutionException": "ExperimentExecutionException",
        "ModelNotFoundException": "ModelException",
        "ModelPathNotFoundException": "ModelException",
        "RunEnvironmentException": "RunEnvironmentException",
        "ServiceException": "ServiceException",
        "UserErrorException": "UserErrorException",
        "WebserviceException": "ModelException",
    },
    "azureml.logging": {"get_azureml_logger": "get_azureml_logger"},
    "azureml.mlflow": {},
    "azureml.telemetry": {"set_diagnostics_collection": "set_diagnostics_collection"},
    "azureml.widgets": {"RunDetails": "RunDetails"},
    "aml_jupyter": {
        name: name
        for name in (
            "ActivityFailedException",
            "Environment",
            "Experiment",
            "ExperimentExecutionException",
            "Model",
            "ModelException",
            "Run",
            "RunEnvironmentException",
            "UserErrorException",
            "Workspace",
            "get_run",
        )
    },
}
"""Module -> {name in it: name in ``client``}; in the order in which SDK v1 imports them."""

LAST: Dict[str, Dict[str, str]] = {
    "azureml.core": {"Environment": "Environment"},
    "azureml.core.environment": {"Environment": "Environment"},
}
"""The same for what is served only where nothing installed has it: an installed one can do more."""

_INSTALL = "install aml-jupyter in the run's environment for it"
_UNBUILT = "it is not built yet in aml-jupyter"
_MODULES = {
    "azureml.automl": _UNBUILT,
    "azureml.contrib": _UNBUILT,
    "azureml.core.authentication": _INSTALL,
    "azureml.core.compute": _INSTALL,
    "azureml.core.compute_target": _INSTALL,
    "azureml.core.conda_dependencies": _INSTALL,
    "azureml.core.container_registry": _INSTALL,
    "azureml.core.dataset": _UNBUILT,
    "azureml.core.datastore": _UNBUILT,
    "azureml.core.runconfig": _INSTALL,
    "azureml.core.script_run": _INSTALL,
    "azureml.core.script_run_config": _INSTALL,
    "azureml.core.webservice": _UNBUILT,
    "azureml.data": _UNBUILT,
    "azureml.dataprep": _UNBUILT,
    "azureml.pipeline": _UNBUILT,
    "azureml.train": "only azureml.train.hyperdrive is built; install aml-jupyter in the run's environment for it",
}
_CLASSES = {
    "azureml.core.%s" % name: reason
    for reason, names in (
        (_INSTALL, "ComputeTarget ContainerRegistry RunConfiguration ScriptRunConfig"),
        (_UNBUILT, "Dataset Datastore Image LinkedService Webservice"),
    )
    for name in names.split()
}


def fill(module: ModuleType) -> None:
    """Put the client's classes into `module` under the names that it serves."""
    from . import client

    names = SERVED.get(module.__name__) or LAST.get(module.__name__, {})
    for name, own in names.items():
        setattr(module, name, getattr(client, own))
    module.__dict__["__all__"] = sorted(name for name in names if not name.startswith("_"))
    if module.__name__ == "azureml.core":
        module.__dict__["VERSION"] = module.__dict__["__version__"] = VERSION


def last_resort(module: str, name: str) -> Any:
    """Return what stands in for `name` of `module` where nothing installed has it; None when nothing does."""
    from . import client

    own = LAST.get(module, {}).get(name)
    return None if own is None else getattr(client, own)


def refusal(name: str) -> Optional[str]:
    """Return why the module or class `name` is not there, or None when SDK v1 has none of that name."""
    if name.startswith("aml_jupyter."):
        reason: Any = "aml-jupyter is not installed in the run's environment"
    else:
        reason = _CLASSES.get(name)
        parent = name
        while reason is None and parent:
            reason = _MODULES.get(parent)
            parent = parent.rpartition(".")[0]
    if reason is None:
        return None
    family = "aml_jupyter" if name.startswith("aml_jupyter") else "azureml.core"
    there = ", ".join(sorted(SERVED[family]))
    return "%s cannot be imported inside this run: %s. What there is in %s: %s" % (name, reason, family, there)

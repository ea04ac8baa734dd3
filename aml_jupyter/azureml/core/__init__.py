"""Re-export the classes of ``azureml.core``."""

from __future__ import annotations

from typing import Any

from aml_jupyter import __version__ as VERSION  # noqa: N812 - SDK v1's name
from aml_jupyter.azureml.unbuilt import refuse_name
from aml_jupyter.config import ContainerRegistry, Environment, RunConfiguration, ScriptRunConfig
from aml_jupyter.sdk import ComputeTarget, Experiment, Keyvault, Model, Run, Workspace, get_run

ScriptRun = Run  # SDK v1's class of what `Experiment.submit` returns

__all__ = [
    "VERSION",
    "ComputeTarget",
    "ContainerRegistry",
    "Environment",
    "Experiment",
    "Keyvault",
    "Model",
    "Run",
    "RunConfiguration",
    "ScriptRun",
    "ScriptRunConfig",
    "Workspace",
    "get_run",
]

UNBUILT = ["Dataset", "Datastore", "Image", "LinkedService", "Project", "Webservice"]


def __getattr__(name: str) -> Any:
    refuse_name("azureml.core", name, UNBUILT)

"""Own the object model that people program with: SDK v1's classes over this project's workspaces.

A thin layer: it gives the doors of the rooms below SDK v1's shapes, and holds no logic of its own.
"""

from __future__ import annotations

from .compute import (
    AdlaCompute,
    AksCompute,
    AmlCompute,
    BatchAiCompute,
    BatchCompute,
    ComputeInstance,
    ComputeTarget,
    DatabricksCompute,
    DsvmCompute,
    HDInsightCompute,
    KubernetesCompute,
    LocalCompute,
    RemoteCompute,
)
from .experiment import Experiment
from .hyperdrive_run import HyperDriveRun
from .interactive import InteractiveRun
from .keyvault import Keyvault
from .model import Model
from .run import Run, get_run
from .workspace import Workspace

__all__ = [
    "AdlaCompute",
    "AksCompute",
    "AmlCompute",
    "BatchAiCompute",
    "BatchCompute",
    "ComputeInstance",
    "ComputeTarget",
    "DatabricksCompute",
    "DsvmCompute",
    "Experiment",
    "HDInsightCompute",
    "HyperDriveRun",
    "InteractiveRun",
    "Keyvault",
    "KubernetesCompute",
    "LocalCompute",
    "Model",
    "RemoteCompute",
    "Run",
    "Workspace",
    "get_run",
]

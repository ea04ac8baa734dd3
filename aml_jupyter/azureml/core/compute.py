"""Re-export the classes of ``azureml.core.compute``; those whose issue is still to come refuse create and attach by name."""

from __future__ import annotations

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.sdk import (
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

__all__ = [
    "AdlaCompute",
    "AksCompute",
    "AmlCompute",
    "BatchAiCompute",
    "BatchCompute",
    "ComputeInstance",
    "ComputeTarget",
    "ComputeTargetException",
    "DatabricksCompute",
    "DsvmCompute",
    "HDInsightCompute",
    "KubernetesCompute",
    "LocalCompute",
    "RemoteCompute",
]

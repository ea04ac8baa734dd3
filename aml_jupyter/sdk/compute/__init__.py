"""Own SDK v1's compute target classes."""

from __future__ import annotations

from .instance import ComputeInstance
from .local import LocalCompute
from .remote import DsvmCompute, RemoteCompute
from .target import ComputeTarget
from .unbuilt import (
    AdlaCompute,
    AksCompute,
    AmlCompute,
    BatchAiCompute,
    BatchCompute,
    DatabricksCompute,
    HDInsightCompute,
    KubernetesCompute,
)

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
    "HDInsightCompute",
    "KubernetesCompute",
    "LocalCompute",
    "RemoteCompute",
]

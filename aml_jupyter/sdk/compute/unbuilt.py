"""Offer the names of SDK v1's classes whose issue is still to come.

They can be imported and looked up; a configuration of one can be made. `create` and `attach` refuse by name, before anything
is sent anywhere; a password or token in a configuration is dropped at once.
"""

from __future__ import annotations

from typing import Any, ClassVar

from aml_jupyter.sdk.compute.target import ComputeTarget, TargetConfiguration, not_built

__all__ = [
    "AdlaCompute",
    "AksCompute",
    "AmlCompute",
    "BatchAiCompute",
    "BatchCompute",
    "DatabricksCompute",
    "HDInsightCompute",
    "KubernetesCompute",
]


class _Unbuilt(ComputeTarget):
    """Refuse to create and attach; find what is there, which is nothing."""

    @classmethod
    def provisioning_configuration(cls, *_positional: Any, **_settings: Any) -> TargetConfiguration:
        """Return a configuration that `create` will refuse by name."""
        return TargetConfiguration(str(cls._type), attached=False)

    @classmethod
    def attach_configuration(cls, *_positional: Any, **_settings: Any) -> TargetConfiguration:
        """Return a configuration that `attach` will refuse by name."""
        return TargetConfiguration(str(cls._type), attached=True)

    @classmethod
    def create(cls, workspace: Any, name: str, provisioning_configuration: Any = None) -> ComputeTarget:
        """Refuse.

        Raises
        ------
        ComputeTargetException
            Always; it says what works instead.
        """
        raise not_built(cls.__name__, "create")

    @classmethod
    def attach(cls, workspace: Any, name: str, attach_configuration: Any = None, **_settings: Any) -> ComputeTarget:
        """Refuse.

        Raises
        ------
        ComputeTargetException
            Always; it says what works instead.
        """
        raise not_built(cls.__name__, "attach")


class AmlCompute(_Unbuilt):
    """Stand for a cluster whose nodes follow the queue."""

    _type: ClassVar[str | None] = "amlcompute"


class BatchAiCompute(_Unbuilt):
    """Stand for the old name of a cluster."""

    _type: ClassVar[str | None] = "amlcompute"


class HDInsightCompute(_Unbuilt):
    """Stand for a Spark cluster that is reached over SSH."""

    _type: ClassVar[str | None] = "hdinsight"


class DatabricksCompute(_Unbuilt):
    """Stand for a Databricks workspace, for pipeline steps."""

    _type: ClassVar[str | None] = "databricks"


class AdlaCompute(_Unbuilt):
    """Stand for an account of the retired Data Lake Analytics."""

    _type: ClassVar[str | None] = "adla"


class BatchCompute(_Unbuilt):
    """Stand for an Azure Batch account, for pipeline steps."""

    _type: ClassVar[str | None] = "batch"


class KubernetesCompute(_Unbuilt):
    """Stand for a Kubernetes cluster."""

    _type: ClassVar[str | None] = "kubernetes"


class AksCompute(_Unbuilt):
    """Stand for an inference cluster on Kubernetes."""

    _type: ClassVar[str | None] = "kubernetes"

"""Re-export the names of ``azureml.core.environment``."""

from __future__ import annotations

from aml_jupyter.config import (
    DEFAULT_CPU_IMAGE,
    DEFAULT_GPU_IMAGE,
    CondaDependencies,
    ContainerRegistry,
    DatabricksSection,
    DockerBuildContext,
    DockerSection,
    Environment,
    PythonSection,
    RSection,
    SparkSection,
)
from aml_jupyter.sdk.environments import ImageBuildDetails

__all__ = [
    "DEFAULT_CPU_IMAGE",
    "DEFAULT_GPU_IMAGE",
    "CondaDependencies",
    "ContainerRegistry",
    "DatabricksSection",
    "DockerBuildContext",
    "DockerSection",
    "Environment",
    "ImageBuildDetails",
    "PythonSection",
    "RSection",
    "SparkSection",
]

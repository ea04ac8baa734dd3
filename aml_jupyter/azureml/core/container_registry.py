"""Re-export the names of ``azureml.core.container_registry``."""

from __future__ import annotations

from aml_jupyter.config import ContainerRegistry

__all__ = ["ContainerRegistry"]

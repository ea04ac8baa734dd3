"""Re-export the names of ``azureml.core.compute_target`` (0.1.x's home of the exception)."""

from __future__ import annotations

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.sdk import ComputeTarget

__all__ = ["ComputeTarget", "ComputeTargetException"]

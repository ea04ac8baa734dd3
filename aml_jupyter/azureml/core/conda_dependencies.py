"""Re-export the names of ``azureml.core.conda_dependencies``."""

from __future__ import annotations

from aml_jupyter.config import CondaDependencies

__all__ = ["CondaDependencies"]

"""Re-export the names of ``azureml.core.workspace``."""

from __future__ import annotations

from aml_jupyter.sdk import Workspace

__all__ = ["Workspace"]

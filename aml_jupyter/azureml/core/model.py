"""Re-export the name of ``azureml.core.model``."""

from __future__ import annotations

from aml_jupyter.sdk import Model

__all__ = ["Model"]

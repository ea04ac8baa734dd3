"""Re-export the name of ``azureml.core.keyvault``."""

from __future__ import annotations

from aml_jupyter.sdk import Keyvault

__all__ = ["Keyvault"]

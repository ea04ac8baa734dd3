"""Re-export the names of ``azureml.core.experiment``."""

from __future__ import annotations

from aml_jupyter.sdk import Experiment

__all__ = ["Experiment"]

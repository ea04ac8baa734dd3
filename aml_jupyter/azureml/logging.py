"""Re-export the one function of 2017's ``azureml.logging``."""

from __future__ import annotations

from aml_jupyter.supervisor.client import get_azureml_logger

__all__ = ["get_azureml_logger"]

"""Re-export the names of ``azureml.core.run``."""

from __future__ import annotations

from aml_jupyter.sdk import Run, get_run

__all__ = ["Run", "get_run"]

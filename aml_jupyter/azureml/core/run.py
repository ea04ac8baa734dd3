"""Re-export the names of ``azureml.core.run``."""

from __future__ import annotations

from aml_jupyter.sdk import Run, get_run
from aml_jupyter.supervisor.client import OfflineRun as _OfflineRun
from aml_jupyter.supervisor.client import SubmittedRun as _SubmittedRun

__all__ = ["Run", "_OfflineRun", "_SubmittedRun", "get_run"]

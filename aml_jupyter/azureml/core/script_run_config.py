"""Re-export the names of ``azureml.core.script_run_config``."""

from __future__ import annotations

from aml_jupyter.config import ScriptRunConfig

__all__ = ["ScriptRunConfig"]

"""Re-export the name of ``azureml.core.script_run``: a run of a script is a run here."""

from __future__ import annotations

from aml_jupyter.sdk import Run as ScriptRun

__all__ = ["ScriptRun"]

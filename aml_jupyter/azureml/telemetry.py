"""Re-export the switch of ``azureml.telemetry``; nothing is ever sent anywhere."""

from __future__ import annotations

from aml_jupyter.supervisor.client import set_diagnostics_collection

__all__ = ["set_diagnostics_collection"]

"""Re-export the run of a sweep under the name of SDK v1's module."""

from __future__ import annotations

from aml_jupyter.sdk import HyperDriveRun

__all__ = ["HyperDriveRun"]

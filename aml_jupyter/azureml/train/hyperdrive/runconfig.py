"""Re-export what a sweep is under the name of SDK v1's module."""

from __future__ import annotations

from aml_jupyter.config.sweeps import HyperDriveConfig, PrimaryMetricGoal

HyperDriveRunConfig = HyperDriveConfig  # its name before 1.0

__all__ = ["HyperDriveConfig", "HyperDriveRunConfig", "PrimaryMetricGoal"]

"""Re-export the name of ``azureml.core.model``."""

from __future__ import annotations

from typing import Any

from aml_jupyter.azureml.unbuilt import refuse_name
from aml_jupyter.sdk import Model

__all__ = ["Model"]

UNBUILT = ["InferenceConfig", "ModelPackage", "ModelProfile"]


def __getattr__(name: str) -> Any:
    refuse_name("azureml.core.model", name, UNBUILT)

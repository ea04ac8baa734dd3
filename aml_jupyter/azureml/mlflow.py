"""Stand in for ``azureml.mlflow``: MLflow finds the workspace by its tracking URI, so there is nothing to import."""

from __future__ import annotations

__all__: list[str] = []

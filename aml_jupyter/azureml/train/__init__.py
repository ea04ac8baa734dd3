"""Hold ``azureml.train.hyperdrive``; estimators are not built yet."""

from __future__ import annotations

__all__: list[str] = []

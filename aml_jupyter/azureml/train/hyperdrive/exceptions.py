"""Re-export the exceptions of ``azureml.train.hyperdrive``: a wrong definition is a `ConfigurationError`."""

from __future__ import annotations

from aml_jupyter.errors import ConfigurationError as HyperDriveConfigException

__all__ = ["HyperDriveConfigException"]

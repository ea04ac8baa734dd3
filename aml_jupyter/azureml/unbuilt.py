"""Name what SDK v1 offers and aml-jupyter does not have yet, so that an import of it says so."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["MODULES", "refuse_module", "refuse_name"]

MODULES: dict[str, str] = {
    "azureml.contrib": "the contrib packages",
    "azureml.core.databricks": "Databricks libraries",
    "azureml.core.dataset": "datasets",
    "azureml.core.datastore": "datastores",
    "azureml.core.linked_service": "linked services",
    "azureml.data": "datastores and datasets",
    "azureml.dataprep": "data preparation",
    "azureml.interpret": "model explanation",
    "azureml.opendatasets": "open data sets",
    "azureml.pipeline": "pipelines",
    "azureml.tensorboard": "the TensorBoard bridge",
    "azureml.train": "estimators",
}
"""Module of SDK v1 -> what it is about."""

NOT_PLANNED: dict[str, str] = {
    "azureml.automl": "automated machine learning",
    "azureml.core.image": "images of models for web services",
    "azureml.core.webservice": "web services and deployments",
    "azureml.train.automl": "automated machine learning",
}
"""The same, of what is left out for good."""


def refuse_module(name: str) -> None:
    """Raise for a module that SDK v1 has and aml-jupyter lacks; return for any other name.

    Raises
    ------
    ModuleNotFoundError
        Saying that `name` is not built yet, or never will be.
    """
    for known, about in NOT_PLANNED.items():
        if name == known or name.startswith(known + "."):
            raise ModuleNotFoundError(
                f"{name} is not here, and not planned: aml-jupyter leaves {about} to others. docs/migration.md says what there "
                "is.",
                name=name,
            )
    for known, about in MODULES.items():
        if name == known or name.startswith(known + "."):
            raise ModuleNotFoundError(
                f"{name} is not built yet: aml-jupyter has no part for {about} so far. "
                "`pip install azureml-core` would not help without an Azure workspace; see CHANGELOG.md for what has come.",
                name=name,
            )


def refuse_name(module: str, name: str, known: list[str]) -> NoReturn:
    """Raise for a name that the module of SDK v1's name `module` does not have here.

    Raises
    ------
    AttributeError
        For dunder names and for names that SDK v1 does not have either.
    ImportError
        For a name of SDK v1 that is not built yet.
    """
    shown = module.removeprefix("aml_jupyter.")
    if name in known:
        raise ImportError(
            f"{shown}.{name} is not built yet in aml-jupyter {_version()}; see CHANGELOG.md for what has come",
            name=shown,
        )
    raise AttributeError(f"module {shown!r} has no attribute {name!r}")


def _version() -> str:
    return str(sys.modules["aml_jupyter"].__version__)

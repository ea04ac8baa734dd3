"""Own the curated environments: a few of our own, and which of them stands in for each of SDK v1's.

Ours are lists of packages without versions: what they are resolved to when they are first built stays, as for every other
environment. Azure's own cannot be had outside of Azure, so a name of theirs means the nearest of ours, and the run says so.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from aml_jupyter.config import CondaDependencies, Environment
from aml_jupyter.errors import UserErrorException

__all__ = ["CURATED", "Curated", "curated_environment", "is_curated_name"]

PREFIX: Final = "AmlJupyter-"
VERSION: Final = "1"


class Curated(NamedTuple):
    """Say what a curated environment holds, and what for."""

    packages: tuple[str, ...]
    about: str


CURATED: Final[dict[str, Curated]] = {
    "AmlJupyter-Minimal": Curated(("pip", "setuptools", "wheel"), "a Python with nothing but pip"),
    "AmlJupyter-DataScience": Curated(
        ("numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "pyarrow", "joblib"),
        "tables, statistics, classical models, charts",
    ),
    "AmlJupyter-Sklearn": Curated(("numpy", "pandas", "scikit-learn", "joblib"), "scikit-learn"),
    "AmlJupyter-LightGBM": Curated(
        ("numpy", "pandas", "scikit-learn", "lightgbm", "xgboost"), "gradient boosting: LightGBM and XGBoost"
    ),
    "AmlJupyter-PyTorch": Curated(
        ("numpy", "pillow", "torch", "torchvision"), "PyTorch, as PyPI has it: on Linux with CUDA, several GB"
    ),
    "AmlJupyter-TensorFlow": Curated(("numpy", "pillow", "tensorflow"), "TensorFlow with Keras"),
}
"""Name -> what it holds; every one is a virtual environment of the submitter's Python."""

_STANDS_FOR: Final[tuple[tuple[str, str], ...]] = (
    (r"minimal", "AmlJupyter-Minimal"),
    (r"tutorial|ai-studio.*|designer.*|responsibleai.*", "AmlJupyter-DataScience"),
    (r"(scikit-learn|sklearn)\b.*", "AmlJupyter-Sklearn"),
    (r"(lightgbm|xgboost)\b.*", "AmlJupyter-LightGBM"),
    (r"(acpt-)?pytorch\b.*|acpt-.*", "AmlJupyter-PyTorch"),
    (r"tensorflow\b.*", "AmlJupyter-TensorFlow"),
)
"""What stands behind ``AzureML-`` in a name of SDK v1's -> ours."""


def is_curated_name(name: str) -> bool:
    """Say whether `name` is one of SDK v1's curated environments, or of ours."""
    return name.lower().startswith(("azureml-", PREFIX.lower()))


def curated_environment(name: str, version: str | None = None) -> tuple[Environment, tuple[str, ...]]:
    """Return the curated environment `name`, and what is to be said about it.

    Parameters
    ----------
    name : str
        One of ours, or one of SDK v1's (``AzureML-...``), whatever its case.
    version : str, optional
        A version of SDK v1's decides nothing, and that is said.

    Raises
    ------
    UserErrorException
        When none of ours is like it.
    """
    lowered = {known.lower(): known for known in CURATED}
    ours = lowered.get(name.lower())
    notes: tuple[str, ...] = ()
    if ours is None and name.lower().startswith("azureml-"):
        rest = name[len("azureml-") :].lower()
        ours = next((known for pattern, known in _STANDS_FOR if re.fullmatch(pattern, rest)), None)
        if ours is not None:
            packages = ", ".join(CURATED[ours].packages)
            asked = f"{name}:{version}" if version else name
            note = (
                f"{asked} is an environment of Azure's, which cannot be had here; {ours} stands in for it: the newest "
                f"{packages} for the Python that you submit from"
            )
            notes = (note,)
    if ours is None:
        listed = "; ".join(f"{known} ({entry.about})" for known, entry in CURATED.items())
        raise UserErrorException(
            f"There is no curated environment {name!r}, and none that could stand in for it. There are: {listed}. "
            "Environment.from_conda_specification and from_pip_requirements make one of your own.",
            "environment",
        )
    return _environment(ours), notes


def _environment(name: str) -> Environment:
    made = Environment(name)
    made.version = VERSION
    made.environment_variables = {}
    made.python.conda_dependencies = CondaDependencies.from_dict(
        {"name": "project_environment", "dependencies": [{"pip": list(CURATED[name].packages)}]}
    )
    return made

"""Submit a notebook cell, a script, a notebook or a folder to a compute target, and follow the run from Jupyter.

The public names are imported when they are first used (PEP 562), so that ``import aml_jupyter`` costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` alone costs more than the rest of this module
if TYPE_CHECKING:
    from typing import Any

    from aml_jupyter.config import (
        CondaDependencies,
        DockerConfiguration,
        Environment,
        RunConfiguration,
        ScriptRunConfig,
    )
    from aml_jupyter.config.sweeps import (
        AshaPolicy,
        BanditPolicy,
        BayesianParameterSampling,
        GridParameterSampling,
        HyperbandPolicy,
        HyperDriveConfig,
        MedianStoppingPolicy,
        NoTerminationPolicy,
        PrimaryMetricGoal,
        RandomParameterSampling,
        TruncationSelectionPolicy,
        choice,
        lognormal,
        loguniform,
        normal,
        qlognormal,
        qloguniform,
        qnormal,
        quniform,
        randint,
        uniform,
    )
    from aml_jupyter.errors import (
        ActivityFailedException,
        AmlError,
        ComputeTargetException,
        ConfigurationError,
        ExperimentExecutionException,
        ModelException,
        RunEnvironmentException,
        ServiceException,
        SnapshotException,
        UserErrorException,
        WorkspaceException,
    )
    from aml_jupyter.sdk import ComputeInstance, ComputeTarget, Experiment, LocalCompute, Model, Run, Workspace

__version__ = "0.1.0"

__all__ = [
    "ActivityFailedException",
    "AmlError",
    "AshaPolicy",
    "BanditPolicy",
    "BayesianParameterSampling",
    "ComputeInstance",
    "ComputeTarget",
    "ComputeTargetException",
    "CondaDependencies",
    "ConfigurationError",
    "DockerConfiguration",
    "Environment",
    "Experiment",
    "ExperimentExecutionException",
    "GridParameterSampling",
    "HyperDriveConfig",
    "HyperbandPolicy",
    "LocalCompute",
    "MedianStoppingPolicy",
    "Model",
    "ModelException",
    "NoTerminationPolicy",
    "PrimaryMetricGoal",
    "RandomParameterSampling",
    "Run",
    "RunConfiguration",
    "RunEnvironmentException",
    "ScriptRunConfig",
    "ServiceException",
    "SnapshotException",
    "TruncationSelectionPolicy",
    "UserErrorException",
    "Workspace",
    "WorkspaceException",
    "choice",
    "lognormal",
    "loguniform",
    "normal",
    "qlognormal",
    "qloguniform",
    "qnormal",
    "quniform",
    "randint",
    "uniform",
]

_CONFIG = {"CondaDependencies", "DockerConfiguration", "Environment", "RunConfiguration", "ScriptRunConfig"}
_SWEEPS = {
    "AshaPolicy",
    "BanditPolicy",
    "BayesianParameterSampling",
    "GridParameterSampling",
    "HyperDriveConfig",
    "HyperbandPolicy",
    "MedianStoppingPolicy",
    "NoTerminationPolicy",
    "PrimaryMetricGoal",
    "RandomParameterSampling",
    "TruncationSelectionPolicy",
    "choice",
    "lognormal",
    "loguniform",
    "normal",
    "qlognormal",
    "qloguniform",
    "qnormal",
    "quniform",
    "randint",
    "uniform",
}
_SDK = {"ComputeInstance", "ComputeTarget", "Experiment", "LocalCompute", "Model", "Run", "Workspace"}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in __all__:
        raise AttributeError(f"module 'aml_jupyter' has no attribute {name!r}")
    from importlib import import_module

    rooms = {"config": _CONFIG, "config.sweeps": _SWEEPS, "sdk": _SDK}
    room = next((room for room, names in rooms.items() if name in names), "errors")
    value = getattr(import_module(f"aml_jupyter.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """Register the magics: what ``%load_ext aml_jupyter`` calls."""
    from aml_jupyter.jupyter import load_ipython_extension as load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take the magics out again: what ``%unload_ext aml_jupyter`` calls."""
    from aml_jupyter.jupyter import unload_ipython_extension as unload

    unload(shell)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server which module hosts the extension; the package's data file enables it."""
    from aml_jupyter.jupyter.server import extension_points

    return extension_points()

"""The public surface is frozen here: a name that is added or lost shows up in this file."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import aml_jupyter

PUBLIC = [
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
HEAVY = {"IPython", "docker", "ipywidgets", "jupyter_server", "keyring", "numpy", "papermill", "paramiko"}


def test_the_public_names() -> None:
    assert aml_jupyter.__all__ == PUBLIC == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(aml_jupyter))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_a_class_or_an_expression_of_ours_with_a_text(name: str) -> None:
    member = getattr(aml_jupyter, name)
    assert isinstance(member, type) == name[0].isupper()
    assert callable(member)
    assert member.__module__.startswith("aml_jupyter.")
    assert (member.__doc__ or "").strip()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Runs'"):
        aml_jupyter.Runs


@pytest.mark.parametrize("room", ["config", "config.sweeps", "sdk", "service", "targets", "views", "workspace"])
def test_a_room_names_its_public_classes_in_order(room: str) -> None:
    module = import_module(f"aml_jupyter.{room}")
    assert list(module.__all__) == sorted(module.__all__, key=_as_ruff_sorts)
    for name in module.__all__:
        assert getattr(module, name) is not None, name


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_importing_the_package_imports_nothing_heavy_and_takes_no_time() -> None:
    text = (
        "import sys, time; before = set(sys.modules); start = time.process_time(); import aml_jupyter; "
        "print((time.process_time() - start) * 1000); print(*(set(sys.modules) - before))"
    )
    taken = []
    for _ in range(3):
        time, modules = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        taken.append(float(time))
    assert {"aml_jupyter", "__future__"} >= set(modules.split())
    assert min(taken) < 60  # milliseconds


def test_the_object_model_imports_nothing_heavy_but_the_database() -> None:
    text = "import sys, aml_jupyter.sdk; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.split()
    assert HEAVY & set(loaded) == set()

"""Whatever is handed in, the answer is an error of ours that says what was expected; nothing is queued."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter import ComputeInstance, ComputeTarget, Experiment, Run, ScriptRunConfig, Workspace
from aml_jupyter.errors import AmlError
from aml_jupyter.workspace import find_runs

WRONG: list[Any] = [5, 5.5, b"x", [1], {"a": 1}, object(), "a b", "a\0b", "\ud800", "x" * 300, True, lambda: 1]


def _name_of(value: Any) -> str:
    """Return the value's text without an address: tests are called the same each time."""
    return re.sub(r" at 0x[0-9a-f]+", "", ascii(value))


@pytest.mark.parametrize("wrong", WRONG, ids=_name_of)
def test_names_and_ids(ws: Workspace, experiment: Experiment, wrong: Any) -> None:
    instance = ComputeInstance.provisioning_configuration("STANDARD_D2")
    doors = [
        lambda: Experiment(ws, wrong),
        lambda: Experiment(wrong, "x"),
        lambda: Run(experiment, wrong),
        lambda: Run.get(ws, wrong),
        lambda: ComputeTarget(ws, wrong),
        lambda: ComputeTarget.create(ws, wrong, instance),
        lambda: ComputeTarget.create(ws, "abc", wrong),
        lambda: Workspace.get(wrong),
        lambda: Workspace.create(wrong),
        lambda: experiment.submit(wrong),
        lambda: experiment.start_logging(run_id=wrong),
    ]
    for door in doors:
        with pytest.raises(AmlError):
            door()


@pytest.mark.parametrize("wrong", [5.5, b"x", [1], {1: object()}, object(), "a\0b", "\ud800", "x" * 300], ids=_name_of)
@pytest.mark.parametrize("field", ["source_directory", "script", "environment", "run_config", "distributed_job_config"])
def test_script_run_configs(ws: Workspace, experiment: Experiment, tmp_path: Path, field: str, wrong: Any) -> None:
    (tmp_path / "train.py").touch()
    with pytest.raises(AmlError):
        experiment.submit(ScriptRunConfig(**{"source_directory": str(tmp_path), "script": "train.py", field: wrong}))
    assert find_runs(ws.folder.store.read()) == []


@pytest.mark.parametrize("wrong", [5, [1], object(), "x" * 300, "\ud800"], ids=_name_of)
@pytest.mark.parametrize("option", ["display_name", "tags"])
def test_options_of_a_submit(ws: Workspace, experiment: Experiment, tmp_path: Path, option: str, wrong: Any) -> None:
    (tmp_path / "train.py").touch()
    with pytest.raises(AmlError):
        experiment.submit(ScriptRunConfig(str(tmp_path), "train.py"), **{option: wrong})
    assert find_runs(ws.folder.store.read()) == []
    assert not list(ws.folder.layout.runs.iterdir())


@pytest.mark.parametrize("wrong", [5, b"x", [1], object(), "a\0b"], ids=_name_of)
@pytest.mark.parametrize("option", ["display_name", "tags", "outputs", "snapshot_directory"])
def test_options_of_start_logging(ws: Workspace, experiment: Experiment, option: str, wrong: Any) -> None:
    with pytest.raises(AmlError):
        experiment.start_logging(**{option: wrong})
    assert find_runs(ws.folder.store.read()) == []

"""Sweeps are followed row by row, and made in portions: a service that starts anew in the middle finds the same."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from support import until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.config.sweeps import HyperDriveConfig, RandomParameterSampling, uniform
from aml_jupyter.hyperdrive import Sampler
from aml_jupyter.sdk import Experiment, Workspace
from aml_jupyter.service import cancel_run, create_target, ensure_service, service_status, stop_target
from aml_jupyter.service.sweep_rows import SweepRows
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, find_runs, get_run, latest_event
from aml_jupyter.workspace.events import subjects_since

FAILS_AT_TIMES = """
import argparse, time
from azureml.core import Run
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
number = int(Run.get_context().id.rpartition("_")[2])
for step in range(2):
    Run.get_context().log("loss", parser.parse_args().x / (step + 1))
if number % 2:
    raise SystemExit("an odd one")
"""


@pytest.fixture
def experiment(folder: WorkspaceFolder) -> Experiment:
    return Experiment(Workspace(folder), "sweeps")


def configure(project: Path, **changes: Any) -> HyperDriveConfig:
    (project / "train.py").write_text(FAILS_AT_TIMES)
    given: dict[str, Any] = {
        "hyperparameter_sampling": RandomParameterSampling({"--x": uniform(0, 1)}, seed=3),
        "primary_metric_name": "loss",
        "primary_metric_goal": "minimize",
        "run_config": ScriptRunConfig(str(project), "train.py"),
    }
    return HyperDriveConfig(**{**given, **changes})


def children(folder: WorkspaceFolder, run_id: str) -> list[RunRecord]:
    return sorted(find_runs(folder.store.read(), parent=run_id), key=lambda run: int(run.id.rpartition("_")[2]))


def _told(rows: SweepRows) -> Any:
    ended = rows.ended
    return rows.open, ended.numbers, ended.trials, ended.curves, ended.failed, ended.has_completed, ended.without_metric


def test_rows_that_are_followed_say_what_rows_read_anew_say(
    folder: WorkspaceFolder, experiment: Experiment, project: Path
) -> None:
    """So a service that is killed in the middle goes on as the one before would have."""
    config = configure(project, max_total_runs=14, max_concurrent_runs=3)
    run = experiment.submit(config)
    newest = latest_event(folder.store.read())
    rows = SweepRows(folder, get_run(folder.store.read(), run.id))
    looks = 0

    def has_ended() -> bool:
        nonlocal newest, looks
        newest, subjects = subjects_since(folder.store.read(), newest)
        assert subjects is not None
        looks += rows.refresh(subjects)
        return get_run(folder.store.read(), run.id).status == "Completed"

    until(has_ended, 120)
    has_ended()
    anew = SweepRows(folder, get_run(folder.store.read(), run.id))
    assert _told(rows) == _told(anew)
    assert looks > 3 and rows.ended.numbers == set(range(14)) and rows.ended.failed == 7
    assert [len(curve.values) for curve in rows.ended.curves] == [2] * 14
    assert rows.ended.common_cause() == anew.ended.common_cause() != ""

    after = experiment.submit(configure(project, max_total_runs=1, resume_from=[run.id]))
    rows = SweepRows(folder, get_run(folder.store.read(), after.id))
    assert rows.prior == anew.ended.trials
    assert [curve.child for curve in rows.prior_curves] == list(range(-14, 0))
    assert [curve.values for curve in rows.prior_curves] == [curve.values for curve in anew.ended.curves]
    cancel_run(folder, after.id)


def _has_gone(folder: WorkspaceFolder, pid: int) -> bool:
    status = service_status(folder)
    return status is None or not status.alive or status.pid != pid


def test_children_that_all_wait_are_made_in_portions_and_a_kill_between_them_loses_none(
    folder: WorkspaceFolder, experiment: Experiment, project: Path
) -> None:
    create_target(folder, "halted", "computeinstance", {"max_parallel": 2})
    stop_target(folder, "halted")
    config = configure(project, max_total_runs=170, max_concurrent_runs=None)
    config.run_config.run_config.target = "halted"
    run = experiment.submit(config)
    until(lambda: len(children(folder, run.id)) >= 1, 60)
    status = service_status(folder)
    assert status is not None and status.alive
    os.kill(status.pid, signal.SIGKILL)
    until(lambda: _has_gone(folder, status.pid), 30)
    ensure_service(folder)
    until(lambda: len(children(folder, run.id)) == 170, 60)
    found = children(folder, run.id)
    assert [child.id for child in found] == [f"{run.id}_{number}" for number in range(170)]
    sampler = Sampler(config.hyperparameter_sampling, "minimize", 0)
    drawn = [json.loads(child.properties["hyperparameters"]) for child in found]
    assert drawn == [sampler.suggest([], [], number) for number in range(170)]
    cancel_run(folder, run.id)
    until(lambda: {child.status for child in children(folder, run.id)} == {"Canceled"}, 60)

"""`aml run submit-hyperdrive`: where its file is found, what it runs, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aml_jupyter.errors import UserErrorException
from aml_jupyter.workspace import WorkspaceFolder, find_runs

from .conftest import Aml

TUNED = """
import argparse
from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--penalty", type=float)
parser.add_argument("--kind", default="plain")
arguments = parser.parse_args()
Run.get_context().log("Accuracy", 1 / arguments.penalty)
"""
SWEEP = """
sampling:
    type: grid
    parameter_space:
    - name: --penalty
      expression: choice
      values: [0.5, 1]
policy: {type: BanditPolicy, slack_factor: 0.2}
primary_metric_name: Accuracy
primary_metric_goal: Maximize
max_total_runs: 2
max_concurrent_runs: 2
"""
NAMED = "--hyperdrive-configuration-name"


@pytest.fixture
def tuned(project: Path) -> Path:
    (project / "my_train.py").write_text(TUNED)
    (project / ".azureml").mkdir()
    (project / ".azureml" / "hdconfig.yml").write_text(SWEEP)
    return project


@pytest.mark.usefixtures("tuned")
def test_a_sweep_is_run_to_its_end_and_its_best_child_is_said(aml: Aml, folder: WorkspaceFolder) -> None:
    outcome = aml(
        "run", "submit-hyperdrive", "-e", "E", "-c", "local", NAMED, "hdconfig", "my_train.py", "--kind", "x y"
    )
    assert outcome.code == 0, outcome.err
    (sweep,) = find_runs(folder.store.read())
    assert outcome.out.splitlines()[0] == sweep.id
    assert outcome.out.splitlines()[-1] == f"best: {sweep.id}_0  Accuracy = 2  --penalty 0.5"
    assert (sweep.experiment, sweep.kind, sweep.status) == ("E", "hyperdrive", "Completed")
    children = find_runs(folder.store.read(), parent=sweep.id)
    assert [child.definition["arguments"] for child in children] == [
        ["--kind", "x y", "--penalty", "1"],
        ["--kind", "x y", "--penalty", "0.5"],
    ]
    assert "2 children have ended" in aml("run", "show", sweep.id).out


@pytest.mark.usefixtures("tuned")
def test_it_returns_at_once_with_async_and_writes_what_it_started(aml: Aml, tmp_path: Path) -> None:
    metadata = tmp_path / "run.json"
    outcome = aml("run", "submit-hyperdrive", NAMED, ".azureml/hdconfig.yml", "--async", "-t", metadata, "my_train.py")
    run_id = outcome.out.strip()
    assert outcome.code == 0 and run_id.startswith("HD_") and json.loads(metadata.read_text())["runId"] == run_id
    assert aml("run", "wait", run_id).code == 0


def test_files_of_one_name_are_listed_and_none_is_taken(aml: Aml, tuned: Path) -> None:
    (tuned / "aml_config").mkdir()
    (tuned / "aml_config" / "hdconfig.yml").write_text(SWEEP)
    outcome = aml("run", "submit-hyperdrive", NAMED, "hdconfig", "my_train.py")
    assert outcome.code == 2
    assert ".azureml/hdconfig.yml" in outcome.err and "aml_config/hdconfig.yml" in outcome.err
    assert "found 2" in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["my_train.py"], "--hyperdrive-configuration-name"),
        ([NAMED, "hdconfg.yml", "my_train.py"], "did you mean hdconfig.yml"),
        ([NAMED, "hdconfig.yml", "my_train.py", "--penalty", "3"], "'--penalty' stands in the arguments"),
        ([NAMED, "hdconfig.yml", "other.py"], "other.py"),
        ([NAMED, "bad.yml", "my_train.py"], "bad.yml, line 2, sampling.type"),
        ([NAMED, "hdconfig.yml"], "what to run is missing"),
    ],
)
def test_mistakes_are_one_line_and_start_nothing(
    aml: Aml, tuned: Path, folder: WorkspaceFolder, words: list[str], said: str
) -> None:
    (tuned / "bad.yml").write_text(SWEEP.replace("grid", "girdd").strip() + "\n")
    outcome = aml("run", "submit-hyperdrive", *words)
    assert outcome.code == 2
    assert said in outcome.err and outcome.err.count("\n") == 1
    assert not find_runs(folder.store.read())


@pytest.mark.usefixtures("tuned")
def test_a_script_is_tuned_by_a_line_and_a_line_wins_over_the_file(aml: Aml, folder: WorkspaceFolder) -> None:
    said = ["--metric", "Accuracy", "--goal", "maximize", "--max-runs", "1", "--policy", "median"]
    outcome = aml("run", "submit-hyperdrive", "--sweep", "penalty=choice(0.25)", *said, "my_train.py")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1].endswith("_0  Accuracy = 4  --penalty 0.25")
    config = find_runs(folder.store.read())[0].definition["sweep"]["config"]
    assert config["policy_config"]["name"] == "MedianStopping"
    outcome = aml(
        "run", "submit-hyperdrive", NAMED, "hdconfig.yml", "--goal", "minimize", "--max-runs", "1", "my_train.py"
    )
    config = find_runs(folder.store.read())[0].definition["sweep"]["config"]
    assert (config["primary_metric_config"]["goal"], config["max_total_jobs"]) == ("minimize", 1)


@pytest.mark.usefixtures("tuned")
def test_a_metric_of_another_name_is_named(aml: Aml, folder: WorkspaceFolder) -> None:
    outcome = aml("run", "submit-hyperdrive", NAMED, "hdconfig.yml", "--metric", "accuracy", "my_train.py")
    assert outcome.code == 0
    assert "no child has logged 'accuracy': they have logged Accuracy; did you mean Accuracy?" in outcome.err


def test_what_is_seldom_meant_is_a_note(aml: Aml, tuned: Path) -> None:
    (tuned / "few.yml").write_text(SWEEP.replace("max_total_runs: 2", "max_total_runs: 1"))
    outcome = aml("run", "submit-hyperdrive", NAMED, "few.yml", "my_train.py")
    assert outcome.code == 0
    assert "note: max_total_runs: 1. The grid has 2 points; the last 1 are not run." in outcome.err


def test_a_notebook_gets_its_parameters_by_name(aml: Aml, tuned: Path, folder: WorkspaceFolder) -> None:
    cells = [
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "penalty = 9", "outputs": []},
        {
            "cell_type": "code",
            "metadata": {},
            "source": "from aml_jupyter import Run; Run.get_context().log('Accuracy', penalty)",
            "outputs": [],
        },
    ]
    for cell in cells:
        cell["execution_count"] = None
    content = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    content["metadata"] = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    (tuned / "train.ipynb").write_text(json.dumps(content))
    outcome = aml("run", "submit-hyperdrive", NAMED, "hdconfig.yml", "train.ipynb")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1].endswith("_1  Accuracy = 1  --penalty 1")
    (sweep,) = find_runs(folder.store.read())
    children = find_runs(folder.store.read(), parent=sweep.id)
    assert [child.definition["parameters"] for child in children] == [{"penalty": 1}, {"penalty": 0.5}]
    (tuned / "hdconfig2.yml").write_text(SWEEP.replace("--penalty", "--nosuch"))
    refused = aml("run", "submit-hyperdrive", NAMED, "hdconfig2.yml", "train.ipynb")
    assert refused.code == 2 and "has no parameter 'nosuch'" in refused.err


def test_the_line_is_complete_in_its_help(aml: Aml) -> None:
    outcome = aml("run", "submit-hyperdrive", "--help")
    assert outcome.code == 0
    for option in ("-e", "-c", NAMED, "--sweep", "--async", "--output-metadata-file", "--source-directory"):
        assert option in outcome.out


def test_a_name_that_is_no_variable_is_refused_for_a_cell() -> None:
    from aml_jupyter.config.sweeps import variable_names

    assert variable_names(["--learning-rate", "x"]) == {"--learning-rate": "learning_rate", "x": "x"}
    with pytest.raises(UserErrorException, match="'lambda' cannot be the name"):
        variable_names(["--lambda"])
    with pytest.raises(UserErrorException, match="as --a-b is"):
        variable_names(["--a-b", "--a_b"])

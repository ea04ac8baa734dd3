"""``%%aml_submit --sweep FILE``: a cell is run once for each sample, with its parameters as variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError

from aml_jupyter.workspace import WorkspaceFolder, find_runs, get_run

SWEEP = """
sampling:
  type: grid
  parameter_space:
  - {name: --penalty, expression: choice, values: [0.5, 1]}
  - {name: --step-size, expression: choice, values: [3]}
primary_metric_name: Accuracy
primary_metric_goal: Minimize
max_total_runs: 2
max_concurrent_runs: 1
"""
CELL = """
from aml_jupyter import Run
assert step_size == 3
score = sum(rows) * penalty
Run.get_context().log("Accuracy", score)
"""


@pytest.fixture
def file(project: Path) -> Path:
    path = project / "hdconfig.yml"
    path.write_text(SWEEP)
    return path


@pytest.mark.usefixtures("file")
def test_a_cell_is_tuned_with_values_sent_and_the_best_ones_brought_back(shell: Any, folder: WorkspaceFolder) -> None:
    shell.user_ns["rows"] = [1, 2, 3]
    shell.run_cell_magic("aml_submit", "--sweep hdconfig.yml -i rows -o score,penalty --name tuned --wait", CELL)
    assert shell.user_ns["score"] == 3.0
    assert shell.user_ns["penalty"] == 0.5
    handle = shell.user_ns["tuned"]
    assert (
        handle.get_best_run_by_primary_metric().id == handle.run.get_best_run_by_primary_metric().id == f"{handle.id}_0"
    )
    assert handle.get_hyperparameters().keys() == {f"{handle.id}_0", f"{handle.id}_1"}
    assert "get_children_sorted_by_primary_metric" in dir(handle)
    with pytest.raises(AttributeError, match="'RunHandle' object has no attribute 'get_best'"):
        handle.get_best()
    assert handle.run.get_metrics() == {f"{handle.id}_0": {"Accuracy": 3.0}, f"{handle.id}_1": {"Accuracy": 6}}
    children = find_runs(folder.store.read(), parent=handle.id)
    assert [child.definition["parameters"] for child in children] == [
        {"penalty": 1, "step_size": 3},
        {"penalty": 0.5, "step_size": 3},
    ]
    again = handle.run.get_best_run_by_primary_metric().resubmit()
    again.wait_for_completion()
    assert again.get_metrics() == {"Accuracy": 3.0}
    definition = get_run(folder.store.read(), again.id).definition
    assert "values_of" not in definition and definition["parameters"]["penalty"] == 0.5


def test_a_cell_that_is_tuned_further_has_its_values(shell: Any) -> None:
    shell.user_ns["rows"] = [1, 2, 3]
    line = "--sweep x=uniform(0,1) --metric score --goal minimize --max-runs 1 -i rows --name tuned --wait"
    shell.run_cell_magic("aml_submit", line, "from aml_jupyter import Run\nRun.get_context().log('score', sum(rows))")
    further = shell.user_ns["tuned"].run.extend(max_total_runs=2)
    further.wait_for_completion()
    assert further.get_metrics() == {f"{further.id}_0": {"score": 6}}


def test_a_cell_is_tuned_by_a_line(shell: Any, folder: WorkspaceFolder) -> None:
    line = "--sweep 'x=choice(1, 2) y=choice(3)' --metric Accuracy --goal minimize --sampling grid --max-runs 5 --wait"
    shell.run_cell_magic(
        "aml_submit",
        f"{line} -o x --name tuned",
        "from aml_jupyter import Run\nRun.get_context().log('Accuracy', x * y)",
    )
    tuned = shell.user_ns["tuned"]
    assert shell.user_ns["x"] == 1
    assert tuned.run.hyperdrive_config["max_total_jobs"] == 5
    assert sorted(values["Accuracy"] for values in tuned.run.get_metrics().values()) == [3, 6]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--sweep x=choice(1)", "--metric is missing"),
        ("--sweep x=choice(1) --metric a", "--goal is missing"),
        ("--sweep x=choice(1) --metric a --goal up", "goal"),
        ("--sweep x=choice(1) --metric a --goal maximize --sampling beyesian", "did you mean bayesian"),
        ("--sweep x=choice(1) --metric a --goal maximize --max-runs 0", "max_total_runs"),
        ("--sweep x=uniform(0,1) --metric a --goal maximize --sampling grid", "takes choice"),
        ("--sweep hdconfig.yml --sampling grid", "a file says it itself"),
        ("--metric a", "--metric goes with --sweep"),
        ("--sweep nosuch.yml", "nosuch.yml"),
        ("--sweep hdconfig.yml -p penalty=3", "penalty is given twice"),
        ("--sweep hdconfig.yml -i penalty", "penalty is given twice"),
        ("--sweep lambda.yml", "cannot be the name"),
    ],
)
def test_mistakes_start_nothing(shell: Any, folder: WorkspaceFolder, file: Path, line: str, said: str) -> None:
    (file.parent / "lambda.yml").write_text(SWEEP.replace("--step-size", "--lambda"))
    shell.user_ns["penalty"] = 1
    with pytest.raises(UsageError, match=said):
        shell.run_cell_magic("aml_submit", line, "pass")
    assert not find_runs(folder.store.read())

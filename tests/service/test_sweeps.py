"""Sweeps from submit to end, by a real service; killed on the way, it goes on."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support import until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.config.sweeps import (
    BanditPolicy,
    BayesianParameterSampling,
    GridParameterSampling,
    HyperDriveConfig,
    RandomParameterSampling,
    choice,
    uniform,
)
from aml_jupyter.errors import UserErrorException
from aml_jupyter.sdk import Experiment, HyperDriveRun, Workspace
from aml_jupyter.service import (
    cancel_run,
    ensure_service,
    resubmit_run,
    service_status,
    wait_for_run,
)
from aml_jupyter.views.sweep import sweep_view
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    find_run,
    find_runs,
    get_run,
    rebuild_workspace,
    verify_workspace,
)
from aml_jupyter.workspace.states import FINAL

LOGS = """
import argparse, sys, time
from azureml.core import Run
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--kind", default="a")
parser.add_argument("--steps", type=int, default=1)
args = parser.parse_args()
open({ledger!r}, "a").write("%s %s\\n" % (args.x, args.kind))
for _ in range(args.steps):
    Run.get_context().log("loss", (args.x - 0.3) ** 2 + 0.1)
    time.sleep({pause})
"""


@pytest.fixture
def experiment(folder: WorkspaceFolder) -> Experiment:
    return Experiment(Workspace(folder), "sweeps")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def configure(project: Path, ledger: Path) -> Any:
    def make(pause: float = 0.0, text: str = LOGS, arguments: Any = (), **changes: Any) -> HyperDriveConfig:
        (project / "train.py").write_text(text.format(ledger=str(ledger), pause=pause) if "{" in text else text)
        given: dict[str, Any] = {
            "hyperparameter_sampling": RandomParameterSampling({"--x": uniform(0, 1)}, seed=3),
            "primary_metric_name": "loss",
            "primary_metric_goal": "minimize",
            "max_total_runs": 4,
            "max_concurrent_runs": 2,
            "run_config": ScriptRunConfig(str(project), "train.py", list(arguments)),
        }
        return HyperDriveConfig(**{**given, **changes})

    return make


def children(folder: WorkspaceFolder, run_id: str) -> list[RunRecord]:
    return sorted(find_runs(folder.store.read(), parent=run_id), key=lambda run: int(run.id.rpartition("_")[2]))


def test_a_grid_is_run_and_the_best_child_is_found(
    folder: WorkspaceFolder, experiment: Experiment, configure: Any, ledger: Path
) -> None:
    space = {"--x": choice(0.1, 0.3), "--kind": choice("a", "b c")}
    run = experiment.submit(configure(hyperparameter_sampling=GridParameterSampling(space), max_total_runs=9))
    assert isinstance(run, HyperDriveRun) and run.id.startswith("HD_")
    ended = wait_for_run(folder, run.id, timeout=120)
    assert (ended.status, ended.reason) == ("Completed", "the parameter space has no more than 4 combinations")
    found = children(folder, run.id)
    assert [child.id for child in found] == [f"{run.id}_{number}" for number in range(4)]
    assert {child.status for child in found} == {"Completed"}
    assert len({child.snapshot for child in [*found, ended]}) == 1
    assert Counter(ledger.read_text().splitlines()) == Counter(["0.1 a", "0.1 b c", "0.3 a", "0.3 b c"])
    best = run.get_best_run_by_primary_metric()
    assert best is not None and json.loads(run.get_hyperparameters()[best.id])["--x"] == 0.3
    ordered = run.get_children_sorted_by_primary_metric()
    assert [round(entry["best_primary_metric"], 3) for entry in ordered] == [0.1, 0.1, 0.14, 0.14]
    assert run.get_metrics()[best.id] == {"loss": pytest.approx(0.1)}
    assert len(run.get_children_sorted_by_primary_metric(top=1, reverse=True)) == 1


def test_a_policy_stops_a_child_and_says_why_on_it(
    folder: WorkspaceFolder, experiment: Experiment, configure: Any
) -> None:
    space = {"--x": choice(0.3, 0.9)}
    config = configure(
        pause=0.3,
        arguments=["--steps", "60"],
        hyperparameter_sampling=GridParameterSampling(space),
        policy=BanditPolicy(slack_factor=0.2, delay_evaluation=2),
        max_total_runs=2,
    )
    run = experiment.submit(config)
    until(lambda: any(child.cancel_requested for child in children(folder, run.id)), 60)
    good, bad = children(folder, run.id)
    assert bad.cancel_requested and not good.cancel_requested
    until(lambda: get_run(folder.store.read(), bad.id).status == "Canceled", 30)
    reason = get_run(folder.store.read(), bad.id).reason
    assert "Bandit: best so far 0.46 at interval" in reason and "the limit is 0.12" in reason
    cancel_run(folder, run.id)
    until(lambda: get_run(folder.store.read(), good.id).status == "Canceled", 30)
    assert get_run(folder.store.read(), run.id).status == "Canceled"


def _is_served_by(folder: WorkspaceFolder, pid: int) -> bool:
    """Say whether a service that was killed still holds its lock: until then nobody starts another one."""
    status = service_status(folder)
    return status is not None and status.alive and status.pid == pid


def test_a_service_that_is_killed_goes_on_where_it_was(
    folder: WorkspaceFolder, experiment: Experiment, configure: Any, ledger: Path
) -> None:
    sampling = BayesianParameterSampling({"--x": uniform(0, 1)}, seed=3)
    run = experiment.submit(
        configure(pause=0.2, hyperparameter_sampling=sampling, max_total_runs=14, max_concurrent_runs=3)
    )
    for count in (1, 4, 8):
        until(lambda count=count: len(children(folder, run.id)) >= count, 60)  # type: ignore[misc]
        status = service_status(folder)
        if status is not None and status.alive:
            os.kill(status.pid, signal.SIGKILL)
            until(lambda pid=status.pid: not _is_served_by(folder, pid), 20)  # type: ignore[misc]
        ensure_service(folder)
    assert wait_for_run(folder, run.id, timeout=150).status == "Completed"
    found = children(folder, run.id)
    assert [child.id for child in found] == [f"{run.id}_{number}" for number in range(14)]
    assert {child.status for child in found} == {"Completed"}
    lines = ledger.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 14
    assert verify_workspace(folder).problems == []


def test_a_sweep_whose_children_all_fail_ends_with_the_cause(
    folder: WorkspaceFolder, experiment: Experiment, configure: Any
) -> None:
    run = experiment.submit(configure(text="import nothing_of_that_name\n", max_total_runs=30))
    ended = wait_for_run(folder, run.id, timeout=120)
    assert ended.status == "Failed"
    assert "children all failed" in ended.reason and "nothing_of_that_name" in str(ended.error)
    assert 5 <= len(children(folder, run.id)) <= 8


def test_a_metric_of_another_case_is_noticed(folder: WorkspaceFolder, experiment: Experiment, configure: Any) -> None:
    run = experiment.submit(
        configure(pause=1.0, primary_metric_name="Loss", arguments=["--steps", "5"], max_total_runs=1)
    )
    until(lambda: "did you mean loss?" in get_run(folder.store.read(), run.id).reason, 40)
    assert get_run(folder.store.read(), run.id).status == "Running"
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"


def test_a_rebuild_knows_a_sweep_and_its_children(
    folder: WorkspaceFolder, experiment: Experiment, configure: Any
) -> None:
    run = experiment.submit(configure(max_total_runs=2))
    wait_for_run(folder, run.id, timeout=60)
    before = [(child.id, child.status, child.properties) for child in children(folder, run.id)]
    from aml_jupyter.service import stop_service

    stop_service(folder)
    root = folder.root
    experiment.workspace.folder.close()
    folder.close()
    rebuild_workspace(root)
    again = WorkspaceFolder.open(root)
    assert get_run(again.store.read(), run.id).status == "Completed"
    assert get_run(again.store.read(), run.id).kind == "hyperdrive"
    assert [(child.id, child.status, child.properties) for child in children(again, run.id)] == before
    again.close()


def test_what_is_wrong_is_refused_before_anything_is_copied(
    folder: WorkspaceFolder, experiment: Experiment, configure: Any, project: Path
) -> None:
    config = configure()
    (project / "train.py").unlink()
    with pytest.raises(UserErrorException, match="script path doesn't exist"):
        experiment.submit(config)
    late = configure()
    late.run_config.arguments = ["--x", "1"]
    with pytest.raises(UserErrorException, match=r"parameter_space\.--x: '--x' stands in the arguments"):
        experiment.submit(late)
    assert find_runs(folder.store.read(), children=True) == []


def test_a_sweep_is_paused_added_to_extended_and_gone_on_with(
    folder: WorkspaceFolder, experiment: Experiment, configure: Any, ledger: Path
) -> None:
    run = experiment.submit(configure(pause=0.3, arguments=["--steps", "3"], max_total_runs=2, max_concurrent_runs=1))
    run.pause()
    run.add_child({"x": 7.5})
    run.extend(max_total_runs=3)
    with pytest.raises(UserErrorException, match="whole number from 1"):
        run.extend(max_total_runs=0)
    until(lambda: all(child.status in ("Completed", "NotStarted") for child in children(folder, run.id)), 60)
    there = len(children(folder, run.id))  # one that ran, and one made ahead, or fewer where the pause came first
    assert there <= 2 and get_run(folder.store.read(), run.id).status == "Running"
    run.resume()
    assert wait_for_run(folder, run.id, timeout=90).status == "Completed"
    found = children(folder, run.id)
    assert [child.status for child in found] == ["Completed"] * 4
    by_hand = [child for child in found if child.properties.get("aml.chosen") == "by hand"]
    assert [json.loads(child.properties["hyperparameters"]) for child in by_hand] == [{"--x": 7.5}]
    assert int(by_hand[0].id.rpartition("_")[2]) == there
    assert run.hyperdrive_config["max_total_jobs"] == 3
    with pytest.raises(UserErrorException, match="has ended"):
        run.pause()
    with pytest.raises(UserErrorException, match="leaves nothing to run"):
        run.extend(max_concurrent_runs=2)
    after = run.extend(max_total_runs=5, max_concurrent_runs=2)
    assert after.id != run.id and after.id.startswith("HD_")
    assert wait_for_run(folder, after.id, timeout=90).status == "Completed"
    assert len(children(folder, after.id)) == 2
    drawn = [line for line in ledger.read_text().splitlines() if not line.startswith("7.5")]
    assert len(drawn) == len(set(drawn)) == 5
    _rebuild_and_compare(experiment, folder, run.id)


def _rebuild_and_compare(experiment: Experiment, folder: WorkspaceFolder, run_id: str) -> None:
    """Check that a database made anew has the sweep's changes."""
    from aml_jupyter.service import stop_service
    from aml_jupyter.service.sweep_actions import sweep_definition

    before = sweep_definition(folder, run_id)[1]
    stop_service(folder)
    root = folder.root
    experiment.workspace.folder.close()
    folder.close()
    rebuild_workspace(root)
    again = WorkspaceFolder.open(root)
    assert sweep_definition(again, run_id)[1] == before
    again.close()


RESUMES = """
import argparse, os
from azureml.core import Run
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--resume-from")
args = parser.parse_args()
before = float(open(os.path.join(args.resume_from, "reached")).read()) if args.resume_from else 0.0
os.makedirs("outputs", exist_ok=True)
open("outputs/reached", "w").write(str(before + 1))
Run.get_context().log("loss", before + 1)
"""


def test_children_of_an_ended_sweep_go_on_from_their_outputs(
    folder: WorkspaceFolder, experiment: Experiment, configure: Any
) -> None:
    first = experiment.submit(configure(text=RESUMES, max_total_runs=1))
    assert wait_for_run(folder, first.id, timeout=60).status == "Completed"
    child = children(folder, first.id)[0]
    second = experiment.submit(configure(text=RESUMES, max_total_runs=2, resume_child_runs=[child.id]))
    assert wait_for_run(folder, second.id, timeout=60).status == "Completed"
    resumed, sampled = children(folder, second.id)
    assert resumed.properties["aml.chosen"] == f"resumed from {child.id}"
    assert resumed.properties["hyperparameters"] == child.properties["hyperparameters"]
    assert second.get_metrics() == {resumed.id: {"loss": 2.0}, sampled.id: {"loss": 1.0}}
    assert [entry["status"] for entry in second.get_children_sorted_by_primary_metric()] == ["Completed"] * 2


def test_earlier_runs_that_cannot_be_gone_on_from_are_refused(
    folder: WorkspaceFolder, experiment: Experiment, configure: Any
) -> None:
    run = experiment.submit(configure(max_total_runs=1))
    with pytest.raises(UserErrorException, match=r"resume_from: sweep HD_\S+ is Running; it has to end first"):
        experiment.submit(configure(resume_from=[run.id]))
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    child = children(folder, run.id)[0].id
    for changes, said in (
        ({"resume_from": [child]}, "is not a sweep"),
        ({"resume_from": [run.id], "primary_metric_name": "other"}, "cannot be compared"),
        ({"resume_child_runs": [run.id]}, "is no child of a sweep"),
        ({"resume_from": ["nothing"]}, "nothing"),
    ):
        with pytest.raises(UserErrorException, match=said):
            experiment.submit(configure(**changes))


def test_runs_that_a_sweep_did_not_make_leave_it_alone(
    folder: WorkspaceFolder, experiment: Experiment, configure: Any, ledger: Path, project: Path
) -> None:
    """One of its children queued again, and a run submitted as a child of it by hand."""
    space = GridParameterSampling({"--x": choice(1, 2, 3)})
    run = experiment.submit(configure(hyperparameter_sampling=space, max_total_runs=3, max_concurrent_runs=1))
    assert isinstance(run, HyperDriveRun)
    (project / "other.py").write_text("print('by hand')")
    by_hand = run.submit_child(ScriptRunConfig(str(project), "other.py"))
    until(lambda: (child := find_run(folder.store.read(), f"{run.id}_0")) is not None and child.status in FINAL, 60)
    again = resubmit_run(folder, f"{run.id}_0").run

    assert wait_for_run(folder, run.id, timeout=120).status == "Completed"
    ended = wait_for_run(folder, again.id, timeout=60)
    assert (ended.status, ended.parent) == ("Completed", None)
    assert wait_for_run(folder, by_hand.id, timeout=60).status in FINAL
    assert Counter(ledger.read_text().splitlines()) == Counter(["1.0 a", "1.0 a", "2.0 a", "3.0 a"])
    own = [f"{run.id}_{number}" for number in range(3)]
    assert [child.run.id for child in sweep_view(folder, get_run(folder.store.read(), run.id)).children] == own
    assert list(run.get_hyperparameters()) == own
    later = run.extend(max_total_runs=4)
    ended = wait_for_run(folder, later.id, timeout=120)  # with a grid that has nothing left
    assert (ended.status, ended.reason) == ("Completed", "the parameter space has no more than 3 combinations")


def test_a_child_by_hand_starts_before_those_that_were_made_ahead(
    folder: WorkspaceFolder, experiment: Experiment, configure: Any, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    waits = f"""
import os, time
from azureml.core import Run
Run.get_context().log("loss", 1.0)
while not os.path.exists({str(go)!r}):
    time.sleep(0.05)
""".replace("{", "{{").replace("}", "}}")
    run = experiment.submit(configure(text=waits, max_total_runs=3, max_concurrent_runs=1))
    until(lambda: any(child.status == "NotStarted" for child in children(folder, run.id)), 60)
    run.add_child({"x": 7.5})
    run.extend(max_concurrent_runs=2)  # room for one more
    until(lambda: any(child.properties.get("aml.chosen") == "by hand" for child in children(folder, run.id)), 60)
    _, ahead, by_hand = children(folder, run.id)[:3]
    assert ahead.status == "NotStarted"
    assert by_hand.status != "NotStarted" and json.loads(by_hand.properties["hyperparameters"]) == {"--x": 7.5}
    go.touch()
    assert wait_for_run(folder, run.id, timeout=90).status == "Completed"
    assert [child.status for child in children(folder, run.id)] == ["Completed"] * 4

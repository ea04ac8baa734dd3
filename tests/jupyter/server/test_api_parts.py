"""What the run view asks for: a brief run, children as columns, details, snapshots, stretches of a log from its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.environments.curated import CURATED
from aml_jupyter.jupyter.server.kernel import answer_question
from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, add_properties, ingest_events, insert_run

RUNS = "workspaces/default/runs"


def add_children(folder: WorkspaceFolder, parent: str, count: int) -> None:
    """Write a sweep with children that have parameters and a metric."""
    sweep = {"kind": "script", "config": {"primary_metric_config": {"name": "loss", "goal": "minimize"}}}
    with folder.store.transaction() as tx:
        insert_run(
            tx, {"id": parent, "experiment": "e", "kind": "hyperdrive", "sweep": sweep}, "Running", in_process=True
        )
        for number in range(count):
            child = {"id": f"{parent}_{number}", "experiment": "e", "kind": "script", "parent": parent}
            insert_run(tx, child, "Running", in_process=True)
            add_properties(tx, child["id"], {"hyperparameters": json.dumps({"--lr": number / 10})})
    for number in range(count):
        lines = [
            {"t": 1.0 + step, "e": "metric", "n": "loss", "v": value}
            for step, value in enumerate((3.0, 1.0 + number, 2.0 + number))
        ]
        data = "".join("\n" + json.dumps(line) for line in lines) + "\n"
        ingest_events(folder.store, f"{parent}_{number}", 1, "1.jsonl", 0, data.encode())


async def test_a_brief_run_leaves_out_what_has_a_page_of_its_own(
    api: Any, folder: WorkspaceFolder, submit_script: Any
) -> None:
    run = submit_script("print('line')\nopen('outputs/a.txt', 'w').write('x')\n")
    wait_for_run(folder, run.id, 60)
    whole = (await api(f"{RUNS}/{run.id}"))[1]["run"]
    brief = (await api(f"{RUNS}/{run.id}", brief="true"))[1]["run"]
    assert set(brief) == set(whole)
    assert (whole["log_tail"], brief["log_tail"], brief["outputs"]) == (["line"], [], [])
    assert brief["timeline"] == whole["timeline"]


async def test_children_are_columns_and_one_of_them_is_small(api: Any, folder: WorkspaceFolder) -> None:
    add_children(folder, "sweep", 3)
    status, answer = await api(f"{RUNS}/sweep/children")
    children = answer["children"]
    assert status == 200
    assert children["id"] == ["sweep_0", "sweep_1", "sweep_2"]
    assert children["parameters"] == {"--lr": [0.0, 0.1, 0.2]}
    assert (children["metric"], children["goal"]) == ("loss", "minimize")
    assert children["metrics"] == {"loss": [1.0, 2.0, 3.0]}, "the best value of each"
    status, answer = await api(f"{RUNS}/sweep/children", run="sweep_1")
    assert answer["children"]["id"] == ["sweep_1"]
    assert len(json.dumps(answer)) < 1000
    assert (await api(f"{RUNS}/sweep", brief="true"))[1]["run"]["child_count"] == 3
    assert (await api(f"{RUNS}/nothing/children"))[0] == 404


async def test_a_log_is_read_from_its_end_by_whole_lines(api: Any, folder: WorkspaceFolder, submit_script: Any) -> None:
    run = submit_script("for n in range(1000): print('line', n, 'é')\n")
    wait_for_run(folder, run.id, 60)
    end = (await api(f"{RUNS}/{run.id}/logs", end=2**52, limit=100))[1]
    assert end["text"].startswith("line ") and end["text"].endswith("line 999 é\n")
    assert (end["next_offset"], end["complete"]) == (end["size"], True)
    before = (await api(f"{RUNS}/{run.id}/logs", end=end["offset"], limit=100))[1]
    assert before["next_offset"] == end["offset"]
    assert before["text"].endswith("\n")
    first = (await api(f"{RUNS}/{run.id}/logs", end=20, limit=100))[1]
    assert (first["offset"], first["next_offset"]) == (0, 20)


async def test_a_text_is_found_in_a_log(api: Any, folder: WorkspaceFolder, submit_script: Any) -> None:
    run = submit_script("for n in range(1000): print('line', n)\n")
    wait_for_run(folder, run.id, 60)
    found = (await api(f"{RUNS}/{run.id}/logs/matches", text="LINE 99", limit=3))[1]
    assert [match["line"] for match in found["matches"]] == ["line 99", "line 990", "line 991"]
    assert not found["complete"]
    rest = (await api(f"{RUNS}/{run.id}/logs/matches", text="line 99", offset=found["next_offset"]))[1]
    assert [match["line"] for match in rest["matches"]] == [f"line {n}" for n in range(992, 1000)]
    assert rest["complete"]
    at = (await api(f"{RUNS}/{run.id}/logs", offset=found["matches"][1]["offset"], limit=8))[1]
    assert at["text"] == "line 990"
    assert (await api(f"{RUNS}/{run.id}/logs/matches", text=""))[0] == 400


async def test_details_hold_no_secret_and_snapshots_can_be_compared(
    api: Any, folder: WorkspaceFolder, submit_script: Any, project: Path
) -> None:
    first = submit_script("print(1)\n")
    (project / "new.txt").write_text("x")
    second = submit_script("print(2)\n")
    details = (await api(f"{RUNS}/{second.id}/details"))[1]
    assert details["definition"]["script"] == "train.py"
    answer = (await api(f"{RUNS}/{second.id}/snapshot", other=first.id))[1]
    assert {file["name"] for file in answer["files"]} == {"train.py", "new.txt"}
    assert (answer["added"], answer["removed"], answer["changed"]) == (["new.txt"], [], ["train.py"])
    compared = (await api("workspaces/default/compare", runs=f"{first.id},{second.id}"))[1]["comparison"]
    assert compared["runs"] == [first.id, second.id]
    assert (await api("workspaces/default/compare", runs=first.id))[0] == 400


async def test_times_of_a_chart_come_when_they_are_asked_for(
    api: Any, folder: WorkspaceFolder, submit_script: Any
) -> None:
    run = submit_script("from aml_jupyter import Run\nrun = Run.get_context()\nfor n in range(9): run.log('loss', n)\n")
    wait_for_run(folder, run.id, 60)
    assert (await api(f"{RUNS}/{run.id}/metrics/loss"))[1]["chart"]["time"] == []
    times = (await api(f"{RUNS}/{run.id}/metrics/loss", times="true"))[1]["chart"]["time"]
    assert len(times) == 9 and times == sorted(times) and times[0] > run.created


async def test_run_configurations_of_a_folder_are_listed(api: Any, folder: WorkspaceFolder, project: Path) -> None:
    path = "workspaces/default/run_configurations"
    assert (await api(path, source_directory="project"))[1]["run_configurations"] == []
    (project / ".azureml").mkdir()
    (project / ".azureml" / "gpu.runconfig").write_text("target: gpu-box\nenvironment:\n  name: torch\n")
    (project / ".azureml" / "broken.runconfig").write_text("script: [")
    (project / ".azureml" / "config.json").write_text("{}")
    _, answer = await api(path, source_directory="project")
    broken, gpu = answer["run_configurations"]
    assert (gpu["name"], gpu["target"], gpu["environment"], gpu["readable"]) == ("gpu", "gpu-box", "torch", True)
    assert (broken["name"], broken["target"], broken["readable"]) == ("broken", None, False)
    assert "broken.runconfig" in broken["remark"]
    code, refused = await api(path, source_directory="../..")
    assert (code, refused["field"]) == (400, "source_directory")


async def test_models_and_environments_are_listed(api: Any, folder: WorkspaceFolder) -> None:
    assert (await api("workspaces/default/models"))[1]["models"] == []
    names = {row["name"] for row in (await api("workspaces/default/environments"))[1]["environments"]}
    assert names >= set(CURATED)


@pytest.mark.parametrize("path", ["", "/logs", "/metrics", "/files", "/children", "/details", "/snapshot", "/page"])
async def test_a_kernel_answers_what_the_server_does(api: Any, folder: WorkspaceFolder, path: str) -> None:
    with folder.store.transaction() as tx:
        insert_run(tx, {"id": "r1", "experiment": "e", "kind": "script"}, "Running", in_process=True)
    asked = {"method": "GET", "path": f"runs/r1{path}", "query": {"brief": "true"} if not path else {}}
    status, answer = answer_question(folder, asked)
    expected = (await api(f"{RUNS}/r1{path}", **asked["query"]))[1]
    expected.pop("api_version")
    for told in (answer, expected):
        (told.get("run") if isinstance(told.get("run"), dict) else {}).pop("as_of", None)
    assert status == 200
    assert {**answer, "run": None} == {**expected, "run": None}


def test_a_kernel_refuses_what_is_not_there(folder: WorkspaceFolder) -> None:
    assert answer_question(folder, {"method": "GET", "path": "runs/none", "query": {}})[0] == 404
    assert answer_question(folder, {"method": "DELETE", "path": "runs/none", "query": {}})[0] == 404
    assert answer_question(folder, {"method": "GET", "path": "runs", "query": {"limit": "many"}})[0] == 400

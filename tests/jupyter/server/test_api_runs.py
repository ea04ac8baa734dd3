"""Runs over HTTP: submit, list, show, cancel, resubmit, tag, and what bad input gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.config import Environment
from aml_jupyter.sdk import Workspace
from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder

RUNS = "workspaces/default/runs"


async def test_a_submitted_script_runs_and_its_log_metrics_and_files_are_served(
    api: Any, folder: WorkspaceFolder, project: Path
) -> None:
    (project / "train.py").write_text(
        "import sys\nfrom azureml.core import Run\nrun = Run.get_context()\n"
        "for i in range(20): run.log('loss', 1 / (i + 1))\n"
        "open('outputs/model.txt', 'w').write('weights')\nprint('größe', sys.argv[1:])\n"
    )
    code, answer = await api(
        RUNS,
        "POST",
        {"source_directory": "project", "script": "train.py", "arguments": ["--lr", 0.1], "experiment": "digits"},
    )
    assert code == 201
    run = answer["run"]
    assert (answer["workspace"], answer["api_version"]) == (folder.id, 1)
    assert (run["experiment"], run["target"], run["arguments"]) == ("digits", "local", ["--lr", "0.1"])
    assert wait_for_run(folder, run["id"], 60).status == "Completed"

    _, shown = await api(f"{RUNS}/{run['id']}")
    assert shown["run"]["status"] == "Completed"
    _, log = await api(f"{RUNS}/{run['id']}/logs")
    assert log["text"] == "größe ['--lr', '0.1']\n"
    assert log["complete"]
    _, metrics = await api(f"{RUNS}/{run['id']}/metrics")
    assert [(metric["name"], metric["count"]) for metric in metrics["metrics"]] == [("loss", 20)]
    _, chart = await api(f"{RUNS}/{run['id']}/metrics/loss", points=10)
    assert len(chart["chart"]["y"]) <= 20
    assert chart["chart"]["count"] == 20
    _, files = await api(f"{RUNS}/{run['id']}/files")
    assert "outputs/model.txt" in {file["name"] for file in files["files"]}


async def test_a_log_is_read_in_stretches_without_gap_or_broken_character(
    api: Any, folder: WorkspaceFolder, submit_script: Any
) -> None:
    run = submit_script("print('aé' * 40)")
    wait_for_run(folder, run.id, 60)
    text, offset, complete = "", 0, False
    while not complete:
        _, answer = await api(f"{RUNS}/{run.id}/logs", offset=offset, limit=7)
        text, offset, complete = text + answer["text"], answer["next_offset"], answer["complete"]
    assert text == "aé" * 40 + "\n"


async def test_the_list_is_paged_and_filtered(api: Any, submit_script: Any) -> None:
    ids = [submit_script("pass", tags={"n": str(number)}).id for number in range(5)]
    _, first = await api(RUNS, limit=2)
    assert [run["id"] for run in first["runs"]] == ids[:2:-1]
    _, second = await api(RUNS, limit=3, before=first["next"])
    assert [run["id"] for run in second["runs"]] == ids[2::-1]
    assert second["next"] is None
    _, nothing = await api(RUNS, experiment="other")
    assert nothing["runs"] == []


async def test_a_run_is_canceled_tagged_and_resubmitted(api: Any, folder: WorkspaceFolder, submit_script: Any) -> None:
    run = submit_script("import time; time.sleep(60)")
    code, _ = await api(f"{RUNS}/{run.id}/tags", "POST", {"tags": {"keep": "yes"}})
    assert code == 200
    code, _ = await api(f"{RUNS}/{run.id}/cancel", "POST", {"reason": "enough"})
    assert code == 202
    ended = wait_for_run(folder, run.id, 30)
    assert (ended.status, ended.tags) == ("Canceled", {"keep": "yes"})
    code, answer = await api(f"{RUNS}/{run.id}/cancel", "POST")
    assert (code, answer["field"]) == (409, "run")
    code, again = await api(f"{RUNS}/{run.id}/resubmit", "POST")
    assert code == 201
    assert again["run"]["id"] != run.id
    await api(f"{RUNS}/{again['run']['id']}/cancel", "POST")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"script": 3}, "script"),
        ({"skript": "train.py"}, "skript"),
        ({}, "script"),
        ({"script": "train.py", "notebook": "a.ipynb"}, "script"),
        ({"source_directory": "../..", "script": "train.py"}, "source_directory"),
        ({"source_directory": "/etc", "script": "hosts"}, "source_directory"),
        ({"source_directory": "nowhere", "script": "train.py"}, "source_directory"),
        ({"source_directory": "project", "script": "../secret.py"}, "script"),
        ({"source_directory": "project", "script": "missing.py"}, "script"),
        ({"source_directory": "project", "script": "train.py", "target": "gpu-bx"}, "target"),
        ({"source_directory": "project", "script": "train.py", "experiment": "a b"}, "experiment"),
        ({"source_directory": "project", "script": "train.py", "cores": 0}, "cores"),
        ({"source_directory": "project", "script": "train.py", "cores": True}, "cores"),
        ({"source_directory": "project", "script": "train.py", "arguments": "--lr"}, "arguments"),
        ({"source_directory": "project", "script": "train.py", "parameters": {"a": 1}}, "parameters"),
        ({"source_directory": "project", "script": "train.py", "tags": {"a": 1}}, "tags"),
        ({"source_directory": "project", "script": "train.py", "priority": 10**30}, "priority"),
        ({"source_directory": "project", "script": "train.py", "grace_seconds": float("nan")}, "grace_seconds"),
        ({"source_directory": "project", "script": "train.py", "grace_seconds": float("inf")}, "grace_seconds"),
        (
            {"source_directory": "project", "script": "train.py", "max_run_duration_seconds": 0},
            "max_run_duration_seconds",
        ),
        ([1], "body"),
    ],
)
async def test_a_bad_submit_is_refused_by_the_fields_name(api: Any, project: Path, body: Any, field: str) -> None:
    (project / "train.py").write_text("pass")
    code, answer = await api(RUNS, "POST", body if isinstance(body, dict) else "[1]")
    assert (code, answer["field"]) == (400, field)
    assert answer["message"]
    _, listed = await api(RUNS)
    assert listed["runs"] == []


@pytest.mark.parametrize(
    ("path", "params", "code", "field"),
    [
        (RUNS, {"limit": "many"}, 400, "limit"),
        (RUNS, {"limit": 0}, 400, "limit"),
        (RUNS, {"before": 10**30}, 400, "before"),
        (RUNS, {"status": "Runing"}, 400, "status"),
        (RUNS, {"colour": "red"}, 400, "colour"),
        (f"{RUNS}/nobody", {}, 404, "run"),
        (f"{RUNS}/nobody/logs", {}, 404, "run"),
        ("workspaces/nowhere/runs", {}, 404, "workspace"),
        ("workspaces/default/nothing", {}, 404, "path"),
        ("workspaces/default/compute/nobody", {}, 404, "name"),
    ],
)
async def test_a_bad_question_gets_4xx_and_the_fields_name(
    api: Any, path: str, params: dict[str, Any], code: int, field: str
) -> None:
    got, answer = await api(path, **params)
    assert (got, answer["field"]) == (code, field)


async def test_a_body_that_is_no_json_is_a_bad_request(api: Any) -> None:
    code, answer = await api(RUNS, "POST", "{'script'")
    assert (code, answer["field"]) == (400, "body")
    assert "JSON" in answer["message"]


async def test_a_submit_names_a_registered_environment(api: Any, folder: WorkspaceFolder, project: Path) -> None:
    environment = Environment("mine")
    environment.python.user_managed_dependencies = True
    environment.environment_variables = {"FROM_IT": "set"}
    environment.register(Workspace(folder))
    (project / "train.py").write_text("import os; print('it is', os.environ['FROM_IT'])")
    body = {"source_directory": "project", "script": "train.py", "environment": "mine"}
    status, answer = await api(RUNS, "POST", body)
    assert status == 201, answer
    run = answer["run"]["id"]
    assert wait_for_run(folder, run, 60).status == "Completed"
    assert (await api(f"{RUNS}/{run}/logs"))[1]["text"] == "it is set\n"
    status, answer = await api(RUNS, "POST", {**body, "environment": "mina"})
    assert (status, answer["field"]) == (400, "environment")
    assert "mine" in answer["message"]

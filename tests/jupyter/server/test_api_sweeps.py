"""A sweep that a real service runs is paused, gone on with, extended and added to over HTTP, and by a kernel that answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support import until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.config.sweeps import HyperDriveConfig, RandomParameterSampling, choice, loguniform
from aml_jupyter.jupyter.server.kernel import answer_question
from aml_jupyter.sdk import Experiment, Workspace
from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, find_runs

RUNS = "workspaces/default/runs"
SCRIPT = """
import os, sys, time
from azureml.core import Run
Run.get_context().log("loss", float(sys.argv[2]))
while not os.path.exists(GATE): time.sleep(0.02)
"""


def _sweep(folder: WorkspaceFolder, project: Path, gate: Path) -> str:
    (project / "train.py").write_text(SCRIPT.replace("GATE", repr(str(gate))))
    space = RandomParameterSampling({"--lr": loguniform(-4, 0), "--kind": choice("a", "b")})
    script = ScriptRunConfig(str(project), "train.py")
    config = HyperDriveConfig(space, "loss", "minimize", 2, max_concurrent_runs=1, run_config=script)
    return str(Experiment(Workspace(folder), "tuning").submit(config).id)


async def test_a_sweep_is_steered_while_it_runs_and_goes_on_when_it_has_ended(
    api: Any, folder: WorkspaceFolder, project: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    sweep = _sweep(folder, project, gate)
    until(lambda: find_runs(folder.store.read(), parent=sweep, status="Running"), 60, "the first child runs")

    status, answer = await api(f"{RUNS}/{sweep}/sweep")
    assert status == 200
    axes = {axis["name"]: axis for axis in answer["sweep"].pop("axes")}
    assert answer["sweep"] == {
        "paused": False,
        "open": True,
        "added": 0,
        "max_total_runs": 2,
        "max_concurrent_runs": 1,
        "max_duration_minutes": 10080,
    }
    assert (axes["--lr"]["expression"], axes["--lr"]["low"]) == ("loguniform", "0.0184")
    assert (axes["--kind"]["options"], axes["--kind"]["centres"]) == (["a", "b"], [0.25, 0.75])

    assert (await api(f"{RUNS}/{sweep}/sweep/pause", "POST"))[0] == 202
    assert (await api(f"{RUNS}/{sweep}/sweep"))[1]["sweep"]["paused"] is True
    status, told = answer_question(folder, {"method": "POST", "path": f"runs/{sweep}/sweep/resume", "body": {}})
    assert (status, told["run"]["id"]) == (200, sweep)
    assert (await api(f"{RUNS}/{sweep}/sweep"))[1]["sweep"]["paused"] is False

    status, told = await api(f"{RUNS}/{sweep}/sweep/children", "POST", {"parameters": {"lr": 0.5, "kind": "a"}})
    assert (status, told["run"]["id"]) == (202, sweep)
    for body, said in (
        ({"parameters": {"lr": 0.5}}, "kind"),
        ({"parameters": {"lr": [1], "kind": "a"}}, "parameters"),
        ({}, "parameters"),
    ):
        status, told = await api(f"{RUNS}/{sweep}/sweep/children", "POST", body)
        assert status == 400 and said in told["message"], body
    assert (await api(f"{RUNS}/{sweep}/sweep/limits", "POST", {"max_concurrent_runs": 2}))[0] == 202
    status, told = await api(f"{RUNS}/{sweep}/sweep/limits", "POST", {"max_total_runs": 0})
    assert (status, told["field"]) == (400, "max_total_runs")

    gate.touch()
    assert wait_for_run(folder, sweep, 60).status == "Completed"
    children = find_runs(folder.store.read(), parent=sweep)
    assert len(children) == 3, "two that were sampled and one that was added"
    now = (await api(f"{RUNS}/{sweep}/sweep"))[1]["sweep"]
    assert (now["open"], now["added"], now["max_concurrent_runs"]) == (False, 1, 2)
    columns = (await api(f"{RUNS}/{sweep}/children"))[1]["children"]
    by_value = dict(zip(columns["parameters"]["--lr"], columns["positions"]["--lr"], strict=True))
    assert by_value[0.5] == 0.8267, "ln 0.5 lies at (4 - 0.693) / 4 of an axis from exp -4 to exp 0"
    assert set(columns["positions"]["--kind"]) <= {0.25, 0.75}

    for what in ("pause", "resume"):
        status, told = await api(f"{RUNS}/{sweep}/sweep/{what}", "POST")
        assert status == 409 and "has ended" in told["message"]
    status, told = await api(f"{RUNS}/{sweep}/sweep/limits", "POST", {"max_total_runs": 3})
    again = told["run"]["id"]
    assert status == 202 and again != sweep
    assert wait_for_run(folder, again, 60).status == "Completed"
    assert len(find_runs(folder.store.read(), parent=again)) == 1

    child = children[0].id
    assert (await api(f"{RUNS}/{child}/sweep"))[0] == 404
    assert (await api(f"{RUNS}/{child}/sweep/pause", "POST"))[0] == 404
    assert (await api(f"{RUNS}/nothing/sweep"))[0] == 404

"""A workspace whose database is built anew shows its real runs as before."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from support import Submit, log_of

from aml_jupyter import Experiment, Run, Workspace
from aml_jupyter.service import create_target, delete_target, service_status, stop_service, wait_for_run
from aml_jupyter.views import as_json, compute_rows, experiment_rows, run_view, workspace_view
from aml_jupyter.workspace import WorkspaceFolder, find_runs, rebuild_workspace, verify_workspace

FLAKY = """
import os, sys
from azureml.core import Run
run = Run.get_context()
attempt = int(os.environ["AML_ATTEMPT"])
run.log("attempt", attempt)
run.log_row("row", a=attempt, b="x")
run.tag("attempt", str(attempt))
run.add_properties({"inside": "yes"})
run.display_name = "named inside"
os.makedirs("outputs", exist_ok=True)
open("outputs/model-%d" % attempt, "w").write("x")
with run.child_run("fold") as child:
    child.log("x", 10**30)
    child.tag("fold", "1")
print("attempt", attempt)
sys.exit(0 if attempt == 2 else 5)
"""
PARENT = """
from azureml.core import Run
open("leaf.py", "w").write("print('leaf')")
Run.get_context().submit_child({"script": "leaf.py"}, tags={"leaf": "1"}, display_name="leaf").wait_for_completion()
raise SystemExit("the end")
"""
TOLD_ANEW = ("as_of", "queued_time", "timeline")
"""When the service wrote a change down, which no file keeps."""


def _shown(folder: WorkspaceFolder) -> dict[str, Any]:
    runs = find_runs(folder.store.read(), children=True, include_hidden=True)
    views = {run.id: as_json(run_view(folder, run.id)) for run in runs}
    for view in views.values():
        for name in TOLD_ANEW:
            del view[name]
    targets = as_json(compute_rows(folder))
    for target in targets:
        del target["created_time"], target["modified_time"]
    experiments = [{**row, "created_time": None} for row in as_json(experiment_rows(folder))]
    return {**views, "targets": targets, "experiments": experiments}


def test_a_rebuild_shows_real_runs_as_before(folder: WorkspaceFolder, submit_script: Submit) -> None:
    create_target(folder, "one", "computeinstance", {"max_parallel": 1})
    create_target(folder, "gone", "computeinstance", {"max_parallel": 1})
    delete_target(folder, "gone")
    ws = Workspace(folder)
    flaky = submit_script(FLAKY, max_retries=3, tags={"a": "1"}, properties={"p": "q"}, display_name="flaky")
    parent = submit_script(PARENT, target="one")
    with Experiment(ws, "notes").start_logging(display_name="by hand") as interactive:
        interactive.log("q", 1)
        interactive.child_run("inner").complete()
        lost = interactive.child_run("never ended")
    for run in (flaky, parent):
        wait_for_run(folder, run.id, timeout=60)
    outside = Run.get(ws, flaky.id)
    outside.tag("later", "x")
    outside.remove_tags("a")
    outside.add_properties({"out": "side"})
    outside.display_name = "renamed"
    assert outside.get_status() == "Completed", log_of(folder, flaky.id, 2)
    stop_service(folder)
    before = _shown(folder)
    assert before[flaky.id]["attempts"][0]["node"] == before[flaky.id]["attempts"][1]["node"] is not None
    times = {run.id: _inner_times(folder, run.id) for run in find_runs(folder.store.read(), parent=flaky.id)}
    report = rebuild_workspace(folder.root)
    assert report.is_clean, str(report)
    with closing(WorkspaceFolder.open(folder.root)) as again:
        after = _shown(again)
        for name, shown in before.items():
            assert after.pop(name) == shown
        assert not after
        assert {run: _inner_times(again, run) for run in times} == times
        assert again.store.read().execute("SELECT reason FROM runs WHERE id = ?", (lost.id,)).fetchone()[0] == (
            "its parent ended (Completed)"
        )
        checked = verify_workspace(again)
        assert checked.is_clean and not checked.notes, str(checked)
        assert service_status(again) is None
        assert workspace_view(again).as_json()["service"]["state"] == "stopped"


def _inner_times(folder: WorkspaceFolder, run_id: str) -> list[tuple[str, str]]:
    return [(change["time"], change["after"]) for change in as_json(run_view(folder, run_id))["timeline"]]

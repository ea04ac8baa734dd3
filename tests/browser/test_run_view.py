"""The run view in a real JupyterLab and a real Notebook 7: alive in a busy kernel, without one, and after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from browser_pages import Watch, open_notebook, run_cell, save, shoot, steps_of, write_notebook
from jupyter_process import TOKEN, JupyterProcess
from support import until

from aml_jupyter.workspace import WorkspaceFolder, find_runs, get_run

SCRIPT = """%%aml_submit -e digits --name job --display-name "<img src=x onerror=window.hacked=2>" --tag "<b>=<i>"
import math, os, sys, time
from aml_jupyter import Run
run = Run.get_context()
run.log_row("confusions", digit=3, as_digit=8)
run.log_confusion_matrix("matrix", {"schema_type": "confusion_matrix", "schema_version": "1.0.0",
    "data": {"class_labels": ["cat", "dog"], "matrix": [[8, 2], [1, 9]]}})
print("\\x1b[31mred line\\x1b[0m <img src=x onerror=window.hacked=1>")
open("outputs/model.txt", "w").write("weights")
open("outputs/<img src=x onerror=window.hacked=3>.svg", "w").write("<svg onload='parent.hacked=4'/>")
run.log("<img src=x onerror=window.hacked=5>", "<script>window.hacked=6</script>")
run.log_table("<b>table</b>", {"<i>a</i>": ["<img src=x onerror=window.hacked=7>"]})
for step in range(10_000):
    run.log("loss", 1 / (step + 1) + 0.02 * math.sin(step))
    run.log("accuracy", 1 - 1 / (step + 2))
    print("step", step, flush=True)
    time.sleep(0.1)
"""


def test_a_run_moves_in_a_busy_kernel_is_canceled_there_and_is_live_again_after_a_restart(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path
) -> None:
    watch = Watch(page, lab)
    write_notebook(project / "train.ipynb", ["%load_ext aml_jupyter", SCRIPT, "import time; time.sleep(300)"])
    panel = open_notebook(page, lab, "train.ipynb")
    run_cell(page, panel, 0)
    output = run_cell(page, panel, 1).locator(".jp-OutputArea")
    view = output.locator(".aml-run[data-state=Running]")
    view.locator("canvas").first.wait_for()
    busy = run_cell(page, panel, 2)
    [run] = find_runs(folder.store.read())

    before = steps_of(view)
    until(lambda: steps_of(view) > before + 5, 30, "the chart moves while the kernel is busy")
    view.locator(".aml-log").get_by_text("red line").wait_for()
    shoot(page, "run-busy")
    save(page, project / "train.ipynb", run.id)

    view.get_by_role("tab", name="metrics").click()
    view.get_by_text("<img src=x onerror=window.hacked=7>").wait_for()
    shoot(page, "run-metrics")

    view.get_by_role("button", name="cancel", exact=True).click()
    view.get_by_role("button", name="really cancel?").click()
    output.locator(".aml-run[data-state=Canceled]").wait_for()
    assert get_run(folder.store.read(), run.id).status == "Canceled"
    ended = output.locator(".aml-run[data-state=Canceled]")
    ended.get_by_role("tab", name="outputs").click()
    ended.get_by_role("button", name="show model.txt").click()
    ended.locator(".aml-preview").get_by_text("weights").wait_for()
    shoot(page, "run-outputs")
    ended.get_by_role("button", name="show <img src=x onerror=window.hacked=3>.svg").click()
    ended.locator(".aml-preview").get_by_text("<svg onload='parent.hacked=4'/>").wait_for()
    assert "[*]" in busy.locator(".jp-InputPrompt").inner_text(), "the run ended only when the kernel was free again"

    sessions = page.request.get(f"{lab.url}api/sessions").json()
    page.request.delete(f"{lab.url}api/sessions/{sessions[0]['id']}", headers={"Authorization": f"token {TOKEN}"})
    reopened = (
        open_notebook(page, lab, "train.ipynb").locator(".jp-CodeCell").nth(1).locator(".aml-run[data-state=Canceled]")
    )
    reopened.get_by_role("button", name="resubmit").click()
    page.locator(".aml-whole[data-state=Running] canvas").first.wait_for()
    shoot(page, "run-tab")
    until(lambda: len(find_runs(folder.store.read(), status="Running")) == 1, 30, "the run was submitted again")
    page.locator(".aml-whole").get_by_role("tab", name="logs").click()
    page.locator(".aml-whole .aml-log").get_by_text("step 5").first.wait_for()
    shoot(page, "run-logs")
    page.locator(".aml-whole").get_by_role("tab", name="details").click()
    page.locator(".aml-whole").get_by_text("source directory").wait_for()
    shoot(page, "run-details")
    page.locator(".aml-whole").get_by_role("button", name="cancel", exact=True).click()
    page.locator(".aml-whole").get_by_role("button", name="really cancel?").click()
    page.locator(".aml-whole[data-state=Canceled]").wait_for()
    assert page.evaluate("window.hacked") is None
    assert (watch.errors, watch.foreign) == ([], [])

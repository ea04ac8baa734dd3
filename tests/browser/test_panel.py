"""The panel in a real JupyterLab: runs, comparison, compute, and a notebook submitted from its toolbar."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from browser_pages import Watch, open_notebook, open_panel, shoot
from jupyter_process import TOKEN, JupyterProcess

from aml_jupyter.service import create_target
from aml_jupyter.workspace import WorkspaceFolder, find_runs, find_target

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SCRIPT = """
import math, sys
from aml_jupyter import Run
run = Run.get_context()
for step in range(40):
    run.log("loss", 1 / (step + 1) + float(sys.argv[1]))
    run.log("accuracy", 1 - math.exp(-step / 9) - float(sys.argv[1]))
"""


def _submit(lab: JupyterProcess, name: str, rate: float) -> str:
    body = {
        "source_directory": "",
        "script": "train.py",
        "arguments": [rate],
        "display_name": name,
        "experiment": "digits",
    }
    return str(lab.fetch("workspaces/default/runs", "POST", body)["run"]["id"])


def _state(folder: WorkspaceFolder, name: str) -> str | None:
    target = find_target(folder.store.read(), name)
    return target.provisioning_state if target else None


def test_runs_appear_and_are_compared_and_compute_is_made_from_a_form(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path
) -> None:
    watch = Watch(page, lab)
    (project / "train.py").write_text(SCRIPT)
    side = open_panel(page, lab)
    side.get_by_text("no runs; submit one").wait_for()
    for name, rate in (("slow", 0.5), ("fast", 0.1)):
        _submit(lab, name, rate)
    for name in ("slow", "fast"):
        side.locator(".aml-row", has_text=name).get_by_text("Completed").wait_for()
    shoot(page, "panel-side")

    side.get_by_role("button", name="show in a tab of its own").click()
    wide = page.locator("#aml-manager")
    for name in ("slow", "fast"):
        wide.locator(".aml-row", has_text=name).get_by_role("checkbox").check()
    shoot(page, "panel-runs")
    wide.get_by_role("button", name="compare 2 runs").click()
    compared = page.locator(".aml-comparison")
    compared.locator("canvas").first.wait_for()
    assert compared.get_by_text("0.5", exact=True).count() >= 1
    for name in ("2: slow", "1: fast"):
        compared.locator(".u-legend").first.get_by_text(name).wait_for()
        compared.locator(".aml-compared").get_by_role("columnheader", name=name).wait_for()
    shoot(page, "compare")

    page.locator(".lm-TabBar-tab", has_text="Runs and compute").click()
    wide.get_by_role("tab", name="compute", exact=True).click()
    wide.get_by_role("tab", name="compute instances").wait_for()
    wide.get_by_role("button", name="Create").click()
    form = wide.locator("form")
    form.get_by_label("name", exact=True).fill("1x")
    form.get_by_text("3 to 24 characters").wait_for()
    assert form.get_by_role("button", name="create").is_disabled()
    shoot(page, "compute-form")
    form.get_by_label("name", exact=True).fill("box-1")
    form.get_by_label("max parallel").fill("2")
    form.get_by_role("button", name="create").click()
    card = wide.locator('[data-target="box-1"]')
    card.get_by_text("Running", exact=True).wait_for()
    card.get_by_role("button", name="more").click()
    card.get_by_text("2 of 2 free").wait_for()
    shoot(page, "compute-list")
    card.get_by_role("button", name="stop").click()
    card.get_by_text("Stopped", exact=True).wait_for()
    assert _state(folder, "box-1") == "Stopped"
    card.get_by_role("button", name="change").click()
    assert form.get_by_label("name", exact=True).is_disabled()
    form.get_by_role("button", name="not now").click()
    card.get_by_role("button", name="delete").click()
    card.get_by_role("button", name="delete?").click()
    wide.get_by_role("button", name="Create").wait_for()
    assert _state(folder, "box-1") is None

    wide.get_by_role("tab", name="environments").click()
    wide.get_by_text("AmlJupyter-Minimal").first.wait_for()
    wide.get_by_role("tab", name="models").click()
    wide.get_by_text("no models").wait_for()
    shoot(page, "panel-models")
    assert (watch.errors, watch.foreign) == ([], [])


def test_a_notebook_is_submitted_from_its_toolbar_with_its_parameters(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path
) -> None:
    watch = Watch(page, lab)
    theme = lab.home / "lab-settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    theme.write_text('{"theme": "JupyterLab Dark"}')
    shutil.copy(NOTEBOOKS / "parameterised.ipynb", project)
    create_target(folder, "box-1", "computeinstance", {})
    (project / ".azureml").mkdir()
    (project / ".azureml" / "small.runconfig").write_text("target: box-1\nhistory:\n  snapshotProject: true\n")
    (project / ".azureml" / "broken.runconfig").write_text("script: [")
    panel = open_notebook(page, lab, "parameterised.ipynb")
    panel.locator('[data-jp-item-name="aml-submit"] jp-button, [data-jp-item-name="aml-submit"] button').first.click()
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_label("alpha").fill("0.25")
    assert "AmlJupyter-Minimal" in dialog.get_by_label("environment").inner_text()
    assert dialog.get_by_label("target").input_value() == "local"
    configuration = dialog.get_by_label("run configuration")
    assert configuration.get_by_role("option", name="broken").is_disabled()
    dialog.get_by_text("broken.runconfig").wait_for()
    configuration.select_option("small")
    assert dialog.get_by_label("target").input_value() == ""
    dialog.get_by_role("option", name="as the run configuration says: box-1").wait_for(state="attached")
    shoot(page, "submit")
    dialog.get_by_role("button", name="submit", exact=True).click()
    page.locator(".aml-whole[data-state=Completed]").wait_for()
    [run] = find_runs(folder.store.read())
    assert (run.target, run.definition["parameters"]) == ("box-1", {"alpha": 0.25})
    page.get_by_text(": Completed").first.wait_for()
    shoot(page, "submitted")

    (project / "work.py").write_text("import sys; print(sys.argv)\n")
    page.goto(f"{lab.url}lab/workspaces/test/tree/work.py?token={TOKEN}&reset")
    page.locator(".jp-FileEditor").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Submit as a run ...").click()
    dialog.get_by_label("arguments").fill("--rate 0.1 --name 'two words'")
    dialog.get_by_role("button", name="submit", exact=True).click()
    page.locator(".aml-whole[data-state=Completed]").wait_for()
    [run, _] = find_runs(folder.store.read())
    assert (run.definition["script"], run.definition["arguments"][2:]) == ("work.py", ["--name", "two words"])
    assert (watch.errors, watch.foreign) == ([], [])

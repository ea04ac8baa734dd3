"""A sweep in JupyterLab: its children are chosen among in a chart, stopped and added to; it is paused, extended and goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from browser_pages import Watch, open_panel, shoot
from jupyter_process import JupyterProcess
from support import until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.config.sweeps import HyperDriveConfig, RandomParameterSampling, choice, loguniform
from aml_jupyter.sdk import Experiment, Workspace
from aml_jupyter.service import stop_service
from aml_jupyter.workspace import WorkspaceFolder, find_runs, get_run, sweep_changes

SCRIPT = """
import math, os, sys, time
from azureml.core import Run
run = Run.get_context()
rate = float(sys.argv[2])
run.log("loss", abs(math.log(rate) + 2))
while "-wait" in sys.argv[4] and not os.path.exists(GATE): time.sleep(0.05)
"""


def test_a_sweep_is_read_and_steered_in_its_tab(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path, tmp_path: Path
) -> None:
    watch = Watch(page, lab)
    gate = tmp_path / "go"
    (project / "train.py").write_text(SCRIPT.replace("GATE", repr(str(gate))))
    space = RandomParameterSampling({"--rate": loguniform(-4, 0), "--kind": choice("a", "b")}, seed=1)
    script = ScriptRunConfig(str(project), "train.py")
    config = HyperDriveConfig(space, "loss", "minimize", 8, max_concurrent_runs=2, run_config=script)
    sweep = Experiment(Workspace(folder), "tuning").submit(config).id

    def children(*status: str) -> list[Any]:
        return [run for run in find_runs(folder.store.read(), parent=sweep) if not status or run.status in status]

    until(lambda: len(children("Completed")) == 8, 120, "the children have ended")
    open_panel(page, lab)
    page.locator("#aml-panel .aml-row", has_text="tuning").click()
    view = page.locator(".aml-whole[data-state=Completed]")
    chart = view.get_by_role("group", name="parallel coordinates")
    lines = chart.locator("polyline")
    until(lambda: lines.count() == 8, 60, "each child is a line")

    axis = chart.get_by_role("slider", name="--kind")
    box = axis.locator(".aml-grip").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.45, steps=5)
    page.mouse.up()
    upper = [run.id for run in children() if json.loads(run.properties["hyperparameters"])["--kind"] == "b"]
    assert 0 < len(upper) < 8
    chart.get_by_text(f"{len(upper)} / 8").wait_for()
    assert chart.locator('polyline[opacity="0.05"]').count() == 8 - len(upper)
    shoot(page, "sweep-chosen")
    view.get_by_role("tab", name="child runs").click()
    view.get_by_text(f"{len(upper)} / 8").wait_for()
    until(lambda: view.locator(".aml-row").count() == len(upper), 30, "the chosen children alone are in the table")
    view.get_by_role("tab", name="sweep", exact=True).click()
    chart.get_by_text(f"{len(upper)} / 8").wait_for()
    axis.focus()
    page.keyboard.press("Escape")
    chart.get_by_text(" / 8").wait_for(state="detached")

    # it has ended: what extends it is another one, that is shown in its own tab
    view.get_by_role("button", name="extend ...").click()
    view.get_by_role("textbox", name="children in all").fill("9")
    view.get_by_role("button", name="save").click()
    again = page.locator(f".aml-whole:not([data-run='{sweep}'])")
    again.locator(".aml-state").wait_for()
    until(
        lambda: len(find_runs(folder.store.read(), parent=again.get_attribute("data-run") or "-")) == 1, 60, "one more"
    )
    until(lambda: again.get_attribute("data-state") == "Completed", 60, "and it ends")

    # one that runs: two children wait at the gate
    space = RandomParameterSampling({"--rate": loguniform(-4, 0), "--kind": choice("a-wait", "b-wait")}, seed=1)
    config = HyperDriveConfig(space, "loss", "minimize", 8, max_concurrent_runs=2, run_config=script)
    sweep = Experiment(Workspace(folder), "steered").submit(config).id
    until(lambda: len(children("Running")) == 2, 60, "two children run")
    page.locator("#aml-panel .aml-row", has_text="steered").click()
    view = page.locator(f".aml-whole[data-run='{sweep}']")
    view.get_by_role("button", name="pause").click()
    view.get_by_role("button", name="resume").wait_for()
    view.get_by_text("paused: it starts no children").first.wait_for()
    view.get_by_role("button", name="add a child ...").click()
    view.get_by_role("textbox", name="--rate").fill("0.125")
    view.get_by_role("textbox", name="--kind").fill("by-hand")
    shoot(page, "sweep-steered")
    view.get_by_role("button", name="save").click()
    until(lambda: len(sweep_changes(folder.store.read(), sweep)) == 2, 30, "the child is noted")

    view.get_by_role("tab", name="child runs").click()
    running = [run.id for run in children("Running")]
    view.locator(".aml-row", has_text=running[0]).get_by_role("checkbox").check()
    view.get_by_role("button", name="stop the marked runs").click()
    view.get_by_role("button", name="really stop 1 runs?").click()
    view.locator(".aml-row", has_text=running[0]).get_by_text("Canceled").wait_for()
    assert get_run(folder.store.read(), running[1]).status == "Running"

    view.get_by_role("tab", name="sweep", exact=True).click()
    view.get_by_role("button", name="resume").click()
    added = '"--kind": "by-hand"'
    gate.touch()
    until(lambda: any(added in run.properties.get("hyperparameters", "") for run in children()), 60, "it is started")
    page.locator(f".aml-whole[data-run='{sweep}'][data-state=Completed]").wait_for()
    assert len(children()) == 9, "eight that were sampled, and one by hand"
    assert (watch.errors, watch.foreign) == ([], [])
    stop_service(folder)

"""Notebook 7 as far as its shell allows: submit from its toolbar, runs beside the notebook and in the page of files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_pages import Watch, open_notebook, run_cell, save, shoot, steps_of, write_notebook
from jupyter_process import TOKEN, JupyterProcess
from support import until

from aml_jupyter.workspace import WorkspaceFolder, find_runs

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CELL = """%%aml_submit -e digits
import time
from azureml.core import Run
run = Run.get_context()
for step in range(10_000):
    run.log("loss", 1 / (step + 1))
    time.sleep(0.1)
"""


@pytest.fixture
def notebook7(folder: WorkspaceFolder, project: Path, tmp_path: Path) -> Iterator[JupyterProcess]:
    """A Notebook 7 with the extension."""
    process = JupyterProcess(project, tmp_path / "jupyter", "notebook")
    yield process
    process.close()


def test_notebook_7_submits_shows_runs_beside_the_notebook_and_is_live_after_a_reload(
    page: Any, notebook7: JupyterProcess, folder: WorkspaceFolder, project: Path
) -> None:
    watch = Watch(page, notebook7)
    shutil.copy(NOTEBOOKS / "parameterised.ipynb", project)
    panel = open_notebook(page, notebook7, "parameterised.ipynb")
    panel.locator('[data-jp-item-name="aml-submit"] jp-button, [data-jp-item-name="aml-submit"] button').first.click()
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_label("alpha").fill("0.25")
    dialog.get_by_role("button", name="submit", exact=True).click()
    beside = page.locator("#jp-right-stack .aml-whole")
    page.locator("#jp-right-stack .aml-whole[data-state=Completed]").wait_for()
    assert beside.bounding_box()["width"] > 500
    shoot(page, "notebook7-submitted")
    [run] = find_runs(folder.store.read())
    assert run.definition["parameters"] == {"alpha": 0.25}

    write_notebook(project / "train.ipynb", ["%load_ext aml_jupyter", CELL])
    panel = open_notebook(page, notebook7, "train.ipynb")
    run_cell(page, panel, 0)
    run_cell(page, panel, 1).locator(".aml-run[data-state=Running] canvas").first.wait_for()
    [run] = find_runs(folder.store.read(), status="Running")
    save(page, project / "train.ipynb", run.id)
    sessions = page.request.get(f"{notebook7.url}api/sessions", headers={"Authorization": f"token {TOKEN}"}).json()
    for session in sessions:
        page.request.delete(f"{notebook7.url}api/sessions/{session['id']}", headers={"Authorization": f"token {TOKEN}"})
    view = open_notebook(page, notebook7, "train.ipynb").locator(".aml-run[data-state=Running]")
    view.locator("canvas").first.wait_for()
    before = steps_of(view)
    until(lambda: steps_of(view) > before, 60, "the output is live after the reload")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Runs and compute").click()
    page.locator("#jp-right-stack #aml-manager .aml-row", has_text="digits").first.click()
    beside.get_by_role("button", name="cancel", exact=True).click()
    beside.get_by_role("button", name="really cancel?").click()
    panel.locator(".aml-run[data-state=Canceled]").wait_for()
    shoot(page, "notebook7-beside")

    page.goto(f"{notebook7.url}tree?token={TOKEN}")
    page.locator(".lm-TabBar-tab", has_text="Runs and compute").click()
    page.locator("#aml-manager .aml-row", has_text="digits").first.click()
    page.locator(".aml-whole[data-state=Canceled]").wait_for()
    shoot(page, "notebook7-tree")
    assert (watch.errors, watch.foreign) == ([], [])

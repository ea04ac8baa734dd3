"""The quickstart in JupyterLab, as a newcomer executes it. With AML_SCREENSHOTS=docs the README's picture is made anew."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from jupyter_process import TOKEN, JupyterProcess
from support import until

from aml_jupyter.workspace import WorkspaceFolder, find_runs

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def test_quickstart(page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path) -> None:
    for name in ("quickstart.ipynb", "parameterised.ipynb"):
        shutil.copy(NOTEBOOKS / name, project)
    tracker = lab.home / "lab-settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text('{"windowingMode": "none"}')  # cells out of sight are there, too
    page.set_viewport_size({"width": 1160, "height": 1056})
    page.goto(f"{lab.url}lab/workspaces/test/tree/quickstart.ipynb?token={TOKEN}&reset")
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    until(lambda: _kernels(page, lab), 60, "the notebook has its kernel")
    panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    page.keyboard.press("Control+b")  # the notebook alone, without the list of files
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()

    cells = panel.locator(".jp-CodeCell")
    table = cells.nth(4).locator(".jp-OutputArea-output")
    table.get_by_text("fast").wait_for()
    fast = cells.nth(3).locator(".jp-OutputArea")
    fast.get_by_text("Completed").first.wait_for()
    fast.locator(".aml-run canvas").first.wait_for()
    panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    _shoot(page, panel, cells)

    assert panel.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0
    runs = {run.display_name: run.status for run in find_runs(folder.store.read())}
    assert runs == {"slow": "Completed", "fast": "Completed", "parameterised": "Completed"}


def _kernels(page: Any, lab: JupyterProcess) -> bool:
    """Tell whether the page is connected to a kernel; asked to run cells before, JupyterLab asks which one it shall be."""
    sessions = page.request.get(f"{lab.url}api/sessions", headers={"Authorization": f"token {TOKEN}"}).json()
    return any(session["kernel"]["connections"] for session in sessions)


def _shoot(page: Any, panel: Any, cells: Any) -> None:
    """Keep the second submitted cell with its output, and the comparison below it."""
    where = os.environ.get("AML_SCREENSHOTS")
    if where:
        for close in page.locator(".Toastify__close-button").all():
            close.click()
        cells.nth(3).evaluate("cell => cell.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(500)
        page.screenshot(path=f"{where}/quickstart.png")

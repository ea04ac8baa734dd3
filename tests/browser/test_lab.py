"""A cell submitted in JupyterLab: its output appears, follows the run, and ends with it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from jupyter_process import TOKEN, JupyterProcess

from aml_jupyter.workspace import WorkspaceFolder, find_runs

CELL = """%%aml_submit -e digits --name job
import os, time
from azureml.core import Run
run = Run.get_context()
for step in range(30):
    run.log("loss", 1 / (step + 1))
open("outputs/model.txt", "w").write("weights")
print("first line", flush=True)
while not os.path.exists(os.environ["HOME"] + "/go"):
    time.sleep(0.05)
print("last line")"""


def _notebook(path: Path, cells: list[str]) -> None:
    written = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "outputs": [], "execution_count": None, "source": text}
        for n, text in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": written, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


def _open(page: Any, lab: JupyterProcess, notebook: str) -> Any:
    page.goto(f"{lab.url}lab/workspaces/test/tree/{notebook}?token={TOKEN}&reset")
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    return panel


def _run_cell(page: Any, panel: Any, number: int) -> Any:
    """Press Ctrl+Enter in a cell, again if the kernel did not take the first one, and return the cell."""
    cell = panel.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    for _ in range(3):
        page.keyboard.press("Control+Enter")
        try:
            page.wait_for_function(
                "n => /\\[[*\\d]+\\]/.test(document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')[n].textContent)",
                arg=number,
                timeout=5_000,
            )
            return cell
        except Exception:
            continue
    raise AssertionError("the cell was not executed")


def _shoot(page: Any, name: str) -> None:
    """Keep a picture for people who look."""
    where = os.environ.get("AML_SCREENSHOTS")
    if where:
        page.screenshot(path=f"{where}/{name}.png")


def test_a_cell_runs_and_its_output_follows_it_while_the_kernel_is_idle_or_busy(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path, tmp_path: Path
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    gate = tmp_path / "home"
    gate.mkdir()
    cell = CELL.replace('os.environ["HOME"] + "/go"', repr(str(gate / "go")))
    _notebook(project / "train.ipynb", ["%load_ext aml_jupyter", cell, "import time; time.sleep(4)", "job.status"])
    panel = _open(page, lab, "train.ipynb")
    _run_cell(page, panel, 0)
    submitted = _run_cell(page, panel, 1)
    output = submitted.locator(".jp-OutputArea")

    output.get_by_text("Running").first.wait_for()
    output.get_by_text("first line").first.wait_for()
    output.locator("svg").first.wait_for()
    text = output.inner_text()
    assert f"Snapshot of {project}" in text
    assert "unsaved" not in text
    panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    _shoot(page, "running")

    busy = _run_cell(page, panel, 2)
    (gate / "go").touch()
    output.get_by_text("Completed").first.wait_for()
    output.get_by_text("last line").first.wait_for()
    assert "[*]" in busy.locator(".jp-InputPrompt").inner_text(), (
        "the output changed only when the kernel was free again"
    )
    _shoot(page, "completed")

    link = output.locator("a", has_text="outputs/model.txt").get_attribute("href")
    assert page.request.get(link).text() == "weights"

    [run] = find_runs(folder.store.read())
    assert (run.status, run.experiment, run.kind) == ("Completed", "digits", "cell")
    assert output.locator("script").count() == 0
    assert errors == []


def test_a_run_ends_in_the_output_of_an_idle_kernel_and_can_be_read_in_a_reopened_notebook(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path, tmp_path: Path
) -> None:
    cell = f"%%aml_submit\nimport os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.05)\nprint('ended')"
    _notebook(project / "train.ipynb", ["%load_ext aml_jupyter", cell])
    panel = _open(page, lab, "train.ipynb")
    _run_cell(page, panel, 0)
    output = _run_cell(page, panel, 1).locator(".jp-OutputArea")
    output.get_by_text("Running").first.wait_for()
    panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    (tmp_path / "go").touch()
    output.get_by_text("Completed").first.wait_for()
    page.keyboard.press("Control+s")
    [run] = find_runs(folder.store.read())
    saved = project / "train.ipynb"
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    for _ in range(200):
        if "Completed" in saved.read_text():
            break
        page.wait_for_timeout(50)
    kept = json.loads(saved.read_text())["cells"][1]["outputs"][-1]["data"]
    assert run.id in "".join(kept["text/plain"])
    assert "Completed" in "".join(kept["text/html"])

    sessions = page.request.get(f"{lab.url}api/sessions").json()
    page.request.delete(f"{lab.url}api/sessions/{sessions[0]['id']}", headers={"Authorization": f"token {TOKEN}"})
    reopened = _open(page, lab, "train.ipynb").locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea")
    reopened.get_by_text("Completed, as of").first.wait_for()
    assert "ended" in reopened.inner_text()
    _shoot(page, "reopened")

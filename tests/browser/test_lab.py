"""A cell submitted in JupyterLab: its output appears, follows the run, and ends with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from browser_pages import open_notebook, run_cell, save, shoot, write_notebook
from jupyter_process import TOKEN, JupyterProcess
from support import until

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

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def busy_until(gate: Path) -> str:
    """Return a cell that keeps the kernel busy until a file is there."""
    return f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)"


def test_a_cell_runs_and_its_output_follows_it_while_the_kernel_is_idle_or_busy(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path, tmp_path: Path
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    gate = tmp_path / "home"
    gate.mkdir()
    cell = CELL.replace('os.environ["HOME"] + "/go"', repr(str(gate / "go")))
    write_notebook(project / "train.ipynb", ["%load_ext aml_jupyter", cell, busy_until(gate / "free"), "job.status"])
    panel = open_notebook(page, lab, "train.ipynb")
    run_cell(page, panel, 0)
    submitted = run_cell(page, panel, 1)
    output = submitted.locator(".jp-OutputArea")

    output.get_by_text("Running").first.wait_for()
    output.get_by_text("first line").first.wait_for()
    output.locator("canvas").first.wait_for()
    text = output.inner_text()
    assert f"Snapshot of {project}" in text
    assert "unsaved" not in text
    panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    shoot(page, "running")

    busy = run_cell(page, panel, 2)
    (gate / "go").touch()
    output.get_by_text("Completed").first.wait_for()
    output.get_by_text("last line").first.wait_for()
    assert "[*]" in busy.locator(".jp-InputPrompt").inner_text(), (
        "the output changed only when the kernel was free again"
    )
    (gate / "free").touch()
    shoot(page, "completed")

    output.get_by_role("tab", name="outputs").click()
    link = output.get_by_role("link", name="model.txt", exact=True).get_attribute("href")
    assert page.request.get(f"{lab.url.rstrip('/')}{link}").text() == "weights"

    [run] = find_runs(folder.store.read())
    assert (run.status, run.experiment, run.kind) == ("Completed", "digits", "cell")
    assert output.locator("script").count() == 0
    assert errors == []


def test_a_run_ends_in_the_output_of_an_idle_kernel_and_can_be_read_in_a_reopened_notebook(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path, tmp_path: Path
) -> None:
    cell = f"%%aml_submit\nimport os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.05)\nprint('ended')"
    write_notebook(project / "train.ipynb", ["%load_ext aml_jupyter", cell])
    panel = open_notebook(page, lab, "train.ipynb")
    run_cell(page, panel, 0)
    output = run_cell(page, panel, 1).locator(".jp-OutputArea")
    output.get_by_text("Running").first.wait_for()
    panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    (tmp_path / "go").touch()
    output.get_by_text("Completed").first.wait_for()
    [run] = find_runs(folder.store.read())
    saved = project / "train.ipynb"
    save(page, saved, "Completed")
    kept = json.loads(saved.read_text())["cells"][1]["outputs"][-1]["data"]
    assert kept["application/vnd.aml.run.v1+json"]["run_id"] == run.id
    assert run.id in "".join(kept["text/plain"])
    assert "Completed" in "".join(kept["text/html"])

    sessions = page.request.get(f"{lab.url}api/sessions").json()
    page.request.delete(f"{lab.url}api/sessions/{sessions[0]['id']}", headers={"Authorization": f"token {TOKEN}"})
    reopened = open_notebook(page, lab, "train.ipynb").locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea")
    reopened.locator(".aml-run[data-state=Completed]").wait_for()
    reopened.get_by_text("ended", exact=True).wait_for()
    shoot(page, "reopened")


def test_without_the_extension_a_widget_shows_the_run_and_the_kernel_answers(
    page: Any, folder: WorkspaceFolder, project: Path, tmp_path: Path
) -> None:
    server = JupyterProcess(project, tmp_path / "jupyter", "lab", with_ours=False)
    try:
        cell = CELL.replace('os.environ["HOME"] + "/go"', repr(str(tmp_path / "go")))
        dot = f"import base64; open('outputs/dot.png', 'wb').write(base64.b64decode('{PIXEL}'))"
        cell = cell.replace('print("first line"', f'{dot}\nprint("first line"')
        cell = cell.replace("    time.sleep(0.05)", "    time.sleep(0.05); run.log('waited', time.time())")
        write_notebook(project / "train.ipynb", ["%load_ext aml_jupyter", cell, busy_until(tmp_path / "free")])
        panel = open_notebook(page, server, "train.ipynb")
        run_cell(page, panel, 0)
        output = run_cell(page, panel, 1).locator(".jp-OutputArea")
        view = output.locator(".aml-run[data-state=Running]")
        view.get_by_text("first line").wait_for()
        view.locator("canvas").first.wait_for()
        waited = view.locator(".aml-caption", has_text="waited")
        waited.wait_for()
        busy = run_cell(page, panel, 2)
        before = waited.inner_text()
        until(lambda: waited.inner_text() != before, 60, "the view is told what happens")
        assert "[*]" in busy.locator(".jp-InputPrompt").inner_text()
        (tmp_path / "free").touch()
        panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
        view.get_by_role("tab", name="logs").click()
        view.get_by_role("button", name="cancel", exact=True).click()
        view.get_by_role("button", name="really cancel?").click()
        ended = output.locator(".aml-run[data-state=Canceled]")
        ended.wait_for()
        assert ended.get_by_role("tab", name="logs").get_attribute("aria-selected") == "true"
        ended.locator(".aml-log").get_by_text("first line").wait_for()
        assert output.locator(".aml-run").count() == 1
        ended.get_by_role("tab", name="outputs").click()
        ended.get_by_role("button", name="show dot.png").click()
        page.wait_for_function("() => document.querySelector('.aml-preview img')?.naturalWidth === 1")
        shoot(page, "widget")
    finally:
        server.close()
    [run] = find_runs(folder.store.read())
    assert run.status == "Canceled"

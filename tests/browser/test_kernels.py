"""A busy kernel of each ipykernel that we support: its run's chart and state move, and a press on cancel is heard."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from browser_pages import Watch, open_notebook, run_cell, shoot, steps_of, write_notebook
from jupyter_process import JupyterProcess
from support import until

from aml_jupyter.workspace import WorkspaceFolder, get_run

CELL = """%%aml_submit -e digits
import time
from azureml.core import Run
run = Run.get_context()
for step in range(10_000):
    run.log("loss", 1 / (step + 1))
    time.sleep(0.1)
"""


def _add_kernel(version: str, place: Path, data: Path) -> str:
    """Make a virtual environment with an ipykernel, all else is this one's; return the kernel's name."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    python = place / "bin" / "python"
    packages = [f"ipykernel=={version}", "nest-asyncio"]
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-deps", "--python", python, *packages], check=True, timeout=120
    )
    query = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = Path(subprocess.run(query, check=True, capture_output=True, text=True).stdout.strip())
    (own / "rest.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    name = f"ipykernel-{version}"
    spec = data / "kernels" / name / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": name, "language": "python"}))
    return name


@pytest.mark.parametrize("version", ["6.29.5", "7.3.0", "7.4.0"])
def test_a_run_moves_and_is_canceled_while_its_kernel_is_busy(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path, tmp_path: Path, version: str
) -> None:
    watch = Watch(page, lab)
    kernel = _add_kernel(version, tmp_path / "environment", lab.home / "data")
    gate = tmp_path / "free"
    busy = f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)"
    first = "%load_ext aml_jupyter\nimport ipykernel; print('it is', ipykernel.__version__)"
    write_notebook(project / "train.ipynb", [first, CELL, busy], kernel)
    panel = open_notebook(page, lab, "train.ipynb")
    run_cell(page, panel, 0).get_by_text(f"it is {version}").wait_for()
    output = run_cell(page, panel, 1).locator(".jp-OutputArea")
    waiting = run_cell(page, panel, 2).locator(".jp-InputPrompt")
    view = output.locator(".aml-run[data-state=Running]")
    view.locator("canvas").first.wait_for()
    before = steps_of(view)
    until(lambda: steps_of(view) > before + 3, 60, "the chart moves while the kernel is busy")
    run = str(view.get_attribute("data-run"))
    view.get_by_role("button", name="cancel", exact=True).click()
    view.get_by_role("button", name="really cancel?").click()
    output.locator(".aml-run[data-state=Canceled]").wait_for()
    shoot(page, f"kernel-{version}")
    assert "[*]" in waiting.inner_text(), "the run ended only when the kernel was free again"
    assert get_run(folder.store.read(), run).status == "Canceled"
    gate.touch()
    panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    assert (watch.errors, watch.foreign) == ([], [])

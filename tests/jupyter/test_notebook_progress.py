"""Progress of long work in a notebook."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from aml_jupyter.views import progress


def test_short_work_shows_nothing(shell: Any) -> None:
    with progress.notebook_progress("snapshot", "files") as update:
        update(1, 2)
    assert shell.display_pub.outputs == []


def test_long_work_is_one_line_that_changes_in_place(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY_SECONDS", 0.0)
    monkeypatch.setattr(progress, "NOTEBOOK_INTERVAL_SECONDS", 0.0)
    with progress.notebook_progress("snapshot", "files") as update:
        update(1, 200)
        update(200, 200)
    first, *later = shell.display_pub.outputs
    assert "1 of 200 files" in first["data"]["text/plain"]
    assert "200 of 200 files" in later[-1]["data"]["text/plain"]
    assert not first["update"]
    assert all(output["update"] and output["transient"] == first["transient"] for output in later)


def test_the_object_model_shows_it_in_a_notebook_and_says_nothing_in_a_script(tmp_path: Path) -> None:
    program = f"""
import aml_jupyter.views.progress as progress
progress.DELAY_SECONDS = progress.NOTEBOOK_INTERVAL_SECONDS = 0
from pathlib import Path
from aml_jupyter import Experiment, ScriptRunConfig, Workspace
folder = Path({str(tmp_path)!r}, "project")
folder.mkdir(exist_ok=True)
(folder / "train.py").write_text("open('outputs/big.bin', 'wb').write(b'x' * 9_000_000)")
(folder / "data.bin").write_bytes(b"d" * 300_000)
run = Experiment(Workspace.from_config(), "progress").submit(ScriptRunConfig(str(folder), script="train.py"))
assert run.wait_for_completion(show_output=False)["status"] == "Completed"
run.download_file("outputs/big.bin", str(folder / "copy.bin"))
"""
    environment = {**os.environ, "AML_WORKSPACE": str(tmp_path / "workspace")}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(program)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute(env=environment)
    shown = [output["data"]["text/plain"] for output in notebook.cells[0].outputs if "data" in output]
    assert any(text.startswith("snapshot of") for text in shown), shown
    assert any(text.startswith("download of outputs/big.bin") and text.endswith("9.0 MB of 9.0 MB") for text in shown)
    script = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert script.stdout == script.stderr == ""

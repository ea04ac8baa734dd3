"""A notebook that nobody looks at while it runs keeps outputs that can be read afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from aml_jupyter.workspace import WorkspaceFolder


def execute(project: Path, *cells: str) -> list[Any]:
    """Execute the cells in a kernel of their own, and return them."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(project)}}
    )
    try:
        client.execute()
    finally:
        (project / "executed.json").write_text(nbformat.writes(notebook))
    return list(notebook.cells)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_waited_cell_keeps_its_final_state_and_a_live_one_is_updated(folder: WorkspaceFolder, project: Path) -> None:
    cells = execute(
        project,
        "%load_ext aml_jupyter\nrows = [1, 2, 3]",
        "%%aml_submit -i rows -o total --wait\ntotal = sum(rows)\nprint('waited for')",
        "%%aml_submit --name job\nprint('left alone')",
        "assert total == 6\njob.wait()",
    )
    for number, word in ((1, "waited for"), (2, "left alone")):
        shown = cells[number].outputs[-1]["data"]
        assert "Completed" in shown["text/html"]
        assert word in shown["text/html"]
        assert "Completed" in shown["text/plain"]
        assert "<script" not in shown["text/html"]
        assert not [kind for kind in shown if "widget" in kind], "nobody can ask a kernel that is gone"
    assert "widgets" not in json.loads((project / "executed.json").read_text())["metadata"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_failed_cell_stops_the_notebook_with_its_reason_and_no_traceback(
    folder: WorkspaceFolder, project: Path
) -> None:
    with pytest.raises(CellExecutionError, match="not today"):
        execute(
            project, "%load_ext aml_jupyter", "%%aml_submit --wait\nraise ValueError('not today')", "print('never')"
        )
    cells = json.loads((project / "executed.json").read_text())["cells"]
    error = cells[1]["outputs"][-1]
    assert (error["output_type"], error["ename"]) == ("error", "RunFailed")
    assert "handle.py" not in "".join(error["traceback"])
    assert cells[2]["outputs"] == []


def test_loading_the_extension_is_quick(project: Path) -> None:
    program = (
        "import time\nfrom IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\nbegun = time.process_time()\n"
        "shell.run_line_magic('load_ext', 'aml_jupyter')\nprint(time.process_time() - begun)"
    )
    seconds = min(float(subprocess.check_output([sys.executable, "-c", program], text=True)) for _ in range(3))
    assert seconds < 0.15


def test_many_outputs_do_not_open_many_files(shell: Any, folder: WorkspaceFolder) -> None:
    import os

    shell.run_cell_magic("aml_submit", "", "pass").wait(60)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        shell.run_cell_magic("aml_submit", "", "pass")
    assert len(os.listdir("/proc/self/fd")) - before < 5

"""The magics in IPython's terminal, where nothing that was shown can change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from aml_jupyter.workspace import WorkspaceFolder, find_runs

SESSION = """
%load_ext aml_jupyter
get_ipython().run_cell_magic("aml_submit", "-o z --name job", "z = 3\\nprint('in the cell')")
print("brought back", job.result())
get_ipython().run_cell_magic("aml_submit", "--wait", "print('waited for')")
%aml submit --wait train.py
%aml run list
"""


def test_a_terminal_submits_waits_and_shows_the_end(folder: WorkspaceFolder, project: Path, tmp_path: Path) -> None:
    (project / "train.py").write_text("print('from the script')")
    (project / "session.ipy").write_text(SESSION)
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython"), "AML_WORKSPACE": str(folder.root)}
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "session.ipy"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert "brought back {'z': 3}" in done.stdout
    assert "waited for" in done.stdout and "from the script" in done.stdout
    assert [run.status for run in find_runs(folder.store.read())] == ["Completed"] * 3

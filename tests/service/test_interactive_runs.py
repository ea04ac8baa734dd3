"""The service ends the interactive runs whose process is gone."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from support import until

from aml_jupyter.service import ensure_service
from aml_jupyter.workspace import WorkspaceFolder, get_metrics, get_run, open_runs

TEXT = """
import sys, time
from aml_jupyter import Experiment, Workspace
run = Experiment(Workspace.from_config(), 'sdk').start_logging(run_id=sys.argv[1])
run.log('kept', 7)
print('logged', flush=True)
time.sleep(600)
"""


def test_a_killed_notebooks_run_fails_by_itself(folder: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AML_WORKSPACE", str(folder.root))
    ensure_service(folder)
    for name in ("while-served", "another"):
        process = subprocess.Popen([sys.executable, "-c", TEXT, name], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process.stdout, process:
            assert process.stdout.readline() == "logged\n"
            process.send_signal(signal.SIGKILL)
        until(lambda: not open_runs(folder.store.read()), 20, "the end of a lost run")
        assert get_run(folder.store.read(), name).status == "Failed"
        assert get_metrics(folder.store.read(), name) == {"kept": 7}

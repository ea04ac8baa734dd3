"""The value of a declared variable is in files that only its owner can read, and nowhere else."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

from support import log_of, until

from aml_jupyter.config import RunConfiguration, ScriptRunConfig
from aml_jupyter.service import SubmitRequest, resubmit_run, submit, wait_for_run
from aml_jupyter.views import as_html, as_json, as_text, run_rows, run_view
from aml_jupyter.workspace import WorkspaceFolder, get_run

VALUE = b"hunter2-9f1e"
SCRIPT = """
import os, time
print('long enough', len(os.environ['API_TOKEN']), os.environ['PLAIN'], flush=True)
while not os.path.exists('outputs/go'):
    time.sleep(0.02)
"""


def _holders(root: Path) -> dict[str, int]:
    """Return the files below `root` that have the value in them, with their modes."""
    return {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in root.rglob("*")
        if path.is_file() and VALUE in path.read_bytes()
    }


def test_a_declared_token_stays_in_private_files(folder: WorkspaceFolder, project: Path) -> None:
    (project / "train.py").write_text(SCRIPT)
    run_config = RunConfiguration()
    run_config.environment_variables = {"API_TOKEN": VALUE.decode(), "PLAIN": "shown"}
    run_config.environment.environment_variables = {"DB_PASSWORD": VALUE.decode()}
    config = ScriptRunConfig(source_directory=str(project), script="train.py", run_config=run_config)
    run = submit(folder, SubmitRequest(config, "tests")).run
    until(lambda: "long enough 12 shown" in log_of(folder, run.id), message="the script's line")
    commands = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, check=True).stdout
    assert VALUE not in commands
    (folder.layout.run(run.id).attempt(1).work / "outputs" / "go").touch()
    done = wait_for_run(folder, run.id, timeout=60)
    assert done.status == "Completed", log_of(folder, run.id)
    holders = _holders(folder.root)
    saved = [name for name in holders if name.startswith("Autosave_")]  # the definition of the environment
    assert holders == dict.fromkeys(["run.json", "launch.json", *saved], 0o600) and len(saved) == 1
    assert _holders(Path(os.environ["AML_RUNTIME"])) == _holders(folder.root.parent / "user-data") == {}
    view = run_view(folder, run.id)
    shown = "".join([as_text(view), as_html(view), json.dumps(as_json(view)), json.dumps(as_json(run_rows(folder)))])
    assert VALUE.decode() not in shown
    definition = get_run(folder.store.read(), run.id).definition
    assert definition["environment_variables"] == {"DB_PASSWORD": "***", "API_TOKEN": "***", "PLAIN": "***"}
    again = resubmit_run(folder, run.id).run
    until(lambda: "long enough 12 shown" in log_of(folder, again.id), message="the second run's line")
    (folder.layout.run(again.id).attempt(1).work / "outputs" / "go").touch()
    assert wait_for_run(folder, again.id, timeout=60).status == "Completed"

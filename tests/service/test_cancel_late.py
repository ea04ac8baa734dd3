"""A cancel that comes while a failed attempt is brought to its end keeps the run from being started again."""

from __future__ import annotations

import json
from pathlib import Path

from support import Submit, until

from aml_jupyter.service import cancel_run, stop_service, wait_for_run
from aml_jupyter.service.actions import request_end
from aml_jupyter.workspace import WorkspaceFolder, get_run, transition


def test_a_run_canceled_in_its_last_moments_is_not_started_again(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path
) -> None:
    ledger, go = tmp_path / "ledger", tmp_path / "go"
    run = submit_script(
        f"""
import os, sys, time
with open({str(ledger)!r}, "a") as stream: stream.write(os.environ["AML_ATTEMPT"])
while not os.path.exists({str(go)!r}): time.sleep(0.01)
sys.exit(3)
""",
        max_retries=3,
    )
    until(lambda: get_run(folder.store.read(), run.id).status == "Running", message="running")
    stop_service(folder)
    go.touch()
    result = folder.layout.run(run.id).attempt(1).control / "result.json"
    until(result.exists, message="the result")
    with folder.store.transaction() as tx:
        transition(tx, run.id, "Finalizing", "")
        asked = request_end(folder, tx, get_run(tx, run.id), "enough")
    assert asked.cancel_requested is not None
    assert cancel_run(folder, run.id).cancel_requested == asked.cancel_requested
    done = wait_for_run(folder, run.id, timeout=30)
    assert (done.status, done.attempt, done.exit_code) == ("Failed", 1, 3)
    assert ledger.read_text() == "1"
    changes = (folder.layout.run(run.id).changes).read_text().split("\n")
    assert [json.loads(line)["op"] for line in changes if line] == ["cancel"]

"""A machine whose clock is wrong by hours: its runs start, are watched, canceled, timed and collected all the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from far_machine import Far, check_speaker, speaker
from ssh_server import SshServer, attach_server
from support import log_of, until
from wrong_clock import python_with_wrong_clock

from aml_jupyter.service import SubmitRequest, cancel_run, submit
from aml_jupyter.service.remote import attach_target
from aml_jupyter.supervisor.control_files import read_attempt
from aml_jupyter.workspace import WorkspaceFolder, get_run, transitions

pytestmark = pytest.mark.timeout(300)
HOURS = 5 * 3600


@pytest.mark.parametrize("seconds", [HOURS, -HOURS], ids=["ahead", "behind"])
def test_nothing_depends_on_the_clock_over_there(
    folder: WorkspaceFolder, ssh_server: Callable[..., SshServer], tmp_path: Path, seconds: int
) -> None:
    python = python_with_wrong_clock(tmp_path / "clock", seconds)
    server = ssh_server()
    project = tmp_path / "project"
    project.mkdir()
    attach_server(folder, server, "box", tmp_path / "far", max_parallel=2, python=str(python))
    far = Far(folder, server, project, tmp_path / "far")
    way = {"address": server.address, "ssh_key": str(server.key), "fingerprint": server.fingerprint}
    looked = attach_target(
        folder, "twin", "remote", {**way, "base_folder": str(tmp_path / "far"), "python": str(python)}
    )
    assert any(
        "its clock is" in problem and ("ahead" if seconds > 0 else "behind") in problem for problem in looked.problems
    )

    begun = time.time()
    text, stop = speaker(far, tmp_path)
    run = far.submit(text)
    until(lambda: "line 20" in log_of(folder, run.id), 60, "the run speaks")
    there = read_attempt(str(far.far_log(run).parent.parent))
    assert there is not None and abs(there["started"] - time.time() - seconds) < 3600, "its clock was not wrong"
    stop.touch()
    check_speaker(far, run, tmp_path)
    record = get_run(folder.store.read(), run.id)
    assert record.started is not None and record.ended is not None
    assert begun - 1 <= record.started <= record.ended <= time.time() + 1
    seen = [change.after for change in transitions(folder.store.read(), run.id)]
    assert "NotResponding" not in seen and seen[-1] == "Completed"

    waits = far.submit("import time\nprint('begun', flush=True)\ntime.sleep(600)", "wait.py", grace_seconds=1)
    until(lambda: "begun" in log_of(folder, waits.id), 60, "it runs")
    cancel_run(folder, waits.id)
    assert far.end(waits).status == "Canceled"
    config = far.config("import time\nprint('begun', flush=True)\ntime.sleep(600)", "timed.py")
    config.run_config.max_run_duration_seconds = 2
    timed = far.end(submit(folder, SubmitRequest(config, "far")).run)
    assert timed.status == "Failed" and "max_run_duration" in timed.reason, timed.reason
    assert timed.started is not None and timed.ended is not None and 0 <= timed.ended - timed.started < 60

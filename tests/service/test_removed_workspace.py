"""A service does not outlive its workspace."""

from __future__ import annotations

import shutil

from support import Submit, until

from aml_jupyter.service import service_status, wait_for_run
from aml_jupyter.supervisor.identity import start_time
from aml_jupyter.workspace import WorkspaceFolder


def test_the_service_of_a_removed_workspace_leaves(folder: WorkspaceFolder, submit_script: Submit) -> None:
    wait_for_run(folder, submit_script("").id, timeout=30)
    status = service_status(folder)
    assert status is not None and start_time(status.pid)
    folder.close()
    shutil.rmtree(folder.root)
    until(lambda: start_time(status.pid) is None, 30, "the service's end")

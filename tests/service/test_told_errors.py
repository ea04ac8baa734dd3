"""What a run says of its own failure stands in its history; an exit code alone explains nothing."""

from __future__ import annotations

from support import Submit

from aml_jupyter.service import stop_service, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, get_run, rebuild_workspace

TELLS = """
import os, sys
from azureml.core import Run
if os.environ["AML_ATTEMPT"] == "1":
    Run.get_context().fail("the data is not there")
    sys.exit(3)
sys.exit(4)
"""


def test_what_the_script_says_is_the_error_and_a_rebuild_keeps_it(
    folder: WorkspaceFolder, submit_script: Submit
) -> None:
    done = wait_for_run(folder, submit_script(TELLS).id, timeout=60)
    assert done.status == "Failed" and done.error is not None
    assert done.error["message"] == "the data is not there (the process ended with exit code 3)"
    stop_service(folder)
    folder.close()
    rebuild_workspace(folder.root)
    again = WorkspaceFolder.open(folder.root)
    assert get_run(again.store.read(), done.id).error == done.error
    again.close()


def test_the_error_of_an_earlier_attempt_does_not_explain_a_later_one(
    folder: WorkspaceFolder, submit_script: Submit
) -> None:
    done = wait_for_run(folder, submit_script(TELLS, max_retries=1).id, timeout=60)
    assert (done.status, done.attempt) == ("Failed", 2) and done.error is not None
    assert done.error["message"] == "the process ended with exit code 4"

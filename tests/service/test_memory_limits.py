"""A run has the memory that it asks for, and says so when that was not enough."""

from __future__ import annotations

import json

import pytest
from support import Submit, log_of

from aml_jupyter.errors import UserErrorException
from aml_jupyter.service import wait_for_run
from aml_jupyter.views import run_view
from aml_jupyter.views.formats import size_text
from aml_jupyter.workspace import WorkspaceFolder, get_run

LIMIT = 120 * 10**6
GROWS = "print('starts')\nx = []\nfor _ in range(100):\n    x.append(b'x' * 10**7)\nprint('never')"


def test_a_run_that_uses_more_than_its_limit_fails_and_names_limit_and_peak(
    folder: WorkspaceFolder, submit_script: Submit
) -> None:
    other = submit_script("import time\ntime.sleep(1)\nprint('other')", name="other.py")
    run = submit_script(GROWS, memory=LIMIT)
    ended = wait_for_run(folder, run.id, timeout=60)
    assert (ended.status, ended.exit_code) == ("Failed", None)
    told = "out of memory: its processes went over the run's memory limit of 120 MB (their peak was 1"
    assert ended.reason.startswith(told)
    assert ended.error is not None
    assert (ended.error["type"], ended.error["log_tail"]) == ("out of memory", "starts")
    assert ended.error["message"] == ended.reason
    shown = run_view(folder, run.id)
    peak = shown.attempts[0].peak_memory
    assert peak is not None and peak >= LIMIT
    for text in (shown.as_text(), shown.as_html()):
        assert f"memory {size_text(peak)} of 120 MB" in text
    assert told in " ".join(shown.as_text(200).split())
    facts = shown.as_json()
    assert (facts["memory"], facts["attempts"][0]["peak_memory"]) == (LIMIT, peak)
    assert facts["attempts"][0]["reason"] == "out of memory"
    assert wait_for_run(folder, other.id, timeout=60).status == "Completed"
    assert log_of(folder, other.id) == "other\n"
    json.dumps(facts)


def test_a_run_that_asked_to_be_tried_again_is(folder: WorkspaceFolder, submit_script: Submit) -> None:
    first_time = "import os\nif os.environ['AML_ATTEMPT'] == '1':\n    x = [b'x' * 10**7 for _ in range(100)]\n"
    run = submit_script(first_time, memory=LIMIT, max_retries=1)
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    assert get_run(folder.store.read(), run.id).attempt == 2


def test_a_limit_that_lacks_its_unit_is_refused(folder: WorkspaceFolder, submit_script: Submit) -> None:
    with pytest.raises(UserErrorException, match=r"memory is 4 bytes; at least 1 MB was expected.*4GB"):
        submit_script("print(1)", memory=4)
    assert list(folder.layout.runs.iterdir()) == []

"""A run reads the workspace's secrets; their values stay out of logs, the database and the request files."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from support import Submit, log_of, until

from aml_jupyter import UserErrorException, Workspace
from aml_jupyter.sdk import Keyvault
from aml_jupyter.service import wait_for_run
from aml_jupyter.supervisor import protocol
from aml_jupyter.workspace import WorkspaceFolder, get_run, set_secret

VALUE = "hunter2-5d0c"
SCRIPT = """
import json, os
from azureml.core import Keyvault, Run
from azureml.exceptions import UserErrorException
run = Run.get_context()
value = run.get_secret("api-token")
found = run.get_secrets(["api-token", "other"])
assert found == {"api-token": value, "other": None}
assert run.experiment.workspace.get_default_keyvault().get_secret("api-token") == value
said = []
for name in ("other", "target/gpu-box"):
    try:
        run.get_secret(name)
    except UserErrorException as error:
        said.append(str(error))
print(json.dumps([len(value), said]))
print(run.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"].count("hunter"), flush=True)
"""
KILLED = """
import os, signal
import aml_supervisor.client.requests as requests
from azureml.core import Run
run = Run.get_context()
requests._remove = lambda path: os.kill(os.getpid(), signal.SIGKILL)
run.get_secret("api-token")
"""


def _holders(root: Path) -> list[str]:
    return [
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and VALUE.encode() in path.read_bytes() and path.parent.name != "secrets"
    ]


def test_a_run_reads_secrets_and_leaves_no_trace_of_them(folder: WorkspaceFolder, submit_script: Submit) -> None:
    Keyvault(Workspace(folder)).set_secret("api-token", VALUE)
    set_secret(folder, "target/gpu-box", "the workspace's own")
    run = submit_script(SCRIPT)
    done = wait_for_run(folder, run.id, timeout=60)
    assert done.status == "Completed", log_of(folder, run.id)
    first, counted = log_of(folder, run.id).splitlines()
    length, said = json.loads(first)
    assert (length, counted) == (len(VALUE), "0")
    assert "has no secret 'other'" in said[0] and "cannot be used: expected 1 to 127 letters" in said[1]
    assert _holders(folder.root) == []


def test_an_answer_that_nobody_took_is_removed(folder: WorkspaceFolder, submit_script: Submit) -> None:
    set_secret(folder, "api-token", VALUE)
    run = submit_script(KILLED)
    assert wait_for_run(folder, run.id, timeout=60).status == "Failed"
    ended = get_run(folder.store.read(), run.id)
    assert str(int(signal.SIGKILL)) in json.dumps(ended.error) or ended.exit_code != 0
    replies = folder.layout.run(run.id).attempt(1).control / protocol.REPLIES
    until(lambda: not list(replies.iterdir()), message="the empty folder of replies")
    assert _holders(folder.root) == []


def test_a_keyvault_keeps_checks_and_forgets(folder: WorkspaceFolder) -> None:
    keyvault = Workspace(folder).get_default_keyvault()
    keyvault.set_secrets({"a": "1", "b-2": "2"})
    assert keyvault.get_secret("a") == "1"
    assert keyvault.get_secrets(["a", "b-2", "c"]) == {"a": "1", "b-2": "2", "c": None}
    keyvault.delete_secrets(["a"])
    with pytest.raises(UserErrorException, match="no secret 'a'"):
        keyvault.get_secret("a")
    for name in ("", "with space", "a/b", "x" * 128):
        with pytest.raises(UserErrorException, match="1 to 127 letters, digits and hyphens"):
            keyvault.set_secret(name, "1")
    with pytest.raises(UserErrorException, match="no text but int"):
        keyvault.set_secret("n", 1)  # type: ignore[arg-type]

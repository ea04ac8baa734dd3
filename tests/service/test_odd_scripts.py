"""Scripts that do what scripts do to the files around them: their runs end, and so do everybody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import Submit, log_of

from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, artifact_path, get_metrics, list_artifacts

GARBAGE = """
import os
from azureml.core import Run
run = Run.get_context()
run.log("before", 1)
events = os.path.join(os.environ["AML_CONTROL"], "events")
with open(os.path.join(events, "999999.jsonl"), "wb") as stream:
    stream.write(os.urandom(100000) + b"\\n" + b"[" * 100000 + b"\\n")
    stream.write(b'{"e":"metric","n":"late","v":1,"t":1}\\n')
os.mkdir(os.path.join(events, "folder.jsonl"))
os.symlink("/etc/passwd", os.path.join(events, "link.jsonl"))
os.mkfifo(os.path.join(events, "pipe.jsonl"))
run.log("after", 2)
"""


def test_garbage_among_the_events_is_passed_over(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script(GARBAGE)
    done = wait_for_run(folder, run.id, timeout=30)
    assert done.status == "Completed", (done.status, done.reason)
    assert get_metrics(folder.store.read(), run.id) == {"before": 1, "after": 2, "late": 1}


@pytest.mark.parametrize("name", ["-dash.py", "sp ace.py", "日本.py", "new\nline.py", "-dash.sh"])
def test_a_script_may_be_called_anything(folder: WorkspaceFolder, submit_script: Submit, name: str) -> None:
    run = submit_script("echo ran" if name.endswith("sh") else "print('ran')", name=name)
    assert wait_for_run(folder, run.id, timeout=30).status == "Completed", log_of(folder, run.id)
    assert log_of(folder, run.id) == "ran\n"


def test_output_files_may_be_called_anything(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script(
        r"""
import os
for name in (b"\xff\xfe.bin", b"\xff\xfd.bin", b"back\\slash", "日本 x".encode(), b"new\nline", b"n" * 255):
    with open(b"outputs/" + name, "wb") as stream:
        stream.write(name)
"""
    )
    assert wait_for_run(folder, run.id, timeout=30).status == "Completed"
    names = [entry.name for entry in list_artifacts(folder.store.read(), run.id) if entry.name.startswith("outputs/")]
    assert len(names) == 6 and "outputs/\\xff\\xfe.bin" in names and "outputs/back\\slash" in names
    for name in names:
        path: Path = artifact_path(folder, run.id, name)
        assert path.read_bytes() == os.fsencode(path.name)

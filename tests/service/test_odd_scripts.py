"""Scripts that do what scripts do to the files around them: their runs end, and so do everybody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import Submit, log_of, until

from aml_jupyter.service import wait_for_run
from aml_jupyter.supervisor.identity import survivors
from aml_jupyter.supervisor.protocol import attempt_token
from aml_jupyter.workspace import WorkspaceFolder, artifact_path, get_metrics, get_run, list_artifacts

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


@pytest.mark.parametrize(
    ("what", "end"),
    [
        ("open(c + '/result.json', 'w').write('not json')", "Failed"),
        ('open(c + \'/result.json\', \'w\').write(\'{"reason": "exit", "exit_code": "0"}\')', "Failed"),
        ("open(c + '/attempt.json', 'wb').write(bytes([0, 255])); time.sleep(600)", "Failed"),
        ("open(c + '/attempt.json', 'w').write('[1]'); time.sleep(600)", "Failed"),
        ("shutil.rmtree(c); time.sleep(600)", "Failed"),
        ("shutil.rmtree('..'); time.sleep(600)", "Failed"),
        ("os.unlink(c + '/user_logs/std_log.txt'); os.mkfifo(c + '/user_logs/std_log.txt')", "Completed"),
        ("shutil.rmtree(c + '/events', ignore_errors=True); open(c + '/events', 'w')", "Completed"),
        ("os.chmod('outputs', 0); os.unlink('t.py')", "Completed"),
    ],
)
def test_what_a_script_does_to_its_control_files_hurts_itself_alone(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path, what: str, end: str
) -> None:
    gate = tmp_path / "gate"
    text = f"import os, shutil, time\nc = os.environ['AML_CONTROL']\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    run = submit_script(f"{text}{what}\n", name="t.py")
    until(lambda: get_run(folder.store.read(), run.id).status == "Running")
    gate.touch()
    other = submit_script("print('fine')")
    assert wait_for_run(folder, other.id, timeout=30).status == "Completed"
    assert wait_for_run(folder, run.id, timeout=30).status == end
    assert not survivors(attempt_token(folder.id, run.id, 1))


def test_nonsense_among_the_requests_is_answered(folder: WorkspaceFolder, submit_script: Submit) -> None:
    victim = folder.layout.runs.parent.parent / "victim"
    victim.mkdir()
    (victim / "precious").touch()
    run = submit_script(
        """
import json, os, time
c = os.environ["AML_CONTROL"]
os.makedirs(c + "/requests", exist_ok=True)
asked = ["garbage", "{}", '{"op": "submit_child", "args": 7}', '{"op": "submit_child", "args": {"config": {"script": 5}}}',
         '{"op": "wait", "args": {"seconds": "x"}}', '{"op": "set_tags", "args": {"tags": [1]}}',
         '{"op": "fetch_file", "args": {"name": "../../../../workspace.json"}}',
         '{"op": "submit_child", "args": {"id": "../../victim", "config": {"script": "train.py"}}}']
for number, text in enumerate(asked):
    with open(c + "/requests/.%d" % number, "w") as stream:
        stream.write(text)
    os.rename(c + "/requests/.%d" % number, c + "/requests/%d.json" % number)
for number in range(len(asked)):
    while not os.path.exists(c + "/replies/%d.json" % number):
        time.sleep(0.01)
    assert json.load(open(c + "/replies/%d.json" % number))["ok"] is False, number
"""
    )
    assert wait_for_run(folder, run.id, timeout=30).status == "Completed", log_of(folder, run.id)
    assert (victim / "precious").exists()
    assert len(list(folder.layout.runs.iterdir())) == 1

"""A script goes through snapshot, queue, supervisor and result."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from support import Submit, log_of, until

from aml_jupyter.service import (
    cancel_run,
    create_target,
    resubmit_run,
    service_status,
    start_target,
    stop_service,
    stop_target,
    wait_for_run,
)
from aml_jupyter.workspace import (
    WorkspaceFolder,
    artifact_path,
    attempts,
    find_runs,
    get_metrics,
    get_run,
    list_artifacts,
    place_in_line,
    transitions,
)


def test_a_script_runs_and_its_result_comes_back(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script(
        """
import sys, os
from azureml.core import Run
run = Run.get_context()
for i in range(3):
    run.log("loss", 1 / (i + 1), step=i)
run.log("name", "x")
run.tag("colour", "blue")
os.makedirs("outputs", exist_ok=True)
open("outputs/model.txt", "w").write("the model")
print("arguments", sys.argv[1:])
""",
        arguments=["--lr", 0.1],
    )
    assert run.status == "Queued"
    done = wait_for_run(folder, run.id, timeout=60)
    assert done.status == "Completed", (done.reason, done.error)
    assert done.exit_code == 0
    assert "arguments ['--lr', '0.1']" in log_of(folder, run.id)
    db = folder.store.read()
    metrics = get_metrics(db, run.id)
    assert metrics["loss"] == [1.0, 0.5, pytest.approx(1 / 3)]
    assert metrics["name"] == "x"
    assert get_run(db, run.id).tags["colour"] == "blue"
    assert artifact_path(folder, run.id, "outputs/model.txt").read_text() == "the model"
    assert "user_logs/std_log.txt" in [artifact.name for artifact in list_artifacts(db, run.id)]
    states = [entry.after for entry in transitions(db, run.id)]
    assert states == ["Queued", "Starting", "Running", "Completed"]


def test_many_outputs_are_indexed_in_the_state_finalizing(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script(
        "import os\nfor i in range(3000):\n    os.makedirs(f'outputs/{i % 50}', exist_ok=True)\n"
        "    open(f'outputs/{i % 50}/{i}', 'w').close()"
    )
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    db = folder.store.read()
    assert len([artifact for artifact in list_artifacts(db, run.id) if artifact.name.startswith("outputs/")]) == 3000
    assert "Finalizing" in [entry.after for entry in transitions(db, run.id)]


def test_a_failing_script_shows_its_traceback(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script("raise ValueError('what went wrong')")
    done = wait_for_run(folder, run.id, timeout=60)
    assert (done.status, done.exit_code) == ("Failed", 1)
    assert done.error is not None
    assert "ValueError: what went wrong" in done.error["log_tail"]
    assert Path(done.error["log_path"]).exists()
    assert "exit code 1" in done.error["message"]


def test_exit_zero_by_sys_exit_is_success(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script("import sys; sys.exit(0)")
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"


def test_retries_run_again_in_a_folder_of_their_own(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    run = submit_script(
        f"""
import os, sys
with open({str(ledger)!r}, "a") as f: f.write(os.environ["AML_ATTEMPT"] + "\\n")
assert not os.path.exists("mark")
open("mark", "w")
sys.exit(0 if os.environ["AML_ATTEMPT"] == "3" else 4)
""",
        max_retries=2,
    )
    done = wait_for_run(folder, run.id, timeout=60)
    assert (done.status, done.attempt) == ("Completed", 3)
    assert ledger.read_text().split() == ["1", "2", "3"]
    assert [attempt.exit_code for attempt in attempts(folder.store.read(), run.id)] == [4, 4, 0]
    assert "Failed" not in [entry.after for entry in transitions(folder.store.read(), run.id)]


def test_cancel_ends_a_script_that_ignores_term(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script(
        """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *a: print("TERM at", time.time(), flush=True))
child = subprocess.Popen([sys.executable, "-c", "import signal,time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"],
                         start_new_session=True)
print("child", child.pid, flush=True)
while True: time.sleep(1)
""",
        grace_seconds=1,
    )
    until(lambda: get_run(folder.store.read(), run.id).status == "Running", message="running")
    until(lambda: "child" in log_of(folder, run.id), message="the child's line")
    child = int(log_of(folder, run.id).split("child")[1].split()[0])
    asked = time.time()
    assert cancel_run(folder, run.id).status == "CancelRequested"
    done = wait_for_run(folder, run.id, timeout=20)
    assert done.status == "Canceled"
    assert done.ended is not None and done.ended - asked < 1 + 2
    term = float(log_of(folder, run.id).split("TERM at")[1].split()[0])
    assert term - asked < 2
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_queued_run_is_canceled_at_once(folder: WorkspaceFolder, submit_script: Submit) -> None:
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    stop_target(folder, "ci-one")
    run = submit_script("print(1)", target="ci-one")
    assert cancel_run(folder, run.id, "changed my mind").status == "Canceled"
    assert get_run(folder.store.read(), run.id).reason == "changed my mind"


def test_jobs_of_a_stopped_instance_wait_until_it_is_started(folder: WorkspaceFolder, submit_script: Submit) -> None:
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    stop_target(folder, "ci-one")
    run = submit_script("print(1)", target="ci-one")
    other = submit_script("print(2)")
    assert wait_for_run(folder, other.id, timeout=60).status == "Completed"
    waiting = get_run(folder.store.read(), run.id)
    assert waiting.status == "Queued"
    assert "ci-one" in waiting.reason and "Stopped" in waiting.reason
    start_target(folder, "ci-one")
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"


def test_a_signal_is_named_once(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert wait_for_run(folder, run.id, timeout=60).reason == "the process was ended by SIGKILL"


def test_timeout_ends_the_run_with_that_reason(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script("import time; time.sleep(600)", max_seconds=1, grace_seconds=1)
    done = wait_for_run(folder, run.id, timeout=30)
    assert done.status == "Failed"
    assert done.reason == "the run was ended: it ran for 1 s, which is its limit (max_run_duration_seconds)"
    assert done.ended - done.started < 4  # type: ignore[operator]


def test_never_more_than_max_parallel_and_order_is_kept(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path
) -> None:
    create_target(folder, "ci-four", "computeinstance", {"max_parallel": 4})
    ledger = tmp_path / "ledger"
    text = f"""
import os, time
def note(what):
    fd = os.open({str(ledger)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (what + " " + os.environ["AML_RUN_NUMBER"] + "\\n").encode())
    os.close(fd)
note("begin")
time.sleep(0.05)
note("end")
"""
    runs = [submit_script(text, target="ci-four") for _ in range(100)]
    for run in runs:
        assert wait_for_run(folder, run.id, timeout=120).status == "Completed"
    running, most, begun = 0, 0, []
    for line in ledger.read_text().splitlines():
        what, number = line.split()
        running += 1 if what == "begin" else -1
        most = max(most, running)
        if what == "begin":
            begun.append(int(number))
    assert most <= 4
    assert sorted(begun) == [run.number for run in runs]
    started = [get_run(folder.store.read(), run.id) for run in runs]
    claims = [
        next(entry.id for entry in transitions(folder.store.read(), run.id) if entry.after == "Starting")
        for run in started
    ]
    assert claims == sorted(claims)


def test_priority_goes_first(folder: WorkspaceFolder, submit_script: Submit) -> None:
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    stop_target(folder, "ci-one")
    low = submit_script("print(1)", target="ci-one")
    high = submit_script("print(2)", target="ci-one", priority=5)
    db = folder.store.read()
    assert (place_in_line(db, high.id), place_in_line(db, low.id)) == (1, 2)
    start_target(folder, "ci-one")
    first = wait_for_run(folder, high.id, timeout=60)
    second = wait_for_run(folder, low.id, timeout=60)
    assert first.started < second.started  # type: ignore[operator]


def test_resubmit_runs_the_same_snapshot(folder: WorkspaceFolder, submit_script: Submit, project: Path) -> None:
    run = submit_script("print('first text')")
    wait_for_run(folder, run.id, timeout=60)
    (project / "train.py").write_text("print('changed')")
    again = resubmit_run(folder, run.id).run
    assert wait_for_run(folder, again.id, timeout=60).status == "Completed"
    assert again.id != run.id
    assert "first text" in log_of(folder, again.id)


def test_the_service_goes_idle_and_comes_back(
    folder: WorkspaceFolder, submit_script: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AML_SERVICE_LINGER", "0.2")
    run = submit_script("print(1)")
    wait_for_run(folder, run.id, timeout=60)
    until(lambda: not service_status(folder).alive, message="the service has left")  # type: ignore[union-attr]
    again = submit_script("print(2)")
    assert wait_for_run(folder, again.id, timeout=60).status == "Completed"


def test_a_killed_service_is_replaced_and_the_run_goes_on(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    go = tmp_path / "go"
    run = submit_script(
        f"import os, time; open({str(ledger)!r}, 'a').write('x'); print('begun', flush=True)\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        "print('went on')"
    )
    until(lambda: get_run(folder.store.read(), run.id).status == "Running", message="running")
    status = service_status(folder)
    assert status is not None and status.alive
    os.kill(status.pid, signal.SIGKILL)
    waits = threading.Thread(target=wait_for_run, args=(folder, run.id, 60))  # whoever waits has another one started
    waits.start()
    until(lambda: service_status(folder).epoch > status.epoch, message="the next service")  # type: ignore[union-attr]
    assert get_run(folder.store.read(), run.id).status == "Running"
    go.touch()
    waits.join()
    assert get_run(folder.store.read(), run.id).status == "Completed"
    assert ledger.read_text() == "x"
    assert log_of(folder, run.id).split("\n") == ["begun", "went on", ""]


def test_stop_leaves_runs_alive(folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path) -> None:
    go = tmp_path / "go"
    run = submit_script(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('done')")
    until(lambda: get_run(folder.store.read(), run.id).status == "Running", message="running")
    assert stop_service(folder)
    go.touch()
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    assert len(find_runs(folder.store.read())) == 1


def test_the_command_line_in_a_run_sees_the_runs_workspace(folder: WorkspaceFolder, submit_script: Submit) -> None:
    text = """
import json, os, subprocess, sys
said = subprocess.run([sys.executable, "-m", "aml_jupyter", "run", "list", "--json"], capture_output=True, text=True)
print(said.stderr, flush=True)
assert os.environ["AML_RUN_ID"] in [each["id"] for each in json.loads(said.stdout)], said
"""
    done = wait_for_run(folder, submit_script(text).id, timeout=60)
    assert done.status == "Completed", (done.reason, log_of(folder, done.id))

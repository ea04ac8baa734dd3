"""Runs on another machine: a real SSH server, its own base folder, and a link that is cut, killed and made again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from far_machine import Far, check_speaker, speaker
from ssh_server import attach_server
from support import files_below, log_of, until
from wheels import make_wheel

from aml_jupyter.config import CondaDependencies, Environment, ScriptRunConfig
from aml_jupyter.errors import AmlError
from aml_jupyter.sdk import ComputeTarget, RemoteCompute, Workspace
from aml_jupyter.sdk.outputs import load_outputs
from aml_jupyter.service import (
    SubmitRequest,
    cancel_run,
    service_status,
    stop_service,
    submit,
)
from aml_jupyter.service.remote import change_target, clean_target, detach_unreachable, prepare_there
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    find_target,
    get_metrics,
    get_run,
    list_artifacts,
    list_models,
    set_secret,
)

pytestmark = pytest.mark.timeout(300)


EVERYTHING = """
import os, sys
from azureml.core import Run
run = Run.get_context()
print(open("data.txt").read(), os.environ["GREETING"], sys.executable, flush=True)
for number in range(100):
    run.log("loss", 1 / (number + 1))
run.tag("kind", "far")
os.makedirs("outputs/deep", exist_ok=True)
open("outputs/deep/model.bin", "wb").write(os.urandom(700_000))
open("elsewhere.txt", "w").write("not an output")
run.upload_file("logs/uploaded.txt", "elsewhere.txt")
print("secret", run.get_secret("token")[::-1] == "terc3s")
model = run.register_model("net", "outputs/deep/model.bin")
print("model", model.version)
child = run.submit_child({"source_directory": ".", "script": "child.py"})
child.wait_for_completion()
print("child", child.get_status(), child.get_metrics())
"""


def test_a_script_finds_and_leaves_what_it_does_on_this_machine(far: Far) -> None:
    set_secret(far.folder, "token", "s3cret")
    (far.project / "child.py").write_text("from azureml.core import Run\nRun.get_context().log('answer', 42)\n")
    run = far.submit(EVERYTHING)
    done = far.end(run)
    log = log_of(far.folder, run.id)
    assert done.status == "Completed", (done.reason, log)
    assert log.startswith("snapshot\n hello /"), log
    assert "secret True\nmodel 1\n" in log and "child Completed {'answer': 42}" in log
    db = far.folder.store.read()
    assert len(get_metrics(db, run.id)["loss"]) == 100 and get_run(db, run.id).tags["kind"] == "far"
    names = {artifact.name for artifact in list_artifacts(db, run.id)}
    assert {"outputs/deep/model.bin", "logs/uploaded.txt", "user_logs/std_log.txt"} <= names
    assert [record.name for record in list_models(db)] == ["net"]
    attempt = far.folder.layout.run(run.id).attempt(1)
    assert (attempt.work / "outputs/deep/model.bin").stat().st_size == 700_000
    assert not (attempt.control / "launch.json").exists()  # it has the values of variables
    until(lambda: not list(far.base.glob("runs/*/*/attempts/*")), message="the removal over there")
    assert b"s3cret" not in b"".join(files_below(far.base).values())
    children = [row for row in _runs(far) if row.parent == run.id]
    assert [child.target for child in children] == ["box"]


def _runs(far: Far) -> list[RunRecord]:
    from aml_jupyter.workspace import find_runs

    return find_runs(far.folder.store.read(), children=True, include_hidden=True)


def test_a_cut_link_loses_and_repeats_nothing(far: Far, tmp_path: Path) -> None:
    text, stop = speaker(far, tmp_path)
    run = far.submit(text)
    for number in range(3):
        until(lambda n=number: f"line {n * 30 + 10}\n" in log_of(far.folder, run.id), 60, "lines of the log")
        far.cut()
    until(lambda: "line 100\n" in log_of(far.folder, run.id), 60, "lines after the last cut")
    assert far.status(run) == "Running"
    stop.touch()
    check_speaker(far, run, tmp_path)


def test_a_run_goes_on_while_nobody_is_there(far: Far, tmp_path: Path) -> None:
    text, stop = speaker(far, tmp_path)
    run = far.submit(text)
    until(lambda: "line 10\n" in log_of(far.folder, run.id), 60, "lines of the log")
    for _ in range(2):
        os.kill(service_status(far.folder).pid, signal.SIGKILL)
        wanted = len(log_of(far.folder, run.id)) + 200
        until(lambda size=wanted: far.far_log(run).stat().st_size > size, 30, "more lines over there")
        far.submit("pass", "other.py")  # starts a service
        until(lambda size=wanted: len(log_of(far.folder, run.id)) > size, 60, "lines after the kill")
    os.kill(service_status(far.folder).pid, signal.SIGKILL)
    stop.touch()
    until(lambda: "end" in far.far_log(run).read_text(), 30, "the end over there")
    far.end(far.submit("pass", "other.py"))
    check_speaker(far, run, tmp_path)


def test_services_that_race_for_a_workspace_start_and_tell_nothing_twice(far: Far, tmp_path: Path) -> None:
    text, stop = speaker(far, tmp_path)
    run = far.submit(text)
    until(lambda: "line 10\n" in log_of(far.folder, run.id), 60, "lines of the log")
    winner = None
    for _ in range(3):
        os.kill(service_status(far.folder).pid, signal.SIGKILL)
        if winner is not None:
            winner.wait(60)
        wanted = len(log_of(far.folder, run.id)) + 200
        line = [sys.executable, "-c", "import sys; from aml_jupyter.cli.main import main; sys.exit(main())", "serve"]
        line += ["--until-idle", "--workspace", str(far.folder.root)]
        racers = {racer.pid: racer for racer in (subprocess.Popen(line, stderr=subprocess.DEVNULL) for _ in range(4))}
        until(lambda one=racers: service_status(far.folder).pid in one, 60, "that one of them serves")
        winner = racers.pop(service_status(far.folder).pid)
        for loser in racers.values():
            loser.wait(60)
        until(lambda size=wanted: len(log_of(far.folder, run.id)) > size, 60, "lines after the race")
        assert winner.poll() is None and service_status(far.folder).pid == winner.pid
    stop.touch()
    check_speaker(far, run, tmp_path)
    assert winner is not None and winner.wait(60) == 0


def test_it_is_canceled_when_the_link_stands_again(far: Far, tmp_path: Path) -> None:
    text, _ = speaker(far, tmp_path)
    run = far.submit(text, grace_seconds=1)
    until(lambda: far.status(run) == "Running" and "line 3\n" in log_of(far.folder, run.id), 60, "the run")
    far.server.stop()
    cancel_run(far.folder, run.id)
    here = far.far_log(run).stat().st_size
    until(lambda: far.far_log(run).stat().st_size > here + 100, 30, "that it goes on")
    assert far.status(run) == "CancelRequested"
    far.server.start()
    assert far.end(run).status == "Canceled"
    assert log_of(far.folder, run.id).startswith("line 0\nline 1\n")


def test_what_waits_for_a_machine_says_so_and_starts_when_it_is_back(far: Far) -> None:
    far.server.stop()
    run = far.submit("print('there')")
    until(lambda: "refuses connections" in get_run(far.folder.store.read(), run.id).reason, 30, "the reason")
    assert far.status(run) == "Queued"
    gone = far.submit("pass", "gone.py")
    cancel_run(far.folder, gone.id)
    assert far.end(gone).status == "Canceled"
    far.server.start()
    assert far.end(run).status == "Completed"


def test_a_lost_supervisor_is_seen_from_here(far: Far, tmp_path: Path) -> None:
    text, _ = speaker(far, tmp_path)
    run = far.submit(text)
    until(lambda: far.status(run) == "Running" and "line 3\n" in log_of(far.folder, run.id), 60, "the run")
    attempt = json.loads((far.folder.layout.run(run.id).attempt(1).control / "attempt.json").read_text())
    os.kill(attempt["supervisor"]["pid"], signal.SIGKILL)
    done = far.end(run)
    assert done.status == "Failed" and "supervisor" in done.reason
    until(lambda: not psutil.pid_exists(attempt["process"]["pid"]), message="the end of its process")
    assert "line 0\n" in log_of(far.folder, run.id)


def test_slots_are_shared_by_workspaces_and_waiting_is_explained(far: Far, tmp_path: Path) -> None:
    other = WorkspaceFolder.open(tmp_path / "other", create=True)
    attach_server(other, far.server, "box", far.base, max_parallel=2)
    text, stop = speaker(far, tmp_path)
    mine = [far.submit(text, cores=2)]
    until(lambda: far.status(mine[0]) == "Running", 60, "the first run")
    theirs = Far(other, far.server, far.project, far.base)
    waits = theirs.submit("print('mine at last')", "waits.py")
    until(lambda: "taken by workspace" in get_run(other.store.read(), waits.id).reason, 60, "the reason")
    assert get_run(other.store.read(), waits.id).status == "Queued"
    stop.touch()
    assert theirs.end(waits).status == "Completed" and far.end(mine[0]).status == "Completed"
    stop_service(other)
    other.close()


def test_packages_are_installed_over_there_once_and_the_log_of_that_is_here(far: Far, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "tiny", "1.5")

    def asks(*packages: str) -> RunRecord:
        (far.project / "train.py").write_text("import sys, tiny; print(tiny.__version__, sys.prefix)")
        config = ScriptRunConfig(source_directory=str(far.project), script="train.py")
        config.run_config.target = "box"
        content = {"dependencies": [{"pip": ["--no-index", f"--find-links {tmp_path / 'wheels'}", *packages]}]}
        config.run_config.environment.python.conda_dependencies = CondaDependencies.from_dict(content)
        return submit(far.folder, SubmitRequest(config, "far")).run

    first, second = asks("tiny"), asks("tiny")
    assert [far.end(run).status for run in (first, second)] == ["Completed", "Completed"], log_of(far.folder, first.id)
    (built,) = (far.base / "environments").iterdir()
    assert [log_of(far.folder, run.id).split() for run in (first, second)] == [["1.5", str(built / "env")]] * 2
    assert (built / "recipe.json").stat().st_mode & 0o077 == 0  # addresses of indexes may have credentials
    logs = [far.folder.layout.run(run.id).attempt(1).control / "build_log.txt" for run in (first, second)]
    assert (built / "log.txt").read_bytes() in [log.read_bytes() for log in logs if log.exists()]
    assert clean_target(far.folder, "box", 1)["environments"] == [0, 0]
    there = clean_target(far.folder, "box", 0, dry_run=True)
    assert there["environments"][0] == 2 and there["content"][0] >= 2 and built.exists()  # uv is the other one
    assert (
        clean_target(far.folder, "box", 0) == there and not built.exists() and not list((far.base / "tools").iterdir())
    )
    again = far.end(asks("tiny"))
    assert again.status == "Completed" and log_of(far.folder, again.id).startswith("1.5"), again.reason
    said: list[str] = []
    record = find_target(far.folder.store.read(), "box")
    assert record is not None
    environment = Environment("seven")
    environment.python.conda_dependencies = CondaDependencies.from_dict(
        {"dependencies": [{"pip": ["--no-index", f"--find-links {tmp_path / 'wheels'}", "tiny==1.5"]}]}
    )
    python = prepare_there(far.folder, record, environment, [], said.append)
    assert python is not None and Path(python).exists() and "tiny" in "".join(said)
    assert prepare_there(far.folder, record, Environment("nothing"), [], said.append) is None
    failed = far.end(asks("no-such-package"))
    assert failed.status == "Failed" and "could not be built on box" in failed.reason
    control = far.folder.layout.run(failed.id).attempt(1).control
    assert "no-such-package" in (control / "build_log.txt").read_text()


def test_a_local_wheel_goes_along_with_the_packages(far: Far, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "mine", "small", "2.5")
    content = {"dependencies": [{"pip": ["--no-index", str(wheel)]}]}

    def asks(name: str, text: str) -> RunRecord:
        config = far.config(text, name)
        config.run_config.environment.python.conda_dependencies = CondaDependencies.from_dict(content)
        return submit(far.folder, SubmitRequest(config, "far")).run

    run = asks("train.py", "import small, os; print(small.__version__, os.path.dirname(small.__file__))")
    wheel.unlink()  # it was kept at the submit
    assert far.end(run).status == "Completed", log_of(far.folder, run.id)
    version, place = log_of(far.folder, run.id).split()
    assert version == "2.5" and place.startswith(str(far.base / "environments"))
    record = find_target(far.folder.store.read(), "box")
    assert record is not None
    again = make_wheel(tmp_path / "mine", "other", "1.0")
    environment = Environment("other")
    environment.python.conda_dependencies = CondaDependencies.from_dict(
        {"dependencies": [{"pip": ["--no-index", str(again)]}]}
    )
    python = prepare_there(far.folder, record, environment, [], lambda text: None)
    assert python is not None and list(Path(python).parents[1].glob("lib/*/site-packages/other*"))


def test_a_machine_that_is_gone_for_good_can_be_forgotten(far: Far, tmp_path: Path) -> None:
    text, stop = speaker(far, tmp_path)
    run = far.submit(text)
    until(lambda: far.status(run) == "Running" and "line 3\n" in log_of(far.folder, run.id), 60, "the run")
    with pytest.raises(AmlError, match="'box' answers: detach it without --force"):
        detach_unreachable(far.folder, "box")
    far.server.stop()
    detach_unreachable(far.folder, "box")
    done = far.end(run)
    stop.touch()
    assert done.status == "Canceled" and "what runs there may go on" in done.reason
    until(lambda: find_target(far.folder.store.read(), "box") is None, message="the end of the target")


def test_one_machine_may_be_two_targets_and_changes_while_a_run_goes_on(far: Far, tmp_path: Path) -> None:
    attach_server(far.folder, far.server, "twin", far.base, max_parallel=2)
    text, stop = speaker(far, tmp_path)
    run = far.submit(text)
    until(lambda: far.status(run) == "Running", 60, "the run")
    config = ScriptRunConfig(source_directory=str(far.project), command="echo twin")
    config.run_config.target = "twin"
    twin = submit(far.folder, SubmitRequest(config, "far", kind="command")).run
    assert far.end(twin).status == "Completed"
    change_target(far.folder, "box", {"max_parallel": 3, "python": sys.executable})
    after = far.submit("import sys; print(sys.executable)", "after.py")
    assert far.end(after).status == "Completed" and log_of(far.folder, after.id).strip() == sys.executable
    here = len(log_of(far.folder, run.id))
    until(lambda: len(log_of(far.folder, run.id)) > here, 30, "more lines")
    stop.touch()
    check_speaker(far, run, tmp_path)


def test_values_of_a_cell_travel_both_ways(far: Far) -> None:
    from aml_jupyter.jupyter.cell import CellOptions, submit_cell

    options = CellOptions(source=far.project, experiment="far", target="box", inputs=("a",), outputs=("b",))
    run = submit_cell(far.folder, "b = [each * 2 for each in a]", 1, options, {"a": [1, 2, 3]}).run
    done = far.end(run)
    assert done.status == "Completed", (done.reason, log_of(far.folder, run.id))
    assert load_outputs(far.folder, done) == {"b": [2, 4, 6]}
    until(
        lambda: not [names for _, _, names in os.walk(far.base) if {"values.pkl", "outputs.pkl"} & set(names)],
        message="the removal over there",
    )


def test_a_resource_id_is_looked_up_in_the_workspace_and_in_the_ssh_settings(far: Far) -> None:
    ws = Workspace(far.folder)
    begins = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines"
    host = find_target(far.folder.store.read(), "box").settings["found"]["host"]
    for number, machine in enumerate(("BOX", host)):
        twin = RemoteCompute.attach(ws, f"twin{number}", resource_id=f"{begins}/{machine}", base_folder=str(far.base))
        assert (twin.address, twin.provisioning_state) == (far.server.address, "Succeeded")
    Path.home().joinpath(".ssh/config").write_text(
        f"Host other\n  HostName 127.0.0.1\n  Port {far.server.port}\n  User root\n  IdentityFile {far.server.key}\n"
    )
    other = RemoteCompute.attach_configuration(resource_id=f"{begins}/other", fingerprint=far.server.fingerprint)
    assert ComputeTarget.attach(ws, "other", other).address == "other"
    with pytest.raises(AmlError, match=r"names the machine 'bax'.*box.*address='HOST'"):
        RemoteCompute.attach(ws, "new", resource_id=f"{begins}/bax")
    with pytest.raises(AmlError, match="address is missing"):
        RemoteCompute.attach_configuration()

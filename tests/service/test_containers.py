"""A run in a container has all that a run as a process has, and nothing of the host that it was not given."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE, PYTHON_VERSION, SHELL_IMAGE
from containers import containers_of, submit_in_docker
from engine_process import Engine
from support import log_of, until

from aml_jupyter.errors import ComputeTargetException, ConfigurationError
from aml_jupyter.service import cancel_run, create_target, register_run_model, service_status, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, attempts, find_runs, get_metrics, get_run, get_target, list_artifacts

pytestmark = pytest.mark.timeout(600)

ABOUT = """
import json, os, sys
from azureml.core import Run
run = Run.get_context()
run.log("loss", 0.5)
run.tag("colour", "blue")
os.makedirs("outputs", exist_ok=True)
open("outputs/model.txt", "w").write("the model")
print(json.dumps({
    "python": sys.executable, "prefix": sys.prefix, "version": "%d.%d.%d" % sys.version_info[:3],
    "variables": dict(os.environ), "uid": os.getuid(), "root": sorted(os.listdir("/")), "cwd": os.getcwd(),
}))
"""


def test_a_run_in_a_container_is_whole_and_has_nothing_of_the_host(
    engine: Engine, folder: WorkspaceFolder, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_HOST", "yes")
    run = submit_in_docker(folder, project, ABOUT, variables={"MINE": "declared"})
    done = wait_for_run(folder, run.id, timeout=90)
    log = log_of(folder, run.id)
    assert done.status == "Completed", log
    about = json.loads(log)
    assert (about["python"], about["version"]) == ("/usr/local/bin/python", PYTHON_VERSION)
    assert not os.path.exists(sys.prefix) or about["prefix"] != sys.prefix
    assert about["variables"]["MINE"] == "declared"
    assert about["variables"]["AML_TEST_IMAGE"] == "python"
    assert about["variables"]["PATH"] == "/usr/local/bin:/usr/bin:/bin"
    assert {"OF_THE_HOST", "DOCKER_HOST", "VIRTUAL_ENV"} & set(about["variables"]) == set()
    assert "work" not in about["root"]
    assert about["cwd"] == str(folder.layout.run(run.id).attempt(1).work)
    assert get_metrics(folder.store.read(), run.id) == {"loss": 0.5}
    assert done.tags["colour"] == "blue"
    assert "outputs/model.txt" in {artifact.name for artifact in list_artifacts(folder.store.read(), run.id)}
    model = folder.layout.run(run.id).attempt(1).work / "outputs/model.txt"
    assert model.stat().st_uid == os.getuid() == about["uid"]
    until(lambda: not containers_of(engine.host, run), message="the container's removal")
    until(lambda: not list((folder.root / "containers").iterdir()), message="the end of its note")


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that other users reach: not below pytest's own."""
    with tempfile.TemporaryDirectory(prefix="aml-h-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="another user is needed")
def test_another_user_than_root_owns_what_a_container_writes_and_has_a_name_there(
    engine: Engine, elsewhere: Path
) -> None:
    number, home = 23456, elsewhere
    for place in (home, home / "runtime", home / "project"):
        place.mkdir(mode=0o700, exist_ok=True)
        os.chown(place, number, number)
    program = """
import getpass, os, pwd
os.makedirs("outputs", exist_ok=True)
open("outputs/model.txt", "w").write("the model")
print(os.getuid(), getpass.getuser(), pwd.getpwuid(os.getuid()).pw_dir, os.access(os.path.expanduser("~"), os.W_OK))
"""
    (home / "project" / "who.py").write_text(program)
    os.chown(engine.socket, 0, number)
    os.chmod(engine.socket, 0o660)
    # To read is all that is granted: this Python may lie where other users cannot look.
    command = [
        "setpriv",
        f"--reuid={number}",
        f"--regid={number}",
        "--clear-groups",
        "--bounding-set=-all,+dac_read_search",
    ]
    command += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", sys.executable, "-c"]
    command += ["import sys; from aml_jupyter.cli.main import entry; sys.exit(entry())"]
    line = ["submit", "--workspace", str(home / "ws"), "--image", PYTHON_IMAGE, "--wait", "who.py"]
    variables = {
        **os.environ,
        "HOME": str(home),
        "USER": "ada",
        "LOGNAME": "ada",
        "AML_USER_DATA": str(home / "data"),
        "AML_RUNTIME": str(home / "runtime"),
    }
    for name in ("AML_WORKSPACE", "TMPDIR"):
        variables.pop(name, None)
    done = subprocess.run(
        [*command, *line], cwd=home / "project", env=variables, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{number} ada /tmp True" in done.stdout
    (written,) = home.glob("ws/runs/*/attempts/1/work/outputs/model.txt")
    assert written.stat().st_uid == number


def test_a_script_cannot_change_where_it_was_placed(engine: Engine, folder: WorkspaceFolder, project: Path) -> None:
    text = """
import os
place = os.path.join(os.path.dirname(os.environ["AML_CONTROL"]), "container.json")
for act in (lambda: open(place, "w"), lambda: os.unlink(place), lambda: os.rename(place, place + "x")):
    try:
        act()
        print("it could")
    except OSError as error:
        print(error.strerror)
"""
    run = submit_in_docker(folder, project, text)
    assert wait_for_run(folder, run.id, timeout=90).status == "Completed"
    assert "it could" not in log_of(folder, run.id)
    assert len(log_of(folder, run.id).splitlines()) == 3


def test_memory_is_limited_and_the_main_process_is_said_to_have_gone_over_it(
    engine: Engine, folder: WorkspaceFolder, project: Path
) -> None:
    run = submit_in_docker(folder, project, "x = bytearray(400_000_000)", memory=150_000_000)
    done = wait_for_run(folder, run.id, timeout=90)
    assert done.status == "Failed"
    assert done.error is not None
    assert done.error["type"] == "out of memory"
    assert "150 MB" in done.error["message"]


def test_a_child_that_went_over_the_memory_limit_is_told_of(
    engine: Engine, folder: WorkspaceFolder, project: Path
) -> None:
    text = """
import subprocess, sys
print(subprocess.run([sys.executable, "-c", "x = bytearray(400_000_000)"]).returncode)
sys.exit(3)
"""
    run = submit_in_docker(folder, project, text, memory=150_000_000)
    done = wait_for_run(folder, run.id, timeout=90)
    assert (done.status, done.exit_code) == ("Failed", 3)
    assert done.error is not None
    assert "lack of memory" in done.error["message"]
    assert "150 MB" in done.error["message"]


def test_limits_and_options_reach_the_container(engine: Engine, folder: WorkspaceFolder, project: Path) -> None:
    (project / "data").mkdir()
    (project / "data/x.txt").write_text("mounted")
    text = "import os, time\nprint(open('/data/x.txt').read(), os.environ['EXTRA'], flush=True)\ntime.sleep(60)"
    options = ("--shm-size=32m", "--pids-limit", "77", "--ulimit nofile=500:600", "-v", f"{project}/data:/data:ro")
    run = submit_in_docker(
        folder,
        project,
        text,
        docker=(*options, "--network none", "--hostname=box", "-e EXTRA=1", "--cpus=1.5"),
        cores=2,
        memory=300_000_000,
    )
    until(lambda: "mounted 1" in log_of(folder, run.id), 60, "the script's line")
    import docker

    client = docker.DockerClient(base_url=engine.host, version="1.41", timeout=30)
    try:
        found = client.api.inspect_container(containers_of(engine.host, run)[0]["Id"])
    finally:
        client.close()
    host = found["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (300_000_000, 300_000_000)
    assert (host["NanoCpus"], host["ShmSize"], host["PidsLimit"]) == (1_500_000_000, 32 * 2**20, 77)
    assert host["NetworkMode"] == "none"
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 500, "Hard": 600}]
    assert found["Config"]["Hostname"] == "box"
    assert not [mount for mount in found["Mounts"] if mount["Source"].endswith(".sock")]
    cancel_run(folder, run.id)
    assert wait_for_run(folder, run.id, timeout=60).status == "Canceled"
    until(lambda: not containers_of(engine.host, run), message="the container's removal")


def test_a_run_ends_at_its_limit_of_time(engine: Engine, folder: WorkspaceFolder, project: Path) -> None:
    run = submit_in_docker(folder, project, "import time; time.sleep(60)", max_seconds=2, grace_seconds=0.5)
    done = wait_for_run(folder, run.id, timeout=90)
    assert done.status == "Failed"
    assert "it ran for 2 s" in done.reason


def test_a_child_runs_in_its_parents_image_while_that_gives_up_its_slot(
    engine: Engine, folder: WorkspaceFolder, project: Path
) -> None:
    create_target(folder, "one-slot", "docker", {"max_parallel": 1})
    (project / "fold.py").write_text("import os; print('fold in', os.environ['AML_TEST_IMAGE'])")
    text = """
from azureml.core import Run
child = Run.get_context().submit_child({"script": "fold.py", "target": "one-slot"})
print(child.wait_for_completion()["status"])
"""
    run = submit_in_docker(folder, project, text, target="one-slot")
    done = wait_for_run(folder, run.id, timeout=120)
    assert done.status == "Completed", log_of(folder, run.id)
    assert "Completed" in log_of(folder, run.id)
    child = find_runs(folder.store.read(), parent=run.id)[0]
    assert "fold in python" in log_of(folder, child.id)


def test_a_container_reads_models_and_files_of_the_workspace(
    engine: Engine, folder: WorkspaceFolder, project: Path
) -> None:
    first = submit_in_docker(folder, project, ABOUT)
    assert wait_for_run(folder, first.id, timeout=90).status == "Completed"
    register_run_model(folder, first.id, "digits", "outputs/model.txt")
    text = f"""
from azureml.core import Experiment, Model, Run
run = Run.get_context()
print(open(Model.get_model_path("digits")).read())
other = Run(run.experiment, {first.id!r})
other.download_file("outputs/model.txt", "fetched.txt")
print(open("fetched.txt").read())
"""
    run = submit_in_docker(folder, project, text)
    assert wait_for_run(folder, run.id, timeout=90).status == "Completed", log_of(folder, run.id)
    assert log_of(folder, run.id).splitlines() == ["the model", "the model"]
    until(lambda: not (folder.layout.run(run.id).attempt(1).control / "lent").exists(), message="the end of the loan")


def test_a_service_that_was_killed_finds_its_container_again(
    engine: Engine, folder: WorkspaceFolder, project: Path
) -> None:
    text = """
import os, time
print("begin", flush=True)
while not os.path.exists("gate"):
    time.sleep(0.02)
print("end")
"""
    run = submit_in_docker(folder, project, text)
    until(lambda: get_run(folder.store.read(), run.id).status == "Running", 60, "the run's start")
    status = service_status(folder)
    os.kill(status.pid, signal.SIGKILL)
    (folder.layout.run(run.id).attempt(1).work / "gate").touch()
    done = wait_for_run(folder, run.id, timeout=90)
    assert done.status == "Completed", done.reason
    assert log_of(folder, run.id).splitlines() == ["begin", "end"]
    assert len(attempts(folder.store.read(), run.id)) == 1
    until(lambda: not containers_of(engine.host, run), message="the container's removal")


def test_a_container_that_somebody_else_ended_is_a_lost_run(
    engine: Engine, folder: WorkspaceFolder, project: Path
) -> None:
    import docker

    run = submit_in_docker(folder, project, "import time; time.sleep(60)")
    until(lambda: get_run(folder.store.read(), run.id).status == "Running", 60, "the run's start")
    client = docker.DockerClient(base_url=engine.host, version="1.41", timeout=30)
    try:
        client.api.kill(containers_of(engine.host, run)[0]["Id"])
    finally:
        client.close()
    begin = time.monotonic()
    done = wait_for_run(folder, run.id, timeout=60)
    assert time.monotonic() - begin < 30
    assert done.status == "Failed"
    assert "The Docker engine says that its container ended with exit code 137" in done.error["message"]


def test_the_first_submit_to_docker_makes_the_target(engine: Engine, folder: WorkspaceFolder, project: Path) -> None:
    run = submit_in_docker(folder, project, "print('there')", target="docker")
    assert wait_for_run(folder, run.id, timeout=90).status == "Completed"
    made = get_target(folder.store.read(), "docker")
    assert (made.type, made.settings["engine"], made.provisioning_state) == ("docker", engine.host, "Succeeded")


def test_no_engine_is_said_at_submit_and_makes_no_target(
    folder: WorkspaceFolder, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    for target in ("docker", "local"):
        with pytest.raises(ComputeTargetException, match=r"No Docker engine is running at unix://.*Start it"):
            submit_in_docker(folder, project, "", target=target)
    with pytest.raises(ComputeTargetException, match="with name docker not found"):
        get_target(folder.store.read(), "docker")
    monkeypatch.setenv("DOCKER_HOST", "tcp://gpu-box.example:2375")
    with pytest.raises(ComputeTargetException, match="is another machine's"):
        submit_in_docker(folder, project, "")


@pytest.mark.parametrize(
    ("docker", "told"),
    [
        (("--shm-sise=2g",), r"docker\.arguments: --shm-sise is not known; did you mean --shm-size"),
        (("--privileged",), r"docker\.arguments: --privileged cannot be set: .*--cap-add"),
        (("-v", "/var/run/docker.sock:/x"), "would give the run the Docker engine itself"),
        (("--shm-size", "big"), r"--shm-size is 'big'; a size such as 2g"),
        (("--cpus",), r"--cpus has no value"),
        (("--name=mine",), "the container is named after its run"),
        (("train",), "an option such as --shm-size was expected, found 'train'"),
    ],
)
def test_options_that_cannot_be_used_are_refused_by_name(
    folder: WorkspaceFolder, project: Path, monkeypatch: pytest.MonkeyPatch, docker: tuple[str, ...], told: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(ConfigurationError, match=told):
        submit_in_docker(folder, project, "", docker=docker)


def test_an_image_without_the_python_is_told_of(engine: Engine, folder: WorkspaceFolder, project: Path) -> None:
    run = submit_in_docker(folder, project, "", image="127.0.0.1:9/team/none:1")
    done = wait_for_run(folder, run.id, timeout=120)
    assert done.status == "Failed"
    assert "127.0.0.1:9/team/none:1 cannot be pulled" in done.error["message"]


def test_a_gpu_with_a_cpu_image_warns(engine: Engine) -> None:
    from aml_jupyter.targets import Container, Needs, check_container

    (note,) = check_container(Container(PYTHON_IMAGE, engine.host, arguments=("--gpus=all",)), Needs())
    assert "does not look as if it could use one" in note
    assert check_container(Container(SHELL_IMAGE, engine.host), Needs()) == ()

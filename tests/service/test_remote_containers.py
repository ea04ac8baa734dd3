"""Containers on another machine: a real SSH server, a second Docker engine behind it, and a link that is cut."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE, PYTHON_VERSION
from containers import containers_of
from engine_process import Engine
from far_machine import Far, check_speaker, speaker
from ssh_server import SshServer, attach_server
from support import files_below, log_of, until
from wheels import make_wheel

from aml_jupyter.config import CondaDependencies, ScriptRunConfig
from aml_jupyter.environments.pythons import uv_program
from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.service import SubmitRequest, cancel_run, service_status, submit, wait_for_run
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    get_metrics,
    get_run,
    list_artifacts,
    list_models,
    set_secret,
    user_data_folder,
)

pytestmark = pytest.mark.timeout(600)


class FarDocker(Far):
    """A workspace with the target ``box`` of type remotedocker, and the machine and the engine behind it."""

    engine: Engine

    def submit(self, text: str = "", name: str = "train.py", **request: object) -> RunRecord:
        """Submit a script that runs in a container of the machine, which sees the test's folder."""
        config = self.config(text, name)
        config.run_config.environment.docker.base_image = PYTHON_IMAGE
        config.run_config.environment.python.user_managed_dependencies = True
        config.run_config.docker.arguments = ["--volume", f"{self.project.parent}:{self.project.parent}"]
        return submit(self.folder, SubmitRequest(config, "far", **request)).run  # type: ignore[arg-type]


@pytest.fixture
def make_far(
    folder: WorkspaceFolder,
    ssh_server: Callable[..., SshServer],
    own_engine: Callable[..., Engine],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[..., FarDocker]:
    """Return a function that makes the machine; this one has no engine that anybody would find."""

    def make(*settings: str, type: str = "remotedocker", hidden: tuple[Path, ...] = ()) -> FarDocker:  # noqa: A002
        project = tmp_path / "project"
        project.mkdir()
        (project / "data.txt").write_text("snapshot\n")
        engine, server = own_engine(PYTHON_IMAGE, live_restore=True, hidden=hidden), ssh_server(*settings)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
        attach_server(folder, server, "box", tmp_path / "far", type, max_parallel=2, engine=str(engine.socket))
        made = FarDocker(folder, server, project, tmp_path / "far")
        made.engine = engine
        return made

    return make


EVERYTHING = """
import json, os, sys
from azureml.core import Run
run = Run.get_context()
print(open("data.txt").read(), os.environ["GREETING"], sys.executable, os.environ["AML_TEST_IMAGE"], flush=True)
for number in range(10):
    run.log("loss", 1 / (number + 1))
run.tag("kind", "far")
os.makedirs("outputs", exist_ok=True)
open("outputs/model.bin", "wb").write(os.urandom(300_000))
print("secret", run.get_secret("token")[::-1] == "terc3s")
print("model", run.register_model("net", "outputs/model.bin").version)
child = run.submit_child({"source_directory": ".", "script": "child.py"})
child.wait_for_completion()
print("child", child.get_status(), child.get_metrics())
"""


def test_a_container_over_there_is_whole_and_its_machine_is_the_other_one(make_far: Callable[..., FarDocker]) -> None:
    far = make_far()
    set_secret(far.folder, "token", "s3cret")
    (far.project / "child.py").write_text(
        "import os\nfrom azureml.core import Run\nRun.get_context().log('answer', os.environ['AML_TEST_IMAGE'])\n"
    )
    run = far.submit(EVERYTHING)
    done = far.end(run)
    log = log_of(far.folder, run.id)
    assert done.status == "Completed", (done.reason, log)
    assert log.startswith("snapshot\n hello /usr/local/bin/python python\n"), log
    assert "secret True\nmodel 1\n" in log and "child Completed {'answer': 'python'}" in log
    db = far.folder.store.read()
    assert len(get_metrics(db, run.id)["loss"]) == 10 and get_run(db, run.id).tags["kind"] == "far"
    assert "outputs/model.bin" in {artifact.name for artifact in list_artifacts(db, run.id)}
    assert [record.name for record in list_models(db)] == ["net"]
    until(lambda: not list(far.base.glob("runs/*/*/attempts/*")), message="the removal over there")
    until(lambda: not containers_of(far.engine.host, run), message="the container's removal")
    until(lambda: not list((far.folder.root / "containers").iterdir()), message="the end of its note")
    assert not list((far.base / "containers").iterdir())
    assert b"s3cret" not in b"".join(files_below(far.base).values())


def test_a_link_that_is_cut_while_a_container_runs_loses_and_repeats_nothing(
    make_far: Callable[..., FarDocker], tmp_path: Path
) -> None:
    far = make_far()
    text, stop = speaker(far, tmp_path)
    run = far.submit(text)
    for number in range(2):
        until(lambda n=number: f"line {n * 30 + 10}\n" in log_of(far.folder, run.id), 60, "lines of the log")
        far.cut()
    until(lambda: "line 60\n" in log_of(far.folder, run.id), 60, "lines after the last cut")
    os.kill(service_status(far.folder).pid, signal.SIGKILL)
    far.submit("pass", "other.py")  # starts a service
    wanted = len(log_of(far.folder, run.id)) + 200
    until(lambda: len(log_of(far.folder, run.id)) > wanted, 60, "lines after the kill")
    assert far.status(run) == "Running" and len(containers_of(far.engine.host, run)) == 1
    stop.touch()
    check_speaker(far, run, tmp_path)


def test_what_a_container_has_finished_is_here_while_it_runs(
    make_far: Callable[..., FarDocker], tmp_path: Path
) -> None:
    far = make_far()
    text, stop = speaker(far, tmp_path)
    begin = "import os\nos.makedirs('outputs', exist_ok=True)\nopen('outputs/done.pt', 'w').write('done')\n"
    run = far.submit(
        f"{begin}half = open('outputs/half.pt', 'w'); half.write('half'); half.flush()\n{text}half.close()\n"
    )
    work = far.folder.layout.run(run.id).attempt(1).work

    def names() -> set[str]:
        return {record.name for record in list_artifacts(far.folder.store.read(), run.id)}

    until(lambda: "outputs/done.pt" in names(), 60, "the file in the list")
    assert (work / "outputs/done.pt").read_text() == "done" and far.status(run) == "Running"
    assert "outputs/half.pt" not in names()
    stop.touch()
    check_speaker(far, run, tmp_path)
    assert (work / "outputs/half.pt").read_text() == "half"


def test_a_container_that_somebody_ends_is_lost_and_one_is_canceled(
    make_far: Callable[..., FarDocker], tmp_path: Path
) -> None:
    far = make_far()
    text, _ = speaker(far, tmp_path)
    lost = far.submit(text)
    until(lambda: far.status(lost) == "Running" and "line 3\n" in log_of(far.folder, lost.id), 60, "the run")
    (container,) = containers_of(far.engine.host, lost)
    _kill(far.engine.host, container["Id"])
    done = far.end(lost)
    assert done.status == "Failed" and "supervisor was lost" in done.reason, done.reason
    assert "exit code 137" in done.reason, done.reason
    run = far.submit(text, grace_seconds=1)
    until(lambda: far.status(run) == "Running" and "line 3\n" in log_of(far.folder, run.id), 60, "the second run")
    cancel_run(far.folder, run.id)
    assert far.end(run).status == "Canceled"
    until(lambda: not containers_of(far.engine.host, run), message="the container's removal")


def _kill(host: str, container: str) -> None:
    import docker

    client = docker.DockerClient(base_url=host, version="1.41", timeout=30)
    try:
        client.api.kill(container)
    finally:
        client.close()


def test_an_engine_that_is_away_is_waited_for(make_far: Callable[..., FarDocker]) -> None:
    far = make_far()
    far.engine.stop()
    run = far.submit("print('there')")
    until(lambda: "has no Docker engine at" in get_run(far.folder.store.read(), run.id).reason, 60, "the reason")
    assert far.status(run) == "Queued"
    far.engine.start()
    assert far.end(run).status == "Completed"


def test_a_server_that_forwards_nothing_is_said(make_far: Callable[..., FarDocker]) -> None:
    far = make_far("AllowStreamLocalForwarding no")
    run = far.submit("print('there')")
    until(lambda: "AllowStreamLocalForwarding" in get_run(far.folder.store.read(), run.id).reason, 60, "the reason")
    assert far.status(run) == "Queued"
    cancel_run(far.folder, run.id)
    assert far.end(run).status == "Canceled"


def test_packages_are_put_on_an_image_there_and_nothing_of_this_machine_is_mounted(
    make_far: Callable[..., FarDocker], tmp_path: Path
) -> None:
    wheels, sent = make_wheel(tmp_path / "wheels", "tiny", "1.5").parent, make_wheel(tmp_path / "sent", "small", "2.5")
    hidden = (user_data_folder(), Path(uv_program()).resolve().parent, wheels, sent.parent)
    far = make_far(hidden=hidden)

    def asks(*packages: str, image: str = PYTHON_IMAGE) -> RunRecord:
        (far.project / "train.py").write_text(
            "import sys, tiny, small; print(tiny.__version__, small.__version__, sys.version)"
        )
        config = ScriptRunConfig(source_directory=str(far.project), script="train.py")
        config.run_config.target = "box"
        config.run_config.environment.docker.base_image = image
        content = {"dependencies": [{"pip": ["--no-index", f"--find-links {wheels}", *packages]}]}
        config.run_config.environment.python.conda_dependencies = CondaDependencies.from_dict(content)
        return submit(far.folder, SubmitRequest(config, "far")).run

    done = wait_for_run(far.folder, asks("tiny", str(sent)).id, timeout=240)
    assert done.status == "Completed", (done.reason, log_of(far.folder, done.id))
    assert log_of(far.folder, done.id).startswith(f"1.5 2.5 {PYTHON_VERSION}")
    built = far.folder.layout.run(done.id).attempt(1).control / "build_log.txt"
    assert "uv of this machine does not run" not in built.read_text()  # which would fetch one from an index
    failed = wait_for_run(far.folder, asks("tiny", image="localhost:1/no-such:image").id, timeout=240)
    assert failed.status == "Failed" and "localhost:1/no-such:image" in failed.reason, failed.reason


def test_a_run_on_a_plain_remote_machine_may_ask_for_a_container(make_far: Callable[..., FarDocker]) -> None:
    far = make_far(type="remote")
    text = "import os; print(os.environ.get('AML_TEST_IMAGE'))"
    config = far.config(text, "inside.py")
    config.run_config.environment.docker.enabled = True
    config.run_config.environment.docker.base_image = PYTHON_IMAGE
    config.run_config.environment.python.user_managed_dependencies = True
    inside = submit(far.folder, SubmitRequest(config, "far")).run
    outside = submit(far.folder, SubmitRequest(far.config(text, "outside.py"), "far")).run
    attach_server(
        far.folder, far.server, "twin", far.base, "remotedocker", max_parallel=2, engine=str(far.engine.socket)
    )
    config = far.config(text, "twin.py")
    config.run_config.target = "twin"  # another target with the same engine
    config.run_config.environment.docker.base_image = PYTHON_IMAGE
    config.run_config.environment.python.user_managed_dependencies = True
    runs = [inside, outside, *(submit(far.folder, SubmitRequest(config, "far")).run for _ in range(2))]
    assert [far.end(run).status for run in runs] == ["Completed"] * 4
    assert [log_of(far.folder, run.id).strip() for run in runs] == ["python", "None", "python", "python"]


def test_what_is_in_the_way_is_one_clear_message(
    folder: WorkspaceFolder,
    ssh_server: Callable[..., SshServer],
    own_engine: Callable[..., Engine],
    tmp_path: Path,
) -> None:
    server = ssh_server()
    with pytest.raises(ComputeTargetException, match=r"runs no containers: there is no socket .*/none.sock"):
        attach_server(folder, server, "box", tmp_path / "far", "remotedocker", engine=f"{tmp_path}/none.sock")
    (tmp_path / "plain.sock").write_text("")
    with pytest.raises(ComputeTargetException, match=r"runs no containers: no engine answers at .*plain.sock"):
        attach_server(folder, server, "box", tmp_path / "far", "remotedocker", engine=f"{tmp_path}/plain.sock")
    engine = own_engine()
    as_nobody = "env -u LOGNAME -u USER setpriv --reuid 65534 --regid 65534 --clear-groups"
    nobody = ssh_server(f'ForceCommand exec {as_nobody} sh -c "$SSH_ORIGINAL_COMMAND"')
    with pytest.raises(
        ComputeTargetException, match=r"nobody has no rights on .*d.sock: add the user to the socket's group"
    ):
        attach_server(folder, nobody, "box", Path("/tmp"), "remotedocker", engine=str(engine.socket))
    attach_server(folder, server, "plain", tmp_path / "far", engine=f"{tmp_path}/none.sock")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "train.py").write_text("pass")
    config = ScriptRunConfig(source_directory=str(tmp_path / "p"), script="train.py")
    config.run_config.target = "plain"
    config.run_config.environment.docker.enabled = True
    with pytest.raises(
        ComputeTargetException, match=r"plain has no Docker engine for the run's container: there is no socket"
    ):
        submit(folder, SubmitRequest(config, "far"))
    attach_server(folder, server, "box", tmp_path / "far", "remotedocker", engine=str(engine.socket))
    config.run_config.target = "box"
    config.run_config.docker.arguments = ["--memory", "900t"]
    with pytest.raises(ComputeTargetException, match=r"asks for .* of memory, and the Docker engine at ssh://root@"):
        submit(folder, SubmitRequest(config, "far"))
    config.run_config.docker.arguments = ["--memori", "1g"]
    with pytest.raises(Exception, match="--memori is not known"):
        submit(folder, SubmitRequest(config, "far"))


def test_an_image_is_prepared_over_there_from_a_line(
    make_far: Callable[..., FarDocker], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from aml_jupyter.cli.main import main

    far = make_far()
    monkeypatch.setenv("AML_WORKSPACE", str(far.folder.root))
    (far.project / "box.runconfig").write_text(
        f"script: train.py\ntarget: box\nenvironment:\n  docker:\n    enabled: true\n    baseImage: {PYTHON_IMAGE}\n"
    )
    line = ["experiment", "prepare", "-c", "box", "-p", str(far.project)]
    assert main(line) == 0
    assert "is ready, resolved to" in capsys.readouterr().out
    run = far.submit("print('prepared')")
    done = far.end(run)
    assert done.status == "Completed"
    assert main(line) == 0
    assert "is there already" in capsys.readouterr().out

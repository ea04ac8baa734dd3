"""An engine is found as Docker's own command finds it, and what is wrong with it is said in words that help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE, PYTHON_VERSION, SHELL_IMAGE
from engine_process import Engine, sweep

from aml_jupyter.errors import ComputeTargetException, ConfigurationError
from aml_jupyter.transports.docker_engine import DockerEngine, EngineUnavailable, address_of, find_engine
from aml_jupyter.transports.docker_images import find_image, find_python, pull_image

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def client(engine: Engine) -> Iterator[DockerEngine]:
    with DockerEngine() as connected:
        yield connected


def test_an_engine_tells_what_it_is(engine: Engine, client: DockerEngine) -> None:
    facts = client.facts()
    assert facts.version
    assert facts.root == str(engine.folder / "data")
    assert facts.cores >= 1
    assert facts.memory > 10**8
    assert facts.live_restore


def test_an_engine_that_a_killed_session_left_is_swept_and_no_other(engine: Engine) -> None:
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from engine_process import Engine\n"
        "engine = Engine(); engine.start(); print(engine.number, engine.process.pid, flush=True); time.sleep(600)\n"
    )
    tests = str(Path(__file__).parents[1])
    with subprocess.Popen([sys.executable, "-c", program, tests], stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        number, pid = session.stdout.readline().split()
        sweep()
        os.kill(int(pid), 0)  # its session lives
        session.kill()
    sweep()
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or ") Z " in state.read_text()
    assert not (engine.folder.parent / number).exists()
    assert not Path(f"/sys/class/net/amltest{number}").exists()
    assert engine.answers()


def test_no_engine_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"No Docker engine is running at unix://.*nothing\.sock.*Start it"):
        DockerEngine(f"unix://{tmp_path}/nothing.sock").ping()
    with pytest.raises(EngineUnavailable, match=r"No Docker engine is running at tcp://127\.0\.0\.1:9 "):
        DockerEngine("tcp://127.0.0.1:9").ping()


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
def test_an_address_keeps_its_source_and_its_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").touch()
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    known = address_of("tcp://127.0.0.1:9", "the target")
    assert known == find_engine() and known.source == "DOCKER_HOST" and known.tls is not None
    other = address_of("tcp://127.0.0.1:10", "the target")
    assert other.source == "the target" and other.tls is None
    monkeypatch.setenv("DOCKER_HOST", "no address")
    assert address_of("tcp://127.0.0.1:9", "the target").source == "the target"


def test_no_rights_on_the_socket_is_said_with_what_to_do(client: DockerEngine) -> None:
    client.ping()  # what is imported on the way cannot be read by another user
    said, teller = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            client.close()
            client.ping()
        except BaseException as error:
            os.write(teller, f"{type(error).__name__} {error}".encode())
        finally:
            os._exit(0)
    os.close(teller)
    os.waitpid(child, 0)
    with open(said) as stream:
        text = stream.read()
    assert text.startswith("EngineUnavailable")
    assert "no rights on the socket" in text
    assert "usermod -aG docker" in text


def test_a_hanging_engine_is_given_up_after_seconds(own_engine: Callable[..., Engine]) -> None:
    hanging = own_engine()
    hanging.freeze()
    with DockerEngine() as client:
        begin = time.monotonic()
        try:
            with pytest.raises(EngineUnavailable, match="gave no answer in time"):
                client.ping()
        finally:
            hanging.thaw()
        assert time.monotonic() - begin < 20
        client.ping()


def test_an_engine_that_came_back_answers_the_same_client(own_engine: Callable[..., Engine]) -> None:
    made = own_engine()
    with DockerEngine() as client:
        client.ping()
        made.kill()
        with pytest.raises(EngineUnavailable):
            client.ping()
        made.start()
        client.ping()


def test_the_chosen_context_is_followed(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = tmp_path / "contexts/meta/abc"
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "lab", "Endpoints": {"docker": {"Host": engine.host}}}))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "lab"}))
    found = find_engine({"DOCKER_CONFIG": str(tmp_path)})
    assert (found.host, found.source) == (engine.host, "Docker's context lab")
    assert find_engine({"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": "tcp://127.0.0.1:1"}).host == "tcp://127.0.0.1:1"
    with pytest.raises(ComputeTargetException, match=r"no Docker context 'labb'.*did you mean lab"):
        find_engine({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "labb"})
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ComputeTargetException, match=r"config\.json cannot be read"):
        find_engine({"DOCKER_CONFIG": str(tmp_path)})


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ComputeTargetException, match=r"DOCKER_HOST is 'here'; expected an address such as unix://"):
        find_engine({"DOCKER_HOST": "here"})


def test_which_engines_see_the_files_of_this_machine() -> None:
    hosts = ["unix:///x", "tcp://127.0.0.1:2375", "tcp://gpu-box:2375", "ssh://me@gpu-box"]
    assert [find_engine({"DOCKER_HOST": host}).is_local for host in hosts] == [True, True, False, False]


def test_the_python_of_an_image_is_found(client: DockerEngine) -> None:
    found = find_python(client, PYTHON_IMAGE)
    assert found is not None
    assert found.path == "/usr/local/bin/python"
    assert found.version == PYTHON_VERSION
    assert find_python(client, PYTHON_IMAGE, "/opt/none/bin/python") is None
    assert find_python(client, SHELL_IMAGE) is None
    assert client.client.api.containers(all=True, filters={"label": "aml.look"}) == []


def test_an_image_tells_what_its_makers_set(client: DockerEngine) -> None:
    image = find_image(client, PYTHON_IMAGE)
    assert image is not None
    assert image.variables["AML_TEST_IMAGE"] == "python"
    assert find_image(client, "aml-test/none:1") is None


def test_an_image_that_is_there_is_not_pulled(client: DockerEngine) -> None:
    said: list[str] = []
    assert pull_image(client, SHELL_IMAGE, progress=lambda text, part: said.append(text)).size > 10**5
    assert said == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "127.0.0.1:9/team/none:1",
            r"127\.0\.0\.1:9/team/none:1 cannot be pulled: .*cannot be reached from the engine",
        ),
        ("No/Such:1", r"'No/Such:1' is no image's name: .*lowercase"),
    ],
)
def test_an_image_that_cannot_be_had_is_refused_with_why(client: DockerEngine, name: str, told: str) -> None:
    begin = time.monotonic()
    with pytest.raises(ConfigurationError, match=told):
        pull_image(client, name)
    assert time.monotonic() - begin < 60

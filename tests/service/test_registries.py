"""Images come from a real registry that wants a password: their pull is told, their digest kept, their password never shown."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from base_images import SHELL_IMAGE
from engine_process import Engine
from registry_process import Registry, running_registry
from support import log_of

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.environments import EnvironmentCache
from aml_jupyter.service import SubmitRequest, resubmit_run, submit, wait_for_run
from aml_jupyter.workspace import RunRecord, WorkspaceFolder

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry") / "data") as started:
        yield started


@pytest.fixture
def image(registry: Registry, engine: Engine) -> str:
    """An image that only the registry has, under a name without its address."""
    name = registry.push(engine.host, _marked(engine, "first"), "team/shell:1").partition("/")[2]
    _forget(engine)
    return name


def _docker(engine: Engine, *words: str, text: str | None = None) -> str:
    command = ["/usr/bin/docker", "-H", engine.host, *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.strip()


def _marked(engine: Engine, mark: str) -> str:
    """Return an image of the engine in which a file says `mark`."""
    made = f"FROM {SHELL_IMAGE}\nLABEL of=registry\nRUN echo {mark} > /mark.txt\n"
    return _docker(engine, "build", "-q", "-", text=made).splitlines()[-1]


def _forget(engine: Engine) -> None:
    """Remove from the engine what the registry has, and what was built on that."""
    for wanted in ("reference=aml-jupyter/base", "label=of=registry", "label=of=registry"):
        found = _docker(engine, "images", "-aq", "--no-trunc", "--filter", wanted).split()
        for each in dict.fromkeys(found):
            command = ["/usr/bin/docker", "-H", engine.host, "rmi", "-f", each]
            subprocess.run(command, capture_output=True, check=False)  # it may have gone with another
    assert not _docker(engine, "images", "-aq", "--filter", "label=of=registry")


def _run(folder: WorkspaceFolder, project: Path, image: str, registry: Registry, password: str | None) -> RunRecord:
    (project / "mark.sh").write_text("cat /mark.txt\n")
    config = ScriptRunConfig(source_directory=str(project), script="mark.sh")
    docker = config.run_config.environment.docker
    docker.base_image = image
    docker.base_image_registry.address = registry.address
    if password is not None:
        docker.base_image_registry.username = registry.user
        docker.base_image_registry.password = password
    config.run_config.environment.python.user_managed_dependencies = True
    return wait_for_run(folder, submit(folder, SubmitRequest(config, "tests")).run.id, timeout=120)


def test_an_image_is_pulled_with_its_password_and_stays_the_one_that_it_was(
    engine: Engine, registry: Registry, image: str, folder: WorkspaceFolder, project: Path
) -> None:
    done = _run(folder, project, image, registry, registry.password)
    assert done.status == "Completed", (done.reason, done.error)
    assert log_of(folder, done.id) == "first\n"
    control = folder.layout.run(done.id).attempt(1).control
    told = [line for line in (control / "build_log.txt").read_text().splitlines() if "pulling" in line]
    assert any("MB" in line and f"{registry.address}/{image}" in line for line in told), told
    assert f"{registry.address}/team/shell@sha256:" in (control / "environment_lock.txt").read_text()
    for path in (*folder.root.glob("aml.db*"), *control.glob("*.txt"), *EnvironmentCache().root.glob("built/*/*")):
        assert not path.is_file() or registry.password.encode() not in path.read_bytes(), path
    registry.push(engine.host, _marked(engine, "second"), image)  # somebody moves the tag, and the engine is new
    _forget(engine)
    again = wait_for_run(folder, resubmit_run(folder, done.id).run.id, timeout=120)
    assert again.status == "Completed", (again.reason, again.error)
    assert log_of(folder, again.id) == "first\n"


def test_a_wrong_password_is_said_and_one_that_is_put_right_counts(
    engine: Engine, registry: Registry, image: str, folder: WorkspaceFolder, project: Path
) -> None:
    done = _run(folder, project, image, registry, "wrong")
    assert done.status == "Failed" and done.error is not None
    assert f"{registry.address}/{image} cannot be pulled" in done.error["message"]
    assert "user name or password" in done.error["message"]
    assert _run(folder, project, image, registry, registry.password).status == "Completed"


def test_a_name_that_the_registry_does_not_know_is_said(
    engine: Engine, registry: Registry, image: str, folder: WorkspaceFolder, project: Path
) -> None:
    done = _run(folder, project, "team/shell:none", registry, registry.password)
    assert done.status == "Failed" and done.error is not None
    assert "no image of that name and tag" in done.error["message"]


def test_what_docker_login_has_stored_is_used(
    engine: Engine,
    registry: Registry,
    image: str,
    folder: WorkspaceFolder,
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = _run(folder, project, image, registry, None)
    assert done.status == "Failed" and done.error is not None and "docker login" in done.error["message"]
    word = base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/config.json").write_text(json.dumps({"auths": {registry.address: {"auth": word}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    done = _run(folder, project, image, registry, None)
    assert done.status == "Completed", (done.reason, done.error)


@pytest.mark.parametrize("buildkit", ["0", "1"])
def test_a_dockerfile_stands_on_an_image_of_the_registry(
    engine: Engine,
    registry: Registry,
    image: str,
    folder: WorkspaceFolder,
    project: Path,
    buildkit: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", buildkit)
    (project / "mark.sh").write_text("cat /mark.txt /more.txt\n")
    config = ScriptRunConfig(source_directory=str(project), script="mark.sh")
    environment = config.run_config.environment
    environment.docker.base_image = None
    environment.docker.base_dockerfile = f"FROM {registry.address}/{image}\nRUN echo {buildkit} > /more.txt\n"
    environment.docker.base_image_registry.address = registry.address
    environment.docker.base_image_registry.username = registry.user
    environment.docker.base_image_registry.password = registry.password
    environment.python.user_managed_dependencies = True
    done = wait_for_run(folder, submit(folder, SubmitRequest(config, "tests")).run.id, timeout=120)
    assert done.status == "Completed", (done.reason, done.error)
    assert log_of(folder, done.id) == f"first\n{buildkit}\n"
    log = (folder.layout.run(done.id).attempt(1).control / "build_log.txt").read_text()
    assert ("Step 2/2" in log) == (buildkit == "0")

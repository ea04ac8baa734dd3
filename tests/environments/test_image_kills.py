"""A build of an image that is killed, or whose engine is, leaves nothing behind; who waits for it gets it all the same."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE
from engine_process import Engine
from support import log_of, until
from wheels import make_wheel

from aml_jupyter import environments
from aml_jupyter.config import CondaDependencies, Environment, ScriptRunConfig
from aml_jupyter.environments import EnvironmentCache, begin_build
from aml_jupyter.environments.collect import collect_environments
from aml_jupyter.service import SubmitRequest, submit, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, get_run

pytestmark = pytest.mark.timeout(600)


def _running(host: str, *filters: str) -> list[str]:
    options = [word for each in filters for word in ("--filter", each)]
    command = ["/usr/bin/docker", "-H", host, "ps", "-aq", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def _layer(folder: Path, base: str = PYTHON_IMAGE) -> Environment:
    make_wheel(folder, "tiny", "1.0")
    environment = Environment("layer")
    environment.docker.base_image = base
    dependencies = CondaDependencies.create(pip_packages=["tiny"], python_version=None)
    dependencies.set_pip_option("--no-index")
    dependencies.set_pip_option(f"--find-links {folder}")
    environment.python.conda_dependencies = dependencies
    return environment


def test_a_killed_build_of_a_layer_is_done_by_the_next_and_leaves_no_container(engine: Engine, tmp_path: Path) -> None:
    recipe = environments.choose_recipe(_layer(tmp_path / "wheels"), environments.submitter(), [], engine.host)
    assert recipe is not None
    build = begin_build(recipe, environments.submitter())
    mine = f"label=aml.build={recipe.key}"
    until(lambda: _running(engine.host, mine), 60, "the container in which the layer is made")
    killed = build.entry.builder_pid()
    assert killed is not None
    os.killpg(killed, signal.SIGKILL)
    assert build.entry.built() is None
    built = build.follow(lambda text: None)  # which starts the next one
    assert build.entry.builder_pid() != killed
    assert built.facts["python"] == "/opt/aml/env/bin/python"
    assert _running(engine.host, mine) == []
    collect_environments(EnvironmentCache(), 0)


@pytest.mark.parametrize("buildkit", ["0", "1"])
def test_a_killed_build_of_a_dockerfile_leaves_nothing_running(
    engine: Engine, buildkit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", buildkit)
    environment = Environment("file")
    environment.docker.base_image = None
    mark = f"of-build-{os.getpid()}-{buildkit}"
    environment.docker.base_dockerfile = f"FROM {PYTHON_IMAGE}\nRUN sleep 300 && echo {mark}\n"
    recipe = environments.choose_recipe(environment, environments.submitter(), [], engine.host)
    assert recipe is not None
    build = begin_build(recipe, environments.submitter())
    until(lambda: _sleepers(mark), 60, "the step that takes long")
    environments.stop_builder(build.entry)
    until(lambda: not _sleepers(mark), 60, "the end of the step")
    assert build.entry.built() is None
    until(lambda: not _running(engine.host, "status=running"), 60, "the end of its container")


def _sleepers(mark: str) -> list[str]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0] in (b"/bin/sh", b"sh") and any(mark.encode() in word for word in words):
                found.append(name)
    return found


def test_an_engine_that_is_killed_under_a_build_is_waited_for_and_the_run_gets_its_image(
    own_engine: Callable[..., Engine], folder: WorkspaceFolder, tmp_path: Path
) -> None:
    engine = own_engine(PYTHON_IMAGE)
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text("import tiny\nprint(tiny.__version__)\n")
    config = ScriptRunConfig(source_directory=str(project), script="train.py")
    config.run_config.environment = _layer(tmp_path / "wheels")
    run = submit(folder, SubmitRequest(config, "tests")).run
    until(lambda: _running(engine.host, "label=aml.build"), 60, "the container in which the layer is made")
    engine.kill()

    def waits() -> bool:  # in the queue: it holds no slot meanwhile
        now = get_run(folder.store.read(), run.id)
        return now.status == "Queued" and "No Docker engine" in now.reason

    until(waits, 60, "the reason to wait")
    engine.start()
    done = wait_for_run(folder, run.id, timeout=120)
    assert done.status == "Completed", (done.reason, done.error)
    assert log_of(folder, run.id) == "1.0\n"
    until(lambda: not _running(engine.host), 60, "the removal of every container")

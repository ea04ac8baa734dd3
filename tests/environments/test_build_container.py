"""What the engine refuses in a container of a build fails that build, with the engine's words."""

from __future__ import annotations

from pathlib import Path

import pytest
from base_images import SHELL_IMAGE
from engine_process import Engine

from aml_jupyter.environments.builders import BuildError
from aml_jupyter.environments.builders.container import BuildContainer
from aml_jupyter.transports.docker_engine import DockerEngine, EngineUnavailable

pytestmark = pytest.mark.timeout(300)


def test_a_python_that_is_not_there_fails_the_build(engine: Engine, tmp_path: Path) -> None:
    with (
        DockerEngine(engine.host) as client,
        BuildContainer(client, SHELL_IMAGE, "test-no-python", tmp_path, "/nowhere/python") as container,
        pytest.raises(
            BuildError, match=r"^/nowhere/python does not start in the image: .*/nowhere/python.*No such file"
        ),
    ):
        container.start()


def test_what_the_engine_refuses_is_told_in_its_words(engine: Engine, tmp_path: Path) -> None:
    with (
        DockerEngine(engine.host) as client,
        BuildContainer(client, SHELL_IMAGE, "test-no-folder", tmp_path, "/bin/sh") as container,
        pytest.raises(
            EngineUnavailable, match=f"engine at {engine.host} .* did not do what it was asked: .*must be lowercase"
        ),
    ):
        container.commit({}, {}, "No-Such-Repo", "latest")

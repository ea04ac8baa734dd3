"""An image that somebody removed from the engine is built again from its lock, and the run goes on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE
from engine_process import Engine
from support import log_of, until
from wheels import make_wheel

from aml_jupyter.config import CondaDependencies, ScriptRunConfig
from aml_jupyter.environments import EnvironmentCache
from aml_jupyter.service import SubmitRequest, submit, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder

pytestmark = pytest.mark.timeout(600)


def test_an_image_that_is_gone_is_built_again_from_its_lock(
    engine: Engine, folder: WorkspaceFolder, project: Path, tmp_path: Path
) -> None:
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    (project / "train.py").write_text("import sys, tiny\nprint(tiny.__version__, sys.prefix)\n")

    def run() -> str:
        config = ScriptRunConfig(source_directory=str(project), script="train.py")
        config.run_config.environment.docker.base_image = PYTHON_IMAGE
        dependencies = CondaDependencies.create(pip_packages=["tiny"], python_version=None)
        dependencies.set_pip_option("--no-index")
        dependencies.set_pip_option(f"--find-links {tmp_path / 'wheels'}")
        config.run_config.environment.python.conda_dependencies = dependencies
        done = wait_for_run(folder, submit(folder, SubmitRequest(config, "tests")).run.id, timeout=180)
        assert done.status == "Completed", (done.reason, done.error)
        return log_of(folder, done.id)

    said = run()
    assert said.split() == ["1.0", "/opt/aml/env"]
    (before,) = EnvironmentCache().all_built()
    make_wheel(tmp_path / "wheels", "tiny", "2.0")  # what is asked for would be resolved to this one now
    removal = ["/usr/bin/docker", "-H", engine.host, "rmi", "-f", before.facts["image"]]
    # The engine refuses while the container of the run that has just ended is still being removed.
    until(lambda: subprocess.run(removal, capture_output=True).returncode == 0, 30, "the image is removed")
    assert run() == said
    (after,) = EnvironmentCache().all_built()
    assert after.key == before.key

"""Who asks for a GPU with an image that shows no sign of one is told, at the submit or in the run where only a build can tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE
from engine_process import Engine

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import Submission, SubmitRequest, submit, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder

pytestmark = pytest.mark.timeout(300)

WARNING = "does not look as if it could use one"


def _submit(folder: WorkspaceFolder, project: Path, **image: str) -> Submission:
    (project / "train.py").write_text("print('there')")
    config = ScriptRunConfig(source_directory=str(project), script="train.py")
    config.run_config.target = "local"
    environment = config.run_config.environment
    environment.docker.enabled = True
    environment.docker.base_image = image.get("base")
    environment.docker.base_dockerfile = image.get("dockerfile")
    environment.python.user_managed_dependencies = True
    config.run_config.docker.arguments = ["--gpus", "all"]
    return submit(folder, SubmitRequest(config, "tests"))


def test_an_image_that_is_here_is_warned_of_at_the_submit(
    engine: Engine, folder: WorkspaceFolder, project: Path
) -> None:
    made = _submit(folder, project, base=PYTHON_IMAGE)
    assert any(WARNING in note and PYTHON_IMAGE in note for note in made.notes)


@pytest.mark.parametrize(("variable", "is_warned"), [("NOTHING=1", True), ("NVIDIA_VISIBLE_DEVICES=all", False)])
def test_an_image_that_is_still_to_be_built_is_warned_of_in_the_run(
    engine: Engine, folder: WorkspaceFolder, project: Path, variable: str, is_warned: bool
) -> None:
    made = _submit(folder, project, dockerfile=f"FROM {PYTHON_IMAGE}\nENV {variable}\n")
    assert not any(WARNING in note for note in made.notes)
    done = wait_for_run(folder, made.run.id, timeout=120)
    # no engine of these tests has GPUs, so the run cannot start; what the build told is known all the same
    assert done.status == "Failed" and "The engine has no GPU support" in done.reason
    said = done.properties.get("aml.environment_notes", "")
    assert (WARNING in said) is is_warned, (done.properties, done.reason)

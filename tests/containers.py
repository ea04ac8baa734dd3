"""Submit scripts that run in containers of a test's engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from base_images import PYTHON_IMAGE

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import SubmitRequest, submit
from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["containers_of", "submit_in_docker"]


def submit_in_docker(
    folder: WorkspaceFolder,
    project: Path,
    text: str,
    image: str = PYTHON_IMAGE,
    target: str = "local",
    name: str = "train.py",
    docker: tuple[str, ...] = (),
    variables: dict[str, str] | None = None,
    **request: Any,
) -> RunRecord:
    """Write a script, submit it to run in a container of `image`, and return its run."""
    (project / name).write_text(text)
    config = ScriptRunConfig(source_directory=str(project), script=name)
    config.run_config.target = target
    config.run_config.environment.docker.enabled = target == "local"
    config.run_config.environment.docker.base_image = image
    config.run_config.environment.python.user_managed_dependencies = True
    config.run_config.docker.arguments = list(docker)
    config.run_config.environment_variables = dict(variables or {})
    config.run_config.max_run_duration_seconds = request.pop("max_seconds", None)
    return submit(folder, SubmitRequest(config, "tests", **request)).run


def containers_of(host: str, run: RunRecord) -> list[dict[str, Any]]:
    """Return the containers that the engine at `host` has of a run."""
    import docker

    client = docker.DockerClient(base_url=host, version="1.41", timeout=30)
    try:
        found: list[dict[str, Any]] = client.api.containers(all=True, filters={"label": f"aml.run={run.id}"})
        return found
    finally:
        client.close()

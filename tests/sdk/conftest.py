"""A workspace, an experiment and a way to submit a script, for the tests of the object model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter import Environment, Experiment, Run, ScriptRunConfig, Workspace

SubmitText = Callable[..., Run]


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("AML_WORKSPACE", str(tmp_path / "workspace"))
    return Workspace.from_config()


@pytest.fixture
def experiment(ws: Workspace) -> Experiment:
    return Experiment(ws, "sdk")


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., ScriptRunConfig]:
    """Return a function that writes a script and returns its configuration."""

    def make(text: str, **options: Any) -> ScriptRunConfig:
        folder = tmp_path / "source"
        folder.mkdir(exist_ok=True)
        (folder / "train.py").write_text(text)
        environment = Environment("here")
        environment.python.user_managed_dependencies = True
        return ScriptRunConfig(source_directory=str(folder), script="train.py", environment=environment, **options)

    return make


@pytest.fixture
def submit_text(experiment: Experiment, configure: Callable[..., ScriptRunConfig]) -> SubmitText:
    """Return a function that submits a script's text and returns its run."""

    def submit(text: str, tags: dict[str, str] | None = None, arguments: Any = None, **options: Any) -> Run:
        return experiment.submit(configure(text, arguments=arguments), tags, **options)

    return submit

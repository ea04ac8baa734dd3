"""What one submit says: SDK v1's rules for what wins, what is ignored, and where the script lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.config import (
    DockerConfiguration,
    Environment,
    MpiConfiguration,
    PyTorchConfiguration,
    RunConfiguration,
    ScriptRunConfig,
    TensorflowConfiguration,
    check_script,
)
from aml_jupyter.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "sub").mkdir(parents=True)
    (root / "train.py").write_text("")
    (root / "sub" / "evaluate.py").write_text("")
    (tmp_path / "outside.py").write_text("")
    return root


def test_there_is_always_a_run_configuration() -> None:
    src = ScriptRunConfig(source_directory="", script="train.py")
    assert src.run_config.target == "local"
    assert not src.run_config.target_is_set
    assert src.run_config.max_run_duration_seconds == 2592000
    src.run_config.target = "instance"
    src.run_config.environment = Environment("mine")
    src.run_config.node_count = 4


def test_its_parts_go_into_the_run_configuration() -> None:
    environment = Environment("mine")
    environment.docker.enabled = True
    environment.docker.shm_size = "4g"
    src = ScriptRunConfig(
        ".", "train.py", ["--rate", 0.1], compute_target="gpu-box", environment=environment, max_run_duration_seconds=60
    )
    assert src.arguments == ["--rate", "0.1"]
    assert src.run_config.target == "gpu-box"
    assert src.run_config.environment is environment
    assert src.run_config.max_run_duration_seconds == 60
    assert src.run_config.docker == DockerConfiguration(use_docker=True, shm_size="4g")
    docker = DockerConfiguration(use_docker=False)
    src = ScriptRunConfig(".", "train.py", environment=environment, docker_runtime_config=docker)
    assert src.run_config.docker is docker


@pytest.mark.parametrize(
    "options",
    [
        {"compute_target": "gpu-box"},
        {"environment": Environment("mine")},
        {"distributed_job_config": MpiConfiguration(node_count=2)},
        {"max_run_duration_seconds": 60},
        {"docker_runtime_config": DockerConfiguration(use_docker=True)},
    ],
)
def test_what_a_run_configuration_makes_ignored_is_said(
    options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    run_config = RunConfiguration()
    src = ScriptRunConfig(".", "train.py", run_config=run_config, **options)
    assert src.run_config is run_config
    assert run_config == RunConfiguration()
    assert "the following parameters will be ignored: 'compute_target'" in caplog.text


def test_script_arguments_and_command_win_over_the_run_configurations(caplog: pytest.LogCaptureFixture) -> None:
    run_config = RunConfiguration(script="theirs.py", arguments=["1"])
    src = ScriptRunConfig(".", run_config=run_config)
    assert (src.script, src.arguments) == ("theirs.py", ["1"])
    assert not caplog.records
    src = ScriptRunConfig(".", "mine.py", ["2"], run_config=run_config)
    assert (src.script, src.arguments) == ("mine.py", ["2"])
    assert "'mine.py' is used; 'theirs.py' of the run configuration is not" in caplog.text
    src = ScriptRunConfig(".", command="make train", run_config=run_config)
    assert (src.script, src.arguments, src.command) == (None, None, "make train")


@pytest.mark.parametrize(
    ("distribution", "framework", "communicator", "nodes"),
    [
        (MpiConfiguration(2, 3), "Python", "IntelMpi", 3),
        (PyTorchConfiguration("Gloo", 8, 2), "PyTorch", "Gloo", 2),
        (PyTorchConfiguration(), "PyTorch", "Nccl", 1),
        (TensorflowConfiguration(4, 2), "TensorFlow", "ParameterServer", 4),
    ],
)
def test_a_distribution_sets_framework_communicator_and_nodes(
    distribution: Any, framework: str, communicator: str, nodes: int
) -> None:
    config = ScriptRunConfig(".", "train.py", distributed_job_config=distribution).run_config
    assert (config.framework, config.communicator, config.node_count) == (framework, communicator, nodes)


def test_wrong_kinds_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="distributed_job_config: expected a TensorflowConfiguration"):
        ScriptRunConfig(".", "train.py", distributed_job_config=DockerConfiguration())  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"run_config: expected a RunConfiguration.*found 'local'"):
        ScriptRunConfig(".", "train.py", run_config="local")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"resume_from: .* is not supported yet"):
        ScriptRunConfig(".", "train.py", resume_from=object())
    with pytest.raises(ConfigurationError, match=r"arguments\[1\]: expected text or a number, found \['b'\]"):
        ScriptRunConfig(".", "train.py", ["a", ["b"]])
    with pytest.raises(AttributeError, match="has no attribute 'argument'; did you mean arguments"):
        ScriptRunConfig(".", "train.py").argument = []


def test_a_script_in_the_source_directory_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_script(folder, "train.py") == "train.py"
    assert check_script(folder, "sub/../sub/evaluate.py") == "sub/evaluate.py"
    assert check_script(folder, r"sub\evaluate.py") == "sub/evaluate.py"
    assert check_script(folder, folder / "sub" / "evaluate.py") == "sub/evaluate.py"
    monkeypatch.chdir(folder)
    for current in ("", None, "."):
        assert ScriptRunConfig(current, "train.py").check() == "train.py"
    (folder.parent / "alias").symlink_to(folder)
    assert check_script(folder.parent / "alias", folder / "train.py") == "train.py"


def test_a_script_outside_or_missing_is_refused_in_the_words_of_the_sdk(folder: Path) -> None:
    words = r"script path doesn't exist\. The script should be inside the project folder"
    with pytest.raises(ConfigurationError, match=words + r".*; did you mean train\.py\?"):
        check_script(folder, "trian.py")
    with pytest.raises(ConfigurationError, match=words + ".*name the folder that has it as source_directory"):
        check_script(folder, "../outside.py")
    (folder / "link.py").symlink_to(folder.parent / "outside.py")
    with pytest.raises(ConfigurationError, match=words):
        check_script(folder, "link.py")
    with pytest.raises(ConfigurationError, match=words + ".*it is a folder"):
        check_script(folder, "sub")
    with pytest.raises(ConfigurationError, match="source_directory: expected a folder, found a file"):
        check_script(folder / "train.py", "train.py")
    with pytest.raises(ConfigurationError, match="source_directory: expected a folder, found nothing"):
        check_script(folder / "nowhere", "train.py")


def test_a_submit_needs_a_script_or_a_command_and_not_both(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected a script or a command, found neither"):
        ScriptRunConfig(folder).check()
    with pytest.raises(ConfigurationError, match=r"found command 'make' and script 'train\.py'"):
        ScriptRunConfig(folder, "train.py", command="make").check()
    with pytest.raises(ConfigurationError, match=r"found command 'make' and arguments \['a'\]"):
        ScriptRunConfig(folder, arguments=["a"], command="make").check()
    assert ScriptRunConfig(folder, command=["make", "train"]).check() is None
    assert ScriptRunConfig(folder, "cell_1.py").check(also={"cell_1.py"}) == "cell_1.py"


def test_what_is_set_on_the_run_configuration_later_counts(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    late = ScriptRunConfig(folder, "train.py")
    late.run_config.arguments = ["--lr", 0.1]
    assert late.effective().arguments == ["--lr", "0.1"]
    assert late.arguments is None
    late = ScriptRunConfig(folder)
    late.run_config.command = "make train"
    assert late.effective().command == "make train"
    assert not caplog.records
    both = ScriptRunConfig(folder, "train.py")
    both.run_config.command = "make train"
    for _ in range(2):
        assert both.effective().command is None
    assert "command: 'train.py' is used; 'make train' of the run configuration is not" in caplog.text

"""What may be submitted, and what is refused by name before anything starts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aml_jupyter import (
    ComputeTargetException,
    Experiment,
    Run,
    RunConfiguration,
    ScriptRunConfig,
    UserErrorException,
    Workspace,
)


@pytest.mark.parametrize("name", ["", "-x", "_x", "a b", "a/b", "x" * 256])
def test_names_that_sdk_v1_refuses(ws: Workspace, name: str) -> None:
    with pytest.raises(UserErrorException, match="experiment name"):
        Experiment(ws, name)
    assert list(ws.experiments) == []


def test_what_is_no_text_is_refused_by_name(
    ws: Workspace, experiment: Experiment, configure: Callable[..., ScriptRunConfig]
) -> None:
    with pytest.raises(UserErrorException, match="experiment name None"):
        Experiment(ws, None)  # type: ignore[arg-type]
    for field in ("tags", "properties"):
        with pytest.raises(UserErrorException, match=f"{field}: expected a dict"):
            experiment.submit(configure("print(1)"), **{field: "fast"})  # type: ignore[arg-type]
    assert list(experiment.get_runs()) == []


def test_a_tag_without_a_value_is_the_empty_text(
    experiment: Experiment, configure: Callable[..., ScriptRunConfig]
) -> None:
    run = experiment.submit(configure("print(1)"), tags={"best": None})
    run.tag("kept")
    assert run.get_tags() == {"best": "", "kept": ""}


@pytest.mark.parametrize("name", ["a", "9-lives_x", "実験", "x" * 255])
def test_names_that_sdk_v1_takes(ws: Workspace, name: str) -> None:
    experiment = Experiment(workspace=ws, name=name)
    assert experiment.id == Experiment(ws, name).id
    assert ws.experiments[name] == experiment
    assert Experiment.list(ws) == [experiment]


class Pipeline:
    """Stands for a class of SDK v1 that is to come."""


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (Pipeline(), r"Submitting Pipeline \(pipelines\) is not built yet"),
        (RunConfiguration(), "takes a ScriptRunConfig; this is RunConfiguration"),
        ("train.py", "takes a ScriptRunConfig; this is str"),
    ],
)
def test_other_things_than_scripts_are_refused_by_name(experiment: Experiment, config: object, expected: str) -> None:
    with pytest.raises(UserErrorException, match=expected):
        experiment.submit(config)  # type: ignore[arg-type]
    assert list(experiment.get_runs()) == []


def test_a_misspelt_option_names_the_right_one(
    experiment: Experiment, configure: Callable[..., ScriptRunConfig]
) -> None:
    with pytest.raises(UserErrorException, match="'priorty'; did you mean priority"):
        experiment.submit(configure("print(1)"), priorty=1)


def test_an_unknown_target_leaves_nothing_behind(
    experiment: Experiment, configure: Callable[..., ScriptRunConfig]
) -> None:
    config = configure("print(1)")
    config.run_config.target = "gpu-box"
    with pytest.raises(ComputeTargetException, match=r"gpu-box not found.*local"):
        experiment.submit(config)
    assert list(Run.list(experiment)) == []


def test_a_command_runs_as_sdk_v1s_command_does(
    experiment: Experiment, configure: Callable[..., ScriptRunConfig]
) -> None:
    config = configure("print('not me')")
    config.script, config.command = None, ["echo", "by", "command"]
    run = experiment.submit(config)
    run.wait_for_completion()
    assert run.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"] == "by command\n"

"""What the real azureml-train-core 1.62 writes for a sweep is written here, too; where it refuses, the differences are listed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from real_packages import python_with

from aml_jupyter.config import sweeps
from aml_jupyter.errors import ConfigurationError

PACKAGES = ("azureml-train-core==1.62.0",)
CHECK = "import azureml.train.hyperdrive"
SPACE = {"lr": ["uniform", [0, 1]], "b": ["choice", [[1, 2]]]}
Request = tuple[str, list[Any], dict[str, Any]]
SAME: list[Request] = [
    ("choice", [1, 2], {}),
    ("choice", [[1, 2]], {}),
    ("choice", ["a", {"b": 1}], {}),
    ("choice", [], {}),
    ("choice", [[]], {}),
    ("choice", [[1], 2], {}),
    ("randint", [5], {}),
    ("randint", [0], {}),
    ("randint", ["a"], {}),
    ("uniform", [0, 1], {}),
    ("uniform", [], {"min_value": 0.5, "max_value": 1}),
    ("uniform", [1, 0], {}),
    ("uniform", ["a", 0], {}),
    ("quniform", [0, 10, 2], {}),
    ("quniform", [0, 10, 2.0], {}),
    ("quniform", [10, 0, 2], {}),
    ("loguniform", [-3, 1], {}),
    ("loguniform", [1, -3], {}),
    ("qloguniform", [0, 1, 1], {}),
    ("normal", [0, 1], {}),
    ("normal", [0, 0], {}),
    ("normal", [0, -1], {}),
    ("qnormal", [0, 1, 3], {}),
    ("lognormal", [0, 1], {}),
    ("qlognormal", [0, 1, 1], {}),
    ("BanditPolicy", [], {"slack_factor": 0.1}),
    ("BanditPolicy", [2, None, 0.5, 3], {}),
    ("BanditPolicy", [1, 0.1], {}),
    ("BanditPolicy", [1, 0, 0.1], {}),
    ("BanditPolicy", [], {}),
    ("BanditPolicy", [1, 0.1, 0.1], {}),
    ("BanditPolicy", [1.5, 0.1], {}),
    ("MedianStoppingPolicy", [], {}),
    ("MedianStoppingPolicy", [1, 5], {}),
    ("MedianStoppingPolicy", [], {"delay_evaluation": "x"}),
    ("TruncationSelectionPolicy", [20], {}),
    ("TruncationSelectionPolicy", [20, 2, 5], {}),
    ("TruncationSelectionPolicy", [0], {}),
    ("TruncationSelectionPolicy", [100], {}),
    ("NoTerminationPolicy", [], {}),
    ("RandomParameterSampling", [SPACE], {}),
    ("RandomParameterSampling", [SPACE, {"seed": 3, "rule": "sobol"}], {}),
    ("GridParameterSampling", [{"b": ["choice", [[1, 2]]]}], {}),
    ("GridParameterSampling", [SPACE], {}),
    ("BayesianParameterSampling", [SPACE], {}),
    ("BayesianParameterSampling", [None], {}),
]
LIFTED: list[Request] = [
    ("quniform", [0, 1, 0.25], {}),
    ("BayesianParameterSampling", [{"lr": ["loguniform", [-3, 0]]}], {}),
    ("BayesianParameterSampling", [{"b": ["choice", [[True, False]]]}], {}),
    ("TruncationSelectionPolicy", [20], {"exclude_finished_jobs": True}),
    ("RandomParameterSampling", [SPACE], {"seed": 3}),
]
STRICTER: list[Request] = [
    ("loguniform", [1, 1], {}),
    ("qloguniform", [1, 1, 1], {}),
    ("RandomParameterSampling", [{}], {}),
    ("RandomParameterSampling", [{"a": 3}], {}),
    ("RandomParameterSampling", [{"a": ["unifrm", [0, 1]]}], {}),
    ("BanditPolicy", [1, -0.1], {}),
    ("MedianStoppingPolicy", [-1], {}),
]
"""Nothing can be sampled from these, or no rule can be applied."""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    python = python_with("azureml-train-core", *PACKAGES, check=CHECK)
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [python, str(Path(__file__).with_name("said_by_the_sdk.py"))],
        input=json.dumps([*SAME, *LIFTED, *STRICTER]),
        capture_output=True,
        text=True,
        timeout=150,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
        cwd=home,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


def ours(name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    try:
        made = getattr(sweeps, name)(*arguments, **keywords)
    except ConfigurationError:
        return "refused"
    return json.loads(json.dumps(made if isinstance(made, list) else made.to_json()))


def test_the_same_is_written_and_refused(theirs: list[Any]) -> None:
    for request, said in zip(SAME, theirs, strict=False):
        assert ours(*request) == said, request


def test_what_is_lifted_and_what_is_stricter(theirs: list[Any]) -> None:
    for request, said in zip([*LIFTED, *STRICTER], theirs[len(SAME) :], strict=True):
        assert (ours(*request) == "refused") != (said == "refused"), (request, said)
        assert (ours(*request) == "refused") == (request in STRICTER)

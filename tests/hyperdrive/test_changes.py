"""What is changed about a sweep while it runs: checked first, then applied in order."""

from __future__ import annotations

from typing import Any

import pytest

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.config.sweeps import HyperDriveConfig, RandomParameterSampling, choice, uniform
from aml_jupyter.errors import ConfigurationError
from aml_jupyter.hyperdrive import Chosen, check_added, check_limits, check_space, with_changes

DEFINITION = HyperDriveConfig(
    RandomParameterSampling({"--lr": uniform(0, 1), "--kind": choice("a", "b")}),
    "loss",
    "minimize",
    6,
    2,
    run_config=ScriptRunConfig(".", "train.py"),
).to_dict()


def test_changes_are_applied_in_order_and_unknown_ones_are_passed_over() -> None:
    space = check_space(DEFINITION, {"--lr": uniform(0, 9)})
    assert check_space(DEFINITION, {"lr": uniform(0, 9)}) == space
    changes: list[dict[str, Any]] = [
        {"pause": True},
        {"limits": {"max_total_runs": 9}},
        {"add": {"--lr": 5.0, "--kind": "a"}},
        {"of": "a later version"},
        {"limits": {"max_total_runs": 12, "max_concurrent_runs": 3}},
        {"parameter_space": space},
        {"pause": False},
    ]
    after = with_changes(DEFINITION, changes)
    assert (after.definition["max_total_jobs"], after.definition["max_concurrent_jobs"]) == (12, 3)
    assert after.definition["generator_config"]["parameter_space"] == {
        "--lr": ["uniform", [0, 9]],
        "--kind": ["choice", [["a", "b"]]],
    }
    assert (after.is_paused, after.added, after.has_other_space) == (
        False,
        (Chosen({"--lr": 5.0, "--kind": "a"}),),
        True,
    )
    assert with_changes(DEFINITION, changes[:1]).is_paused
    assert with_changes(DEFINITION, []).definition == DEFINITION


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_total_runs": 0}, "max_total_runs: expected a whole number from 1 to 10,000"),
        ({"max_total_runs": 3}, "max_total_runs: 3 is less than the 4 children that there are"),
        ({"max_concurrent_runs": 5000}, "max_concurrent_runs: expected a whole number from 1 to 1,000"),
        ({"max_duration_minutes": 0}, "max_duration_minutes"),
        ({"max_duration": 5}, "did you mean max_duration_minutes"),
    ],
)
def test_wrong_limits_are_refused(limits: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_limits(DEFINITION, limits, 4)


def test_right_limits_are_kept_and_none_changes_nothing() -> None:
    assert check_limits(DEFINITION, {"max_total_runs": "8", "max_concurrent_runs": None}, 4) == {"max_total_runs": 8}


def test_a_space_may_be_widened_and_gets_no_new_parameter() -> None:
    with pytest.raises(
        ConfigurationError, match=r"parameter_space.--rl: the sweep has no such parameter; did you mean --lr"
    ):
        check_space(DEFINITION, {"--rl": uniform(0, 1)})
    with pytest.raises(ConfigurationError, match="--lr"):
        check_space(DEFINITION, {"--lr": ["uniform", [3, 1]]})


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"lr": 1}, "--kind: missing"),
        ({"lr": 1, "kind": "a", "depth": 3}, "depth: the sweep has no such parameter"),
        ({"lr": object(), "kind": "a"}, "expected a text, a number or a boolean"),
    ],
)
def test_wrong_parameters_of_a_child_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_added(DEFINITION, parameters)


def test_parameters_of_a_child_are_put_in_the_order_of_the_space() -> None:
    added = check_added(DEFINITION, {"kind": "c", "lr": 2})
    assert list(added.items()) == [("--lr", 2), ("--kind", "c")]

"""A sweep that is written on one line."""

from __future__ import annotations

import pytest

from aml_jupyter.config.sweeps import BanditPolicy, MedianStoppingPolicy
from aml_jupyter.config.sweeps.line import is_space, read_policy_line, read_space_line
from aml_jupyter.errors import ConfigurationError


def test_a_space_is_read_as_a_person_writes_it() -> None:
    assert read_space_line("lr=loguniform(-6,-1) batch=choice(16, 32, 64)") == {
        "lr": ["loguniform", [-6, -1]],
        "batch": ["choice", [[16, 32, 64]]],
    }
    assert read_space_line("  --kind = choice('a b', \"c)\", None), x=choice([1.5, True]),n=randint(3)") == {
        "--kind": ["choice", [["a b", "c)", None]]],
        "x": ["choice", [[1.5, True]]],
        "n": ["randint", [3]],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr=loguniform(-6,-1) batch", "expected NAME=EXPRESSION"),
        ("lr=loguniform(-6,-1) batch=", "expected NAME=EXPRESSION"),
        ("lr=3", "expected an expression with plain values"),
        ("lr=choice(open('x'))", "expected an expression with plain values"),
        ("lr=__import__('os').system('true')", "expected the name of an expression, found '__import__'"),
        ("lr=choice(1, 2", "expected an expression with plain values"),
        ("lr=loguniform(-1,-6)", "min_value < max_value"),
        ("lr=uniforn(0,1)", "did you mean uniform"),
        ("lr=uniform(0)", "2 values for uniform"),
        ("lr=uniform(min_value=0, max_value=1)", "values without names"),
        ("lr=choice()", "at least one value"),
        ("lr=choice(1) --lr=choice(2)", "each parameter once"),
        ("=choice(1)", "expected NAME=EXPRESSION"),
        ("lr=choice" + "(" * 500 + ")" * 500, "expected an expression with plain values"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said.replace("(", r"\(")):
        read_space_line(text)


def test_a_file_is_no_space() -> None:
    assert is_space("lr=choice(1)") and is_space("--lr = choice(1)")
    assert not any(map(is_space, ("hdconfig.yml", "a=b.yml", "/x/y(1).yml", "")))


def test_a_policy_is_a_name_with_or_without_settings() -> None:
    assert read_policy_line("median") == MedianStoppingPolicy()
    assert read_policy_line("MedianStopping(1, )".replace("1, ", "evaluation_interval=2")) == MedianStoppingPolicy(2)
    assert read_policy_line("bandit(slack_factor=0.2)") == BanditPolicy(slack_factor=0.2)
    for text, said in (
        ("medain", "did you mean"),
        ("bandit", "slack_factor"),
        ("bandit(0.2)", "settings with names"),
        ("bandit(slak_factor=1)", "did you mean slack_factor"),
        ("truncation", "truncation_percentage"),
        ("bandit(slack_factor=open('x'))", "plain values"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            read_policy_line(text)

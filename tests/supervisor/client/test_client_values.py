"""SDK v1's rules for values, and the refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aml_jupyter.supervisor.client import Run, UserErrorException
from aml_jupyter.supervisor.client.offline import OfflineRun
from aml_jupyter.supervisor.client.values import scalar


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1, 1),
        (np.float16(0.5), 0.5),
        (np.int8(-3), -3),
        (np.uint64(2**63), 2**63),
        (np.bool_(False), False),
        (np.str_("a"), "a"),
        (None, None),
        (np.longdouble(1), repr(np.longdouble(1))),
        (np.array(1.5), repr(np.array(1.5))),
        (b"x", "b'x'"),
        ({"a": 1}, "{'a': 1}"),
    ],
)
def test_scalar(value: Any, kept: Any) -> None:
    assert scalar(value) == kept
    assert type(scalar(value)) is type(kept)


@pytest.mark.parametrize("value", [[1], range(2), (i for i in range(2))])
def test_log_refuses_lists_in_the_words_of_sdk_v1(value: Any) -> None:
    with pytest.raises(UserErrorException, match=r"^run.log does not support list type. Use run.log_list instead$"):
        OfflineRun().log("a", value)


def test_refusals_say_what_was_expected() -> None:
    run = OfflineRun()
    with pytest.raises(UserErrorException, match=r"Use run.log for a single value"):
        run.log_list("a", 3)
    with pytest.raises(UserErrorException, match=r"Use run.log_table"):
        run.log_row("a", x=[1])
    with pytest.raises(UserErrorException, match=r"different lengths \(x: 2, y: 1\)"):
        run.log_table("a", {"x": [1, 2], "y": 1})
    with pytest.raises(UserErrorException, match=r"either path or plot"):
        run.log_image("a")
    with pytest.raises(UserErrorException, match=r"savefig"):
        run.log_image("a", plot=3)
    with pytest.raises(UserErrorException, match=r"101 children"):
        run.create_children(101)
    assert run.get_metrics() == {}


def test_what_is_not_built_says_so() -> None:
    run = Run(None, "x")
    with pytest.raises(AttributeError, match=r"only a run itself can do that"):
        run.log_confusion_matrix
    with pytest.raises(AttributeError, match=r"did you mean get_metrics"):
        run.getmetrics
    with pytest.raises(AttributeError, match=r"inside a run there is: .*get_metrics"):
        run.quux
    assert not hasattr(run, "get_metric")


def test_text_is_made_of_tags_with_a_warning() -> None:
    run = OfflineRun()
    calls = (lambda: run.tag("n", 3), lambda: run.set_tags({"n": 3}), lambda: run.add_properties({"n": 3}))
    for call in calls:
        with pytest.warns(UserWarning, match=r"3 is not a string") as caught:
            call()
        assert caught[0].filename == __file__
    assert run.tags == {"n": "3"}

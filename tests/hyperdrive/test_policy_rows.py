"""Judge curves that one can reckon by hand with every row of the table of policies (`make bench-policies`), at each interval.

A case is the children's values at every interval (flat curves, unless a list is given), and at which intervals the last child
would be stopped if it went on. test_policies.py has each rule's single cases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from aml_jupyter.config.sweeps import (
    AshaPolicy,
    BanditPolicy,
    HyperbandPolicy,
    MedianStoppingPolicy,
    NoTerminationPolicy,
    TruncationSelectionPolicy,
)
from aml_jupyter.hyperdrive import Curve, is_due, is_policy_reason, reason_to_stop
from aml_jupyter.hyperdrive.policies import bracket_of

NAN = math.nan
LENGTH = 40


def stopped_at(policy: Any, *curves: float | Sequence[float], goal: str = "maximize", running: int = 100) -> list[int]:
    """Return where the last child is told to stop; the others have LENGTH values, and the first `running` of them run."""
    values = [each if isinstance(each, Sequence) else [each] * LENGTH for each in curves]
    mine = len(values) - 1
    seen = [Curve(child, each, child < running) for child, each in enumerate(values[:-1])]
    found = []
    for interval in range(1, len(values[mine]) + 1):
        reason = reason_to_stop(policy, goal, [*seen, Curve(mine, values[mine][:interval])], mine, interval)
        if reason is not None:
            assert is_policy_reason(reason)
            found.append(interval)
    return found


EVERY = list(range(1, LENGTH + 1))
FROM_5 = EVERY[4:]
FIVES = [5, 10, 15, 20, 25, 30, 35, 40]
FOUR = [0.9, 0.8, 0.7, 0.6]
NINE = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]


@pytest.mark.parametrize(
    ("policy", "curves", "goal", "stops"),
    [
        pytest.param(NoTerminationPolicy(), [0.9, 0.0], "maximize", [], id="none"),
        # 0.88 / 1.1 = 0.8
        pytest.param(BanditPolicy(1, 0.1), [0.88, 0.79], "maximize", EVERY, id="bandit .1, 1, 0"),
        pytest.param(BanditPolicy(1, 0.1), [0.88, 0.81], "maximize", [], id="bandit .1, 1, 0 above the limit"),
        pytest.param(BanditPolicy(1, 0.1, delay_evaluation=5), [0.88, 0.79], "maximize", FROM_5, id="bandit .1, 1, 5"),
        # its best so far, 0.85 at interval 7, lifts it for good; before, at 5 and 6, it is below 0.8
        pytest.param(
            BanditPolicy(1, 0.1, delay_evaluation=5),
            [0.88, [0.1] * 6 + [0.85] + [0.1] * 33],
            "maximize",
            [5, 6],
            id="bandit .1, 1, 5 best so far",
        ),
        # the leader has 0.5 up to interval 9 and 0.88 from 10 on: 0.5 / 1.1 = 0.4545, then 0.8
        pytest.param(
            BanditPolicy(1, 0.1, delay_evaluation=5),
            [[0.5] * 9 + [0.88] * 31, 0.6],
            "maximize",
            EVERY[9:],
            id="bandit .1, 1, 5 best at the interval",
        ),
        # 0.9 / 1.2 = 0.75
        pytest.param(BanditPolicy(1, 0.2, delay_evaluation=5), [0.9, 0.74], "maximize", FROM_5, id="bandit .2, 1, 5"),
        pytest.param(BanditPolicy(1, 0.2, delay_evaluation=5), [0.9, 0.76], "maximize", [], id="bandit .2, 1, 5 above"),
        # minimise: 0.5 * 1.2 = 0.6
        pytest.param(
            BanditPolicy(1, 0.2, delay_evaluation=5), [0.5, 0.61], "minimize", FROM_5, id="bandit .2 minimise"
        ),
        pytest.param(BanditPolicy(1, 0.2, delay_evaluation=5), [0.5, 0.59], "minimize", [], id="bandit .2 below"),
        # 0.9 - 0.05 = 0.85
        pytest.param(
            BanditPolicy(1, slack_amount=0.05, delay_evaluation=5),
            [0.9, 0.84],
            "maximize",
            FROM_5,
            id="amount .05, 1, 5",
        ),
        pytest.param(
            BanditPolicy(1, slack_amount=0.05, delay_evaluation=5), [0.9, 0.86], "maximize", [], id="amount .05 above"
        ),
        # a slack amount holds where metrics are <= 0: -0.1 - 0.05 = -0.15; to minimise, -0.3 + 0.05 = -0.25
        pytest.param(
            BanditPolicy(1, slack_amount=0.05, delay_evaluation=5), [-0.1, -0.16], "maximize", FROM_5, id="amount < 0"
        ),
        pytest.param(
            BanditPolicy(1, slack_amount=0.05, delay_evaluation=5),
            [-0.3, -0.24],
            "minimize",
            FROM_5,
            id="amount min < 0",
        ),
        pytest.param(
            BanditPolicy(5, 0.1, delay_evaluation=10), [0.88, 0.79], "maximize", FIVES[1:], id="bandit .1, 5, 10"
        ),
        # 5 | N and N >= 12: from 15 on
        pytest.param(
            BanditPolicy(5, 0.1, delay_evaluation=12), [0.88, 0.79], "maximize", FIVES[2:], id="bandit .1, 5, 12"
        ),
        # averages 0.9, 0.6, 0.5; median 0.6
        pytest.param(MedianStoppingPolicy(1, 0), [0.9, 0.6, 0.5], "maximize", EVERY, id="median 1, 0"),
        pytest.param(MedianStoppingPolicy(1, 0), [0.9, 0.5, 0.6], "maximize", [], id="median 1, 0 the median itself"),
        pytest.param(MedianStoppingPolicy(1, 5), [0.9, 0.6, 0.5], "maximize", FROM_5, id="median 1, 5"),
        pytest.param(MedianStoppingPolicy(1, 5), [0.1, 0.4, 0.5], "minimize", FROM_5, id="median 1, 5 minimise"),
        # one was stopped after 2 values with an average of 0.6: it counts with that at every interval; averages 0.9, 0.6, 0.5
        pytest.param(MedianStoppingPolicy(1, 5), [0.9, [0.6, 0.6], 0.5], "maximize", FROM_5, id="median of all runs"),
        # only 0.9 and 0.5 have reached interval 5, but the median is of 0.9, 0.2, 0.1 and 0.5: (0.2 + 0.5) / 2 = 0.35
        pytest.param(MedianStoppingPolicy(1, 5), [0.9, [0.2], [0.1], 0.5], "maximize", [], id="median of short runs"),
        # the running average of 0, 0, 0, 0, 1, 1, ... is 0.2 at 5, 0.33 at 6, 0.43 at 7, 0.5 at 8; with 0 and 0.45 itself it is
        # the median while below 0.45, then 0.45 is: never above
        pytest.param(
            MedianStoppingPolicy(1, 5),
            [[0.0] * 4 + [1.0] * 36, 0.0, 0.45],
            "maximize",
            [],
            id="median, running average",
        ),
        # beside 1: averages a(N), 1 and 0.45; the median is a(N) from 8 on, where it is 0.5 (0.4286 at 7)
        pytest.param(
            MedianStoppingPolicy(1, 5), [[0.0] * 4 + [1.0] * 36, 1.0, 0.45], "maximize", EVERY[7:], id="median rises"
        ),
        # ten children: 10 % is one, the lowest; of nine it is none
        pytest.param(
            TruncationSelectionPolicy(10, 1, 5), [*NINE, 0.05], "maximize", FROM_5, id="truncation 10, 1, 5 lowest"
        ),
        pytest.param(TruncationSelectionPolicy(10, 1, 5), [*NINE, 0.15], "maximize", [], id="truncation 10, 1, 5 next"),
        pytest.param(TruncationSelectionPolicy(10, 1, 5), NINE, "maximize", [], id="truncation 10, 1, 5 of nine"),
        # ten children: 20 % is two; of nine, 1.8 is one
        pytest.param(
            TruncationSelectionPolicy(20, 1, 5), [*NINE, 0.15], "maximize", FROM_5, id="truncation 20, 1, 5 second"
        ),
        pytest.param(
            TruncationSelectionPolicy(20, 1, 5), [*NINE, 0.25], "maximize", [], id="truncation 20, 1, 5 third"
        ),
        pytest.param(
            TruncationSelectionPolicy(20, 1, 5), [*NINE[:8], 0.25], "maximize", [], id="truncation 20, 1, 5 of nine"
        ),
        # 0.1 is level with the second lowest: the cut falls among equals, and none of them is stopped
        pytest.param(
            TruncationSelectionPolicy(20, 1, 5), [*NINE[:7], 0.1, 0.1, 0.1], "maximize", [], id="truncation 20 ties"
        ),
        pytest.param(
            TruncationSelectionPolicy(20, 1, 5), [-0.1, -0.2, -0.3, -0.4, -0.5], "maximize", FROM_5, id="truncation < 0"
        ),
        pytest.param(
            TruncationSelectionPolicy(20, 1, 5), [*FOUR, 0.95], "minimize", FROM_5, id="truncation 20 minimise"
        ),
        pytest.param(TruncationSelectionPolicy(20, 5, 5), [*FOUR, 0.1], "maximize", FIVES, id="truncation 20, 5, 5"),
        # 20 % of five at interval 5; from 6 on only three have got so far, and 0.6 is none
        pytest.param(
            TruncationSelectionPolicy(20, 1, 5),
            [0.9, 0.8, [0.7] * 5, [0.6] * 5, 0.1],
            "maximize",
            [5],
            id="truncation 20 of those that got so far",
        ),
        # 50 % of five is 2.5, two
        pytest.param(
            TruncationSelectionPolicy(50, 5, 5), [0.9, 0.8, 0.7, 0.1, 0.2], "maximize", FIVES, id="truncation 50, 5, 5"
        ),
        pytest.param(
            TruncationSelectionPolicy(50, 5, 5), [0.9, 0.8, 0.1, 0.2, 0.3], "maximize", [], id="truncation 50 third"
        ),
        # rungs r, r * eta, ...; of two, one goes on
        pytest.param(AshaPolicy(3, 1), [0.5, 0.4], "maximize", [1, 3, 9, 27], id="asha 3, 1"),
        pytest.param(AshaPolicy(3, 3), [0.5, 0.4], "maximize", [3, 9, 27], id="asha 3, 3"),
        pytest.param(AshaPolicy(4, 2), [0.5, 0.4], "maximize", [2, 8, 32], id="asha 4, 2"),
        pytest.param(AshaPolicy(2, 5), [0.5, 0.4], "maximize", [5, 10, 20, 40], id="asha 2, 5"),
        # of four: 4 / 3 rounded up, two go on; 4 / 4, one; 4 / 2, two
        pytest.param(AshaPolicy(3, 3), [0.5, 0.3, 0.2, 0.4], "maximize", [], id="asha 3, 3 second of four"),
        pytest.param(AshaPolicy(4, 2), [0.5, 0.3, 0.2, 0.4], "maximize", [2, 8, 32], id="asha 4, 2 second of four"),
        pytest.param(AshaPolicy(2, 5), [0.5, 0.3, 0.2, 0.4], "maximize", [], id="asha 2, 5 second of four"),
        pytest.param(AshaPolicy(2, 5), [0.5, 0.4, 0.2, 0.3], "maximize", [5, 10, 20, 40], id="asha 2, 5 third of four"),
        pytest.param(AshaPolicy(3, 1), [-0.5, -0.4], "minimize", [1, 3, 9, 27], id="asha 3, 1 minimise"),
        # its best so far counts: 0.6 at interval 2 carries it past 3, 9 and 27, but not 1
        pytest.param(AshaPolicy(3, 1), [0.5, [0.4, 0.6] + [0.1] * 38], "maximize", [1], id="asha 3, 1 best so far"),
        # peers that were stopped at rung 1 count there only: at 1 of four two go on, at 3 of two one does
        pytest.param(
            AshaPolicy(3, 1), [0.5, [0.3], [0.2], 0.4], "maximize", [3, 9, 27], id="asha 3, 1 peers of each rung"
        ),
        pytest.param(AshaPolicy(4, 2), [0.5, [NAN] * 40], "maximize", [2, 8, 32], id="asha 4, 2 not a number"),
    ],
)
def test_a_row_of_the_table(policy: Any, curves: list[Any], goal: str, stops: list[int]) -> None:
    assert stopped_at(policy, *curves, goal=goal) == stops


def test_four_children_that_run_are_too_few_to_cut_20_percent_of() -> None:
    policy = TruncationSelectionPolicy(20, 1, 5, exclude_finished_jobs=True)
    # 0.2 * 4 = 0.8, less than one, however many have ended; of five that run it is one
    assert stopped_at(policy, 0.9, 0.8, 0.7, *[0.6] * 20, 0.1, running=3) == []
    assert stopped_at(policy, 0.9, 0.8, 0.7, 0.6, *[0.5] * 20, 0.1, running=4) == FROM_5
    # ended ones are not compared with: of the five that run, 0.55 is the lowest, though all that ended were lower
    assert stopped_at(policy, 0.9, 0.8, 0.7, 0.6, *[0.0] * 20, 0.55, running=4) == FROM_5
    assert stopped_at(policy, 0.1, 0.2, 0.3, 0.4, *[0.9] * 20, 0.5, goal="minimize", running=4) == FROM_5


def test_hyperband_of_40_intervals_has_four_brackets() -> None:
    policy = HyperbandPolicy(40, 3)
    first: dict[int, int] = {}
    for child in range(100):
        first.setdefault(bracket_of(policy, child), child)
    rungs = {bracket: [n for n in EVERY if is_due(policy, n, child)] for bracket, child in first.items()}
    # 40 / 27 = 1, 40 / 9 = 4, 40 / 3 = 13, 40 rounded down, each times 3 while below 40
    assert rungs == {3: [1, 3, 9, 27], 2: [4, 12, 36], 1: [13, 39], 0: []}


@pytest.mark.parametrize(
    ("reason", "is_policys"),
    [
        ("Bandit: best so far 0.6 at interval 1; the limit is 0.666667", True),
        ("Hyperband (bracket 2): best so far 1 at interval 3; the best 1 of 2 children go on, from 2", True),
        ("the metric is nan at interval 2", True),
        ("no value of the primary metric for 11 minutes (limit 10)", True),
        ("canceled by the user", False),
        ("the sweep was canceled", False),
        ("max_duration_minutes (5) is over", False),
        ("Bandit of a machine", False),
        ("", False),
    ],
)
def test_whether_a_policy_gave_a_reason(reason: str, is_policys: bool) -> None:
    assert is_policy_reason(reason) == is_policys

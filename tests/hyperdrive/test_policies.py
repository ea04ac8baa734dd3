"""Policies by hand-computed cases: when they are applied, what they compare, and what they leave alone."""

from __future__ import annotations

import math
from collections import Counter
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
from aml_jupyter.hyperdrive import Curve, is_due, reason_to_stop, replay, silence_reason
from aml_jupyter.hyperdrive.policies import bracket_of

NAN, INF = math.nan, math.inf


def judge(
    policy: Any, *values: Sequence[float], goal: str = "maximize", running: Sequence[bool] | None = None
) -> str | None:
    """Return why the last child is stopped at its last interval."""
    curves = [Curve(i, each, running is None or running[i]) for i, each in enumerate(values)]
    return reason_to_stop(policy, goal, curves, len(values) - 1, len(values[-1]))


@pytest.mark.parametrize(
    ("every", "delay", "due"),
    [
        (1, 0, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]),
        (0, 0, list(range(1, 21))),
        (5, 0, [5, 10, 15, 20]),
        (5, 12, [15, 20]),
        (1, 18, [18, 19, 20]),
        (3, 6, [6, 9, 12, 15, 18]),
    ],
)
def test_when_a_policy_is_applied(every: int, delay: int, due: list[int]) -> None:
    policies = [
        BanditPolicy(every, 0.1, delay_evaluation=delay),
        MedianStoppingPolicy(every, delay),
        TruncationSelectionPolicy(10, every, delay),
    ]
    for policy in policies:
        assert [interval for interval in range(1, 21) if is_due(policy, interval)] == due
    assert not any(is_due(NoTerminationPolicy(), interval) for interval in range(1, 21))


BANDIT = [
    # documented: the best is 0.8, a slack of 0.2 stops below 0.8 / 1.2 = 0.6667
    (BanditPolicy(slack_factor=0.2), [[0.8], [0.66]], "maximize", True),
    (BanditPolicy(slack_factor=0.2), [[0.8], [0.67]], "maximize", False),
    (BanditPolicy(slack_amount=0.2), [[0.8], [0.59]], "maximize", True),
    (BanditPolicy(slack_amount=0.25), [[0.75], [0.5]], "maximize", False),  # a tie
    # the best so far counts, of both
    (BanditPolicy(slack_factor=0.2), [[0.8, 0.1], [0.7, 0.1]], "maximize", False),
    (BanditPolicy(slack_factor=0.2), [[0.8, 0.1], [0.1, 0.2]], "maximize", True),
    # at the same interval: what the leader reached later does not count
    (BanditPolicy(slack_factor=0.2), [[0.5, 0.9], [0.45]], "maximize", False),
    # children that have not reached the interval do not count
    (BanditPolicy(slack_factor=0.2), [[0.9], [0.5, 0.5]], "maximize", False),
    # the first one there has nothing to be compared with
    (BanditPolicy(slack_factor=0.2), [[0.1]], "maximize", False),
    # minimise: the mirror image
    (BanditPolicy(slack_factor=0.2), [[1.0], [1.21]], "minimize", True),
    (BanditPolicy(slack_factor=0.25), [[1.0], [1.25]], "minimize", False),
    (BanditPolicy(slack_amount=0.5), [[-1.0], [-0.4]], "minimize", True),
    (BanditPolicy(slack_amount=0.5), [[-1.0], [-0.5]], "minimize", False),
    # a ratio says nothing of metrics <= 0; an amount does
    (BanditPolicy(slack_factor=0.2), [[-1.0], [-9.0]], "maximize", False),
    (BanditPolicy(slack_factor=0.2), [[0.0], [9.0]], "minimize", False),
    (BanditPolicy(slack_amount=0.2), [[-1.0], [-9.0]], "maximize", True),
    (BanditPolicy(slack_factor=0.2), [[0.8], [-0.1]], "maximize", True),
    # not a number is the worst, whichever way; where all are, nothing is stopped
    (BanditPolicy(slack_factor=0.2), [[0.8], [NAN]], "maximize", True),
    (BanditPolicy(slack_amount=9), [[0.8], [INF]], "minimize", True),
    (BanditPolicy(slack_amount=9), [[0.8], [INF]], "maximize", True),
    (BanditPolicy(slack_factor=0.2), [[NAN], [NAN]], "maximize", False),
    (BanditPolicy(slack_factor=0.2), [[0.8, 0.8], [NAN, 0.8]], "maximize", False),
    # no slack at all
    (BanditPolicy(slack_factor=0), [[0.8], [0.79]], "maximize", True),
    (BanditPolicy(slack_factor=0), [[0.8], [0.8]], "maximize", False),
    # not yet, not now
    (BanditPolicy(1, 0.2, delay_evaluation=2), [[0.8], [0.1]], "maximize", False),
    (BanditPolicy(2, 0.2), [[0.8] * 3, [0.1] * 3], "maximize", False),
    (BanditPolicy(2, 0.2), [[0.8] * 4, [0.1] * 4], "maximize", True),
]
MEDIAN = [
    # averages 0.6, 0.4, 0.2; median 0.4
    (MedianStoppingPolicy(), [[0.6], [0.4], [0.2]], "maximize", True),
    # averages over 1..2: 0.5, 0.4, 0.25; the median is 0.4, the best so far 0.41
    (MedianStoppingPolicy(), [[0.4, 0.6], [0.4, 0.4], [0.41, 0.09]], "maximize", False),
    (MedianStoppingPolicy(), [[0.4, 0.6], [0.4, 0.4], [0.39, 0.09]], "maximize", True),
    # a tie: best so far 0.4 is the median
    (MedianStoppingPolicy(), [[0.4, 0.6], [0.4, 0.4], [0.4, 0.0]], "maximize", False),
    # an older child counts with its average up to the interval: 0.1, not 0.7
    (MedianStoppingPolicy(), [[0.1, 1.0, 1.0], [0.2]], "maximize", False),
    # a younger child counts with what it has: averages 0.9, 0.2; median 0.55
    (MedianStoppingPolicy(), [[0.9], [0.2, 0.2]], "maximize", True),
    # of two, the median is their middle: (0.8 + 0.5) / 2 = 0.65
    (MedianStoppingPolicy(), [[0.8], [0.5]], "maximize", True),
    (MedianStoppingPolicy(), [[0.8]], "maximize", False),
    # minimise: averages 1, 2, 3; median 2
    (MedianStoppingPolicy(), [[1.0], [2.0], [3.0]], "minimize", True),
    (MedianStoppingPolicy(), [[1.0], [3.0], [2.0]], "minimize", False),
    (MedianStoppingPolicy(), [[-1.0], [-2.0], [-0.5]], "minimize", True),
    # not a number makes an average the worst there is
    (MedianStoppingPolicy(), [[0.5], [0.4], [NAN]], "maximize", True),
    (MedianStoppingPolicy(), [[NAN], [NAN], [0.1]], "maximize", False),
    (MedianStoppingPolicy(1, 5), [[0.9] * 4, [0.8] * 4, [0.1] * 4], "maximize", False),
    (MedianStoppingPolicy(1, 5), [[0.9] * 5, [0.8] * 5, [0.1] * 5], "maximize", True),
]
FIVE = [[0.5], [0.4], [0.3], [0.2]]
TRUNCATION = [
    # 20 % of 5 is 1
    (TruncationSelectionPolicy(20), [*FIVE, [0.1]], "maximize", True),
    (TruncationSelectionPolicy(20), [*FIVE, [0.25]], "maximize", False),
    # 20 % of 4 is less than one
    (TruncationSelectionPolicy(20), [*FIVE[:3], [0.1]], "maximize", False),
    # 50 % of 5 is 2: 0.1 and 0.2
    (TruncationSelectionPolicy(50), [*FIVE, [0.1]], "maximize", True),
    (TruncationSelectionPolicy(50), [[0.5], [0.4], [0.3], [0.1], [0.2]], "maximize", True),
    (TruncationSelectionPolicy(50), [[0.5], [0.4], [0.2], [0.1], [0.3]], "maximize", False),
    # ties are not stopped
    (TruncationSelectionPolicy(20), [*FIVE, [0.2]], "maximize", False),
    (TruncationSelectionPolicy(99), [[0.1], [0.1], [0.1]], "maximize", False),
    # only those that reached the interval are counted: 4 of them
    (TruncationSelectionPolicy(25), [[0.5] * 2, [0.4] * 2, [0.3] * 2, [0.0], [0.1] * 2], "maximize", True),
    (TruncationSelectionPolicy(20), [[0.5] * 2, [0.4] * 2, [0.3] * 2, [0.0], [0.1] * 2], "maximize", False),
    # an older child counts with what it had at the interval
    (TruncationSelectionPolicy(50), [[0.1, 0.9], [0.2]], "maximize", False),
    (TruncationSelectionPolicy(50), [[0.3, 0.1], [0.2]], "maximize", True),
    (TruncationSelectionPolicy(20), [[0.1], [0.2], [0.3], [0.4], [0.5]], "minimize", True),
    (TruncationSelectionPolicy(20), [*FIVE, [NAN]], "maximize", True),
    (TruncationSelectionPolicy(20, 1, 2), [*FIVE, [0.1]], "maximize", False),
]
ASHA = [
    # rungs 1, 3, 9: of three children at a rung, one goes on
    (AshaPolicy(3), [[0.5], [0.4]], "maximize", True),
    (AshaPolicy(3), [[0.5], [0.6]], "maximize", False),
    (AshaPolicy(3), [[0.5], [0.5]], "maximize", False),
    (AshaPolicy(3), [[0.5]], "maximize", False),
    # no rung at 2
    (AshaPolicy(3), [[0.5] * 2, [0.4] * 2], "maximize", False),
    (AshaPolicy(3), [[0.5] * 3, [0.4] * 3], "maximize", True),
    # four children: 4 / 3 rounded up, two go on
    (AshaPolicy(3), [[0.1], [0.2], [0.6], [0.5]], "maximize", False),
    (AshaPolicy(3), [[0.1], [0.5], [0.6], [0.4]], "maximize", True),
    # six children: two go on
    (AshaPolicy(3), [[0.1], [0.2], [0.3], [0.4], [0.6], [0.5]], "maximize", False),
    (AshaPolicy(3), [[0.1], [0.2], [0.3], [0.5], [0.6], [0.4]], "maximize", True),
    (AshaPolicy(2, grace=5), [[0.5] * 4, [0.4] * 4], "maximize", False),
    (AshaPolicy(2, grace=5), [[0.5] * 5, [0.4] * 5], "maximize", True),
    (AshaPolicy(2, grace=5), [[0.5] * 10, [0.4] * 10], "maximize", True),
    (AshaPolicy(2, grace=5, max_intervals=9), [[0.5] * 10, [0.4] * 10], "maximize", False),
    (AshaPolicy(3), [[1.0], [2.0]], "minimize", True),
    (AshaPolicy(3), [[2.0], [1.0]], "minimize", False),
    (AshaPolicy(3), [[0.1], [NAN]], "maximize", True),
]


@pytest.mark.parametrize(("policy", "values", "goal", "stops"), [*BANDIT, *MEDIAN, *TRUNCATION, *ASHA])
def test_a_hand_computed_case(policy: Any, values: list[list[float]], goal: str, stops: bool) -> None:
    assert (judge(policy, *values, goal=goal) is not None) == stops


def test_children_that_ended_are_left_out_where_that_was_asked_for() -> None:
    values = [*FIVE, [0.1]]
    policy = TruncationSelectionPolicy(20, exclude_finished_jobs=True)
    assert judge(policy, *values, running=[True] * 5)
    assert judge(policy, *values, running=[False, False, True, True, True]) is None


def test_no_policy_stops_nothing() -> None:
    assert judge(NoTerminationPolicy(), [0.9], [NAN]) is None


@pytest.mark.parametrize(
    ("policy", "values", "said"),
    [
        (
            BanditPolicy(slack_factor=0.2),
            [[0.8], [0.6]],
            "Bandit: best so far 0.6 at interval 1; the limit is 0.666667 (0.8 of child 0 / 1.2)",
        ),
        (
            BanditPolicy(slack_amount=0.1),
            [[0.8], [NAN]],
            "Bandit: best so far no finite value at interval 1; the limit is 0.7 (0.8 of child 0 - 0.1)",
        ),
        (
            MedianStoppingPolicy(),
            [[0.6], [0.4], [0.2]],
            "Median stopping: best so far 0.2 at interval 1; the median of 3 running averages is 0.4",
        ),
        (
            TruncationSelectionPolicy(20),
            [*FIVE, [0.1]],
            "Truncation selection: best so far 0.1 at interval 1; 20 % of 5 children are stopped there, all below 0.2",
        ),
        (
            AshaPolicy(3),
            [[0.5], [0.4]],
            "ASHA: best so far 0.4 at interval 1; the best 1 of 2 children go on, from 0.5",
        ),
    ],
)
def test_a_reason_has_the_figures(policy: Any, values: list[list[float]], said: str) -> None:
    assert judge(policy, *values) == said


def test_what_is_not_a_number_stops_at_once_where_that_was_asked_for() -> None:
    assert judge(NoTerminationPolicy(stop_on_nan=True), [0.1, NAN]) == "the metric is nan at interval 2"
    assert judge(MedianStoppingPolicy(5, 10, stop_on_nan=True), [-INF]) == "the metric is -inf at interval 1"
    assert judge(NoTerminationPolicy(stop_on_nan=True), [NAN, 0.1]) is None


def test_the_best_are_protected() -> None:
    values = [[0.9], [0.8], [0.1]]
    assert judge(BanditPolicy(slack_factor=0.1), *values)
    assert judge(BanditPolicy(slack_factor=0.1, protect_top_k=2), *values)
    assert judge(BanditPolicy(slack_factor=0.1, protect_top_k=3), *values) is None
    assert judge(BanditPolicy(slack_factor=0.01, protect_top_k=2), [0.9], [0.1], [0.8]) is None
    assert judge(BanditPolicy(slack_factor=0.01), [0.9], [0.1], [0.8])
    assert judge(BanditPolicy(slack_factor=0.1, protect_top_k=1, stop_on_nan=True), [NAN])


def test_nothing_is_stopped_before_so_many_children_have_logged() -> None:
    policy = BanditPolicy(slack_factor=0.1, min_runs=3)
    assert judge(policy, [0.9], [0.1]) is None
    assert judge(policy, [0.9], [0.8], [0.1])


def test_silence() -> None:
    policy = NoTerminationPolicy(max_silence_minutes=10)
    assert silence_reason(policy, 600) is None
    assert silence_reason(policy, 660) == "no value of the primary metric for 11 minutes (limit 10)"
    assert silence_reason(MedianStoppingPolicy(), 1e9) is None


def test_hyperband_has_brackets_in_its_proportions() -> None:
    policy = HyperbandPolicy(81, 3)
    counts = Counter(bracket_of(policy, child) for child in range(1430))
    # Hyperband for R = 81 and eta = 3 starts 81, 34, 15, 8, 5 children
    assert [counts[bracket] / 10 for bracket in (4, 3, 2, 1, 0)] == pytest.approx([81, 34, 15, 8, 5], abs=1)


def test_hyperband_judges_at_the_rungs_of_a_bracket_and_among_it() -> None:
    policy = HyperbandPolicy(9, 3)
    by: dict[int, list[int]] = {}
    for child in range(40):
        by.setdefault(bracket_of(policy, child), []).append(child)
    rungs = {bracket: [i for i in range(1, 10) if is_due(policy, i, children[0])] for bracket, children in by.items()}
    assert rungs == {2: [1, 3], 1: [3], 0: []}
    mine, peer, other = by[2][0], by[2][1], by[1][0]

    def stops(against: int) -> bool:
        return reason_to_stop(policy, "maximize", [Curve(mine, [0.1]), Curve(against, [0.9])], mine, 1) is not None

    assert stops(peer) and not stops(other)


def test_a_replay_tells_what_would_have_been_stopped() -> None:
    values = {0: [0.5, 0.6, 0.7, 0.8], 1: [0.1, 0.2, 0.9, 0.9], 2: [0.45, 0.55, 0.6, 0.6]}
    told = replay(BanditPolicy(slack_factor=0.25, delay_evaluation=2), "maximize", values)
    # at interval 2: 0.6 / 1.25 = 0.48 stops child 1; child 2 stays above 0.56 and 0.64, and falls behind it at 4 (0.8 / 1.25)
    assert [(stop.child, stop.interval) for stop in told.stops] == [(1, 2), (2, 4)]
    assert (told.logged, told.saved, told.share_saved) == (12, 2, pytest.approx(2 / 12))
    assert (told.best, told.kept, told.regret) == (0.9, 0.8, pytest.approx(0.1))
    assert "0.48" in told.stops[0].reason


def test_a_replay_follows_the_times() -> None:
    values = {0: [0.5, 0.5], 1: [0.9, 0.9]}
    late = {0: [1.0, 2.0], 1: [10.0, 20.0]}
    assert replay(BanditPolicy(slack_factor=0.1), "maximize", values, late).stops == ()
    early = {0: [11.0, 12.0], 1: [1.0, 2.0]}
    (stop,) = replay(BanditPolicy(slack_factor=0.1), "maximize", values, early).stops
    assert (stop.child, stop.interval) == (0, 1)


def test_a_replay_of_nothing() -> None:
    told = replay(MedianStoppingPolicy(), "minimize", {})
    assert (told.stops, told.logged, told.share_saved, told.regret) == ((), 0, 0.0, 0.0)
    assert math.isnan(told.best)
    told = replay(NoTerminationPolicy(), "minimize", {0: [3.0, NAN, 2.0], 1: []})
    assert (told.best, told.kept, told.saved) == (2.0, 2.0, 0)

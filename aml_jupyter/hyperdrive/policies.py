"""Decide whether a child is stopped early: pure functions of the values that were logged.

The rules are SDK v1's (docs of ``azureml.train.hyperdrive``), with what they leave open written down in docs/sweeps.md:

- A policy is applied to a child at interval N, when it logs its N-th value; others count with what they had at N.
- Minimising is the mirror image. Ties never stop. A value that is not finite is the worst. The first child to reach an
  interval is never stopped there, for there is nothing to compare it with.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from aml_jupyter.config.sweeps import (
    AshaPolicy,
    BanditPolicy,
    EarlyTerminationPolicy,
    HyperbandPolicy,
    MedianStoppingPolicy,
    TruncationSelectionPolicy,
)
from aml_jupyter.config.sweeps.policies import IntervalPolicy
from aml_jupyter.hyperdrive.curves import Curve, Scores

__all__ = ["bracket_of", "is_due", "is_policy_reason", "reason_to_stop", "silence_reason"]

_NOT_A_NUMBER: Final = "the metric is "
_SILENCE: Final = "no value of the primary metric for "
_NAMES: Final = ("Bandit", "Median stopping", "Truncation selection", "ASHA", "Hyperband")


def is_due(policy: EarlyTerminationPolicy, interval: int, child: int = 0) -> bool:
    """Say whether a policy is applied at an interval.

    Parameters
    ----------
    policy : EarlyTerminationPolicy
        The policy.
    interval : int
        How many values the child has logged, from 1.
    child : int
        Its number; Hyperband's intervals depend on it.
    """
    if isinstance(policy, IntervalPolicy):
        return interval % max(policy.evaluation_interval, 1) == 0 and interval >= policy.delay_evaluation
    if isinstance(policy, AshaPolicy):
        return _is_rung(interval, policy.grace, policy.reduction_factor, policy.max_intervals)
    if isinstance(policy, HyperbandPolicy):
        bracket = bracket_of(policy, child)
        grace = max(policy.max_intervals // policy.reduction_factor**bracket, 1)
        return _is_rung(interval, grace, policy.reduction_factor, policy.max_intervals - 1)
    return False


def reason_to_stop(
    policy: EarlyTerminationPolicy, goal: str, curves: Sequence[Curve], child: int, interval: int
) -> str | None:
    """Return why a child is stopped at an interval, or None.

    Parameters
    ----------
    policy : EarlyTerminationPolicy
        The policy with its guards.
    goal : str
        ``maximize`` or ``minimize``.
    curves : sequence of Curve
        All children that have logged a value.
    child : int
        The child that has just logged.
    interval : int
        How many values it has logged.
    """
    mine = next(curve for curve in curves if curve.child == child)
    guards = policy.guards
    if guards.get("stop_on_nan") and not math.isfinite(mine.values[interval - 1]):
        return f"{_NOT_A_NUMBER}{mine.values[interval - 1]} at interval {interval}"
    if not is_due(policy, interval, child):
        return None
    scores = Scores(curves, goal)
    if len(scores.curves) < max(guards.get("min_runs", 0), 2):
        return None
    if _is_protected(scores, child, interval, guards.get("protect_top_k", 0)):
        return None
    rule = _RULES.get(type(policy))
    return rule(policy, scores, child, interval) if rule else None


def silence_reason(policy: EarlyTerminationPolicy, seconds_since_last: float) -> str | None:
    """Return why a child that has logged nothing for so long is stopped, or None.

    Parameters
    ----------
    policy : EarlyTerminationPolicy
        Its guard `max_silence_minutes` decides.
    seconds_since_last : float
        Since the last value of the primary metric, or since the start where there is none (s).
    """
    minutes = policy.guards.get("max_silence_minutes")
    if minutes is None or seconds_since_last <= minutes * 60:
        return None
    return f"{_SILENCE}{seconds_since_last / 60:.3g} minutes (limit {minutes:g})"


def is_policy_reason(reason: str) -> bool:
    """Say whether a child's reason to end is one that a policy or a guard gives, and not a person's or the sweep's."""
    if reason.startswith((_NOT_A_NUMBER, _SILENCE)):
        return True
    return reason.startswith(_NAMES) and ": best so far " in reason


def bracket_of(policy: HyperbandPolicy, child: int) -> int:
    """Return the Hyperband bracket of a child: bracket s judges first at ``max_intervals / reduction_factor ** s``.

    Brackets get children in Hyperband's proportions, spread evenly over the children's numbers.
    """
    return _bracket(policy.max_intervals, policy.reduction_factor, child)


@lru_cache(maxsize=4096)
def _bracket(intervals: int, factor: int, child: int) -> int:
    last = 0
    while intervals // factor ** (last + 1) >= 1:
        last += 1
    shares = [math.ceil((last + 1) / (s + 1) * factor**s) for s in range(last + 1)]
    place = (child * 0.6180339887498949 + 0.5) % 1.0 * sum(shares)
    for bracket in range(last, -1, -1):
        place -= shares[bracket]
        if place < 0:
            return bracket
    return 0


def _is_rung(interval: int, grace: int, factor: int, most: int | None) -> bool:
    rung = grace
    while rung < interval:
        rung *= factor
    return rung == interval and (most is None or interval <= most)


def _is_protected(scores: Scores, child: int, interval: int, count: int) -> bool:
    """Say whether a child is one of the best `count` of those that reached an interval."""
    mine = scores.best(child, interval)
    better = sum(scores.best(other, interval) > mine for other in scores.reached(interval))
    return better < count


def _bandit(policy: BanditPolicy, scores: Scores, child: int, interval: int) -> str | None:
    leader = max(scores.reached(interval), key=lambda other: scores.best(other, interval))
    best, mine = scores.value(scores.best(leader, interval)), scores.value(scores.best(child, interval))
    if not math.isfinite(best):
        return None
    if policy.slack_factor is not None:
        if best <= 0:  # a ratio says nothing there
            return None
        ratio = 1 + policy.slack_factor
        limit = best / ratio if scores.sign > 0 else best * ratio
        how = f"{'/' if scores.sign > 0 else '*'} {ratio:g}"
    else:
        amount = policy.slack_amount or 0.0
        limit = best - scores.sign * amount
        how = f"{'-' if scores.sign > 0 else '+'} {amount:g}"
    if not math.isfinite(mine) or scores.sign * mine < scores.sign * limit:
        whose = f"child {leader}" if leader >= 0 else "a child of an earlier sweep"
        return _said("Bandit", mine, interval, f"the limit is {limit:.6g} ({best:.6g} of {whose} {how})")
    return None


def _median(policy: MedianStoppingPolicy, scores: Scores, child: int, interval: int) -> str | None:
    averages = [scores.average(other, interval) for other in scores.curves]
    median = statistics.median(averages)
    mine = scores.best(child, interval)
    if mine >= median:
        return None
    middle = scores.value(median)
    return _said(
        "Median stopping",
        scores.value(mine),
        interval,
        f"the median of {len(averages)} running averages is {middle:.6g}",
    )


def _truncation(policy: TruncationSelectionPolicy, scores: Scores, child: int, interval: int) -> str | None:
    compared = [
        other
        for other in scores.reached(interval)
        if not policy.exclude_finished_jobs or other == child or scores.curves[other].is_running
    ]
    ranked = sorted(scores.best(other, interval) for other in compared)
    count = len(ranked) * policy.truncation_percentage // 100
    mine = scores.best(child, interval)
    if count < 1 or mine >= ranked[count]:
        return None
    worst_kept = scores.value(ranked[count])
    told = f"{policy.truncation_percentage} % of {len(ranked)} children are stopped there, all below {worst_kept:.6g}"
    if scores.sign < 0:
        told = told.replace("below", "above")
    return _said("Truncation selection", scores.value(mine), interval, told)


def _halving(
    name: str, factor: int, scores: Scores, child: int, interval: int, is_peer: Callable[[int], bool]
) -> str | None:
    ranked = sorted(
        (scores.best(other, interval) for other in scores.reached(interval) if is_peer(other)), reverse=True
    )
    kept = -(-len(ranked) // factor)  # rounded up: of four, two go on
    mine = scores.best(child, interval)
    if mine >= ranked[kept - 1]:
        return None
    limit = scores.value(ranked[kept - 1])
    return _said(
        name, scores.value(mine), interval, f"the best {kept} of {len(ranked)} children go on, from {limit:.6g}"
    )


def _asha(policy: AshaPolicy, scores: Scores, child: int, interval: int) -> str | None:
    return _halving("ASHA", policy.reduction_factor, scores, child, interval, lambda _: True)


def _hyperband(policy: HyperbandPolicy, scores: Scores, child: int, interval: int) -> str | None:
    bracket = bracket_of(policy, child)
    name = f"Hyperband (bracket {bracket})"
    return _halving(
        name, policy.reduction_factor, scores, child, interval, lambda other: bracket_of(policy, other) == bracket
    )


def _said(name: str, mine: float, interval: int, why: str) -> str:
    best = f"{mine:.6g}" if math.isfinite(mine) else "no finite value"
    return f"{name}: best so far {best} at interval {interval}; {why}"


_RULES: dict[type[EarlyTerminationPolicy], Callable[[Any, Scores, int, int], str | None]] = {
    AshaPolicy: _asha,
    BanditPolicy: _bandit,
    HyperbandPolicy: _hyperband,
    MedianStoppingPolicy: _median,
    TruncationSelectionPolicy: _truncation,
}

"""Decide what a sweep does next: a pure function of its rows and the time.

Whoever carries the actions out may be killed after any of them: the rows then say what is left, and the same function says the
same again. A child's number and parameters are one action, so that none is lost and none is sampled twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from operator import attrgetter
from typing import Any

from aml_jupyter.config.sweeps.policies import EarlyTerminationPolicy, policy_from_dict
from aml_jupyter.errors import nearest
from aml_jupyter.hyperdrive.curves import Curve
from aml_jupyter.hyperdrive.policies import reason_to_stop, silence_reason
from aml_jupyter.hyperdrive.rows import (
    Action,
    Child,
    Chosen,
    FinishSweep,
    Judged,
    ReleaseChild,
    Say,
    StartChild,
    StopChild,
    Sweep,
)
from aml_jupyter.hyperdrive.sampler import Sampler
from aml_jupyter.hyperdrive.trial import parameters_key

__all__ = ["step"]

FAILURES_THAT_END = 5
"""So many first children that all fail, with nothing logged, end a sweep."""


def step(sweep: Sweep, sampler: Sampler, now: float) -> list[Action]:
    """Return what a sweep does next; nothing where it waits.

    Parameters
    ----------
    sweep : Sweep
        Its rows.
    sampler : Sampler
        Made of the definition's ``generator_config`` and goal, with the sweep's seed.
    now : float
        The time (s).
    """
    ending = _ending(sweep, now)
    if ending is not None:
        status, reason = ending
        stops = [StopChild(child.number, reason) for child in sweep.open if child.stop_reason is None]
        return [*stops] if sweep.open else [FinishSweep(status, reason)]
    actions: list[Action] = [*_judgements(sweep, now), *_remarks(sweep)]
    if not sweep.is_paused:
        actions += _starts(sweep, sampler)
    if not actions and _is_used_up(sweep):
        actions.append(_finish(sweep))
    return actions


def _goal(sweep: Sweep) -> str:
    return str(sweep.definition["primary_metric_config"]["goal"]).lower()


def _ending(sweep: Sweep, now: float) -> tuple[str, str] | None:
    """Return how and why the sweep has to end, whatever still runs."""
    if sweep.is_cancel_requested:
        return "Canceled", "the sweep was canceled"
    minutes = sweep.definition["max_duration_minutes"]
    if now - sweep.started > 60 * minutes:
        return "Completed", f"max_duration_minutes ({minutes}) is over"
    ended = sweep.ended
    bound = min(FAILURES_THAT_END, int(sweep.definition["max_total_jobs"]))
    if ended.failed >= bound and not ended.has_completed and not _any_values(sweep):
        who = "the only child" if ended.failed == 1 else f"the first {ended.failed} children all"
        return "Failed", f"{who} failed{ended.common_cause()}"
    return None


def _any_values(sweep: Sweep) -> bool:
    return sweep.ended.has_values or any(child.values for child in sweep.open)


def _judgements(sweep: Sweep, now: float) -> Iterator[Action]:
    """Yield stops, and up to where children were judged; of two children that log at once the earlier number is judged first."""
    policy = policy_from_dict(sweep.definition["policy_config"])
    curves: list[Curve] = []
    for child in sweep.open:
        if child.stop_reason is not None:
            continue
        is_new = len(child.values) > child.judged
        if is_new and not curves:
            running = [each.curve for each in sweep.open if each.values]
            curves = [*sweep.prior_curves, *merge(sweep.ended.curves, running, key=attrgetter("child"))]
        reason = _reason(policy, _goal(sweep), curves, child, now)
        if reason is not None:
            yield StopChild(child.number, reason)
        elif is_new:
            yield Judged(child.number, len(child.values))


def _reason(policy: EarlyTerminationPolicy, goal: str, curves: list[Curve], child: Child, now: float) -> str | None:
    for interval in range(child.judged + 1, len(child.values) + 1):
        reason = reason_to_stop(policy, goal, curves, child.number, interval)
        if reason is not None:
            return reason
    since = child.last_logged or child.started
    return None if since is None else silence_reason(policy, now - since)


def _remarks(sweep: Sweep) -> Iterator[Action]:
    """Yield a word on a child that ran to its end, or logs, without the primary metric."""
    text = _remark(sweep)
    if text and not any(said.startswith(text.split(". ")[0]) for said in sweep.said):
        yield Say(text)


def _remark(sweep: Sweep) -> str:
    """Return what a child that lacks the primary metric has logged instead, while no child has logged it; else nothing."""
    if _any_values(sweep):
        return ""
    name = str(sweep.definition["primary_metric_config"]["name"])
    told = [child for child in (sweep.ended.without_metric, *sweep.open) if child is not None]
    child = min((each for each in told if each.other_metrics or each.is_final), key=attrgetter("number"), default=None)
    if child is None:
        return ""
    if child.other_metrics:
        close = nearest(name, list(child.other_metrics)).split("? ")[0]
        listed = ", ".join(sorted(child.other_metrics)[:5])
        hint = f"It logged {listed}" + (f"; {close}?" if close.startswith("did you mean") else ".")
    else:
        hint = f"It logged no metric at all; run.log({name!r}, value) logs it."
    return f"Child {child.number} has not logged the primary metric {name!r}. {hint}"


def _starts(sweep: Sweep, sampler: Sampler) -> Iterator[Action]:
    """Yield the children that there is room for, chosen ones first and then spare ones, and the spare ones to be made."""
    concurrent = int(sweep.definition["max_concurrent_jobs"])
    spares = [child for child in sweep.open if child.is_spare]
    room = max(concurrent - (len(sweep.open) - len(spares)), 0)
    left = max(sweep.total - sweep.count, 0)
    waiting = sweep.chosen[sweep.by_hand :]
    number = sweep.count
    for chosen in waiting[: min(room, left)]:
        yield StartChild(number, chosen.parameters, chosen)
        number += 1
    room -= number - sweep.count
    left -= number - sweep.count
    released = spares[:room]
    for child in released:
        yield ReleaseChild(child.number)
    room = min(room - len(released), left)
    ahead = 0
    if not sampler.looks_at_results and room <= 0 and not waiting:
        ahead = min(sweep.spares - len(spares) + len(released), left)
    for parameters in _samples(sweep, sampler, waiting, max(room, ahead)):
        yield StartChild(number, parameters, is_spare=room <= 0)
        number += 1


def _samples(sweep: Sweep, sampler: Sampler, chosen: Sequence[Chosen], count: int) -> Iterator[dict[str, Any]]:
    """Yield the parameters of the next children, at most `count`; fewer where the space has no more."""
    if count <= 0:
        return
    index = sweep.count - sweep.by_hand
    history = [*sweep.prior, *sweep.ended.trials] if sampler.looks_at_results or not sweep.may_repeat else []
    pending = [*(child.parameters for child in sweep.open), *(each.parameters for each in chosen)]
    tried = None
    if not sweep.may_repeat:
        index += len(sweep.prior)
        tried = {trial.key for trial in history} | set(map(parameters_key, pending)) if sampler.is_grid else None
    for _ in range(count):
        if tried is None:
            parameters = sampler.suggest(history, pending, index)
            index += 1
        else:
            parameters = sampler.untried(tried)
        if parameters is None:
            return
        if tried is not None:
            tried.add(parameters_key(parameters))
        pending.append(parameters)
        yield parameters


def _is_used_up(sweep: Sweep) -> bool:
    """Say, of a sweep that starts nothing now, whether every child has ended and there are no more to come."""
    return not sweep.open and (sweep.count >= sweep.total or not sweep.is_paused)


def _finish(sweep: Sweep) -> FinishSweep:
    ended = sweep.ended
    if ended.count and ended.failed == ended.count:
        what = "the only child" if ended.count == 1 else f"all {ended.count} children"
        return FinishSweep("Failed", f"{what} failed{ended.common_cause()}")
    if ended.count < sweep.total:
        count = ended.count + (len(sweep.prior) if not sweep.may_repeat or not ended.count else 0)
        reason = f"the parameter space has no more than {count} combination{'s' if count != 1 else ''}"
    else:
        reason = "1 child has ended" if ended.count == 1 else f"{ended.count} children have ended"
    return FinishSweep("Completed", "; ".join(filter(None, [reason, _remark(sweep)])))

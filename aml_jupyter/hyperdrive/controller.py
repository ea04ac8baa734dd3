"""Decide what a sweep does next: a pure function of its rows and the time.

Whoever carries the actions out may be killed after any of them: the rows then say what is left, and the same function says the
same again. A child's number and parameters are one action, so that none is lost and none is sampled twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
from aml_jupyter.hyperdrive.trial import Trial, parameters_key

__all__ = ["step", "trial_of"]

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
        running = [child for child in sweep.children if not child.is_final]
        stops = [StopChild(child.number, reason) for child in running if child.stop_reason is None]
        return [*stops] if running else [FinishSweep(status, reason)]
    actions: list[Action] = [*_judgements(sweep, now), *_remarks(sweep)]
    if not sweep.is_paused:
        actions += _starts(sweep, sampler)
    if not actions and _is_used_up(sweep):
        actions.append(_finish(sweep))
    return actions


def trial_of(child: Child, goal: str) -> Trial:
    """Return what a sampler knows of an ended child: its best finite value, and how it ended."""
    if child.trial is not None:
        return child.trial
    sign = 1.0 if goal == "maximize" else -1.0
    finite = [value for value in child.values if abs(value) < float("inf")]
    best = sign * max(sign * value for value in finite) if finite else None
    if child.status == "Completed":
        return Trial(child.parameters, best, "completed")
    return Trial(child.parameters, best, "failed" if child.status == "Failed" else "stopped")


def _goal(sweep: Sweep) -> str:
    return str(sweep.definition["primary_metric_config"]["goal"]).lower()


def _ending(sweep: Sweep, now: float) -> tuple[str, str] | None:
    """Return how and why the sweep has to end, whatever still runs."""
    if sweep.is_cancel_requested:
        return "Canceled", "the sweep was canceled"
    minutes = sweep.definition["max_duration_minutes"]
    if now - sweep.started > 60 * minutes:
        return "Completed", f"max_duration_minutes ({minutes}) is over"
    failed = [child for child in sweep.children if child.status == "Failed"]
    bound = min(FAILURES_THAT_END, int(sweep.definition["max_total_jobs"]))
    is_hopeless = not any(child.values or child.status == "Completed" for child in sweep.children)
    if len(failed) >= bound and is_hopeless:
        return "Failed", f"the first {len(failed)} children all failed{_common_cause(failed)}"
    return None


def _common_cause(ended: list[Child]) -> str:
    causes = Counter(child.error.strip() for child in ended if child.error.strip())
    if not causes:
        return ""
    cause, count = causes.most_common(1)[0]
    return f": {cause}" if count == len(ended) else f", {count} of them with: {cause}"


def _judgements(sweep: Sweep, now: float) -> Iterator[Action]:
    """Yield stops, and up to where children were judged; of two children that log at once the earlier number is judged first."""
    policy = policy_from_dict(sweep.definition["policy_config"])
    curves = [Curve(child.number, child.values, not child.is_final) for child in sweep.children if child.values]
    for child in sweep.children:
        if child.is_final or child.stop_reason is not None:
            continue
        reason = _reason(policy, _goal(sweep), curves, child, now)
        if reason is not None:
            yield StopChild(child.number, reason)
        elif len(child.values) > child.judged:
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
    name = str(sweep.definition["primary_metric_config"]["name"])
    if any(child.values for child in sweep.children):
        return
    for child in sweep.children:
        if not child.other_metrics and child.status != "Completed":
            continue
        if child.other_metrics:
            close = nearest(name, list(child.other_metrics)).split("? ")[0]
            listed = ", ".join(sorted(child.other_metrics)[:5])
            hint = f"It logged {listed}" + (f"; {close}?" if close.startswith("did you mean") else ".")
        else:
            hint = f"It logged no metric at all; run.log({name!r}, value) logs it."
        text = f"Child {child.number} has not logged the primary metric {name!r}. {hint}"
        if not any(said.startswith(text.split(". ")[0]) for said in sweep.said):
            yield Say(text)
        return


def _starts(sweep: Sweep, sampler: Sampler) -> Iterator[Action]:
    """Yield the children that there is room for, spare ones and chosen ones first, and the spare ones to be made."""
    concurrent = int(sweep.definition["max_concurrent_jobs"])
    spares = [child for child in sweep.children if child.is_spare]
    room = concurrent - sum(not child.is_final and not child.is_spare for child in sweep.children)
    released = spares[: max(room, 0)]
    for child in released:
        yield ReleaseChild(child.number)
    left = sweep.total - len(sweep.children)
    room = min(room - len(released), left)
    waiting = sweep.chosen[sum(child.is_by_hand for child in sweep.children) :]
    number = len(sweep.children)
    for chosen in waiting[: max(room, 0)]:
        yield StartChild(number, chosen.parameters, chosen)
        number += 1
    room -= number - len(sweep.children)
    ahead = 0
    if not sampler.looks_at_results and room <= 0 and not waiting:
        ahead = min(min(sweep.spares, concurrent) - len(spares) + len(released), left)
    for parameters in _samples(sweep, sampler, waiting, max(room, ahead)):
        yield StartChild(number, parameters, is_spare=room <= 0)
        number += 1


def _samples(sweep: Sweep, sampler: Sampler, chosen: Sequence[Chosen], count: int) -> Iterator[dict[str, Any]]:
    """Yield the parameters of the next children, at most `count`; fewer where the space has no more."""
    if count <= 0:
        return
    goal = _goal(sweep)
    ended = sorted(
        (child for child in sweep.children if child.is_final), key=lambda child: (child.ended or 0.0, child.number)
    )
    history = [*sweep.prior, *(trial_of(child, goal) for child in ended)]
    pending = [
        *(child.parameters for child in sweep.children if not child.is_final),
        *(each.parameters for each in chosen),
    ]
    index = sum(not child.is_by_hand for child in sweep.children)
    tried = None if sweep.may_repeat else {parameters_key(trial.parameters) for trial in history}
    if tried is not None:
        index += len(sweep.prior)
    for _ in range(count):
        parameters, index = _sampled(sampler, history, pending, index, tried)
        if parameters is None:
            return
        pending.append(parameters)
        yield parameters


def _sampled(
    sampler: Sampler, history: list[Trial], pending: list[Mapping[str, Any]], index: int, tried: set[str] | None
) -> tuple[dict[str, Any] | None, int]:
    """Return the next parameters, None where the space has no more, and the index after theirs."""
    if tried is None or not sampler.is_grid:
        return sampler.suggest(history, pending, index), index + 1
    known = tried | {parameters_key(parameters) for parameters in pending}
    index = 0
    while True:
        parameters = sampler.suggest(history, pending, index)
        index += 1
        if parameters is None or parameters_key(parameters) not in known:
            return parameters, index


def _is_used_up(sweep: Sweep) -> bool:
    """Say, of a sweep that starts nothing now, whether every child has ended and there are no more to come."""
    if any(not child.is_final for child in sweep.children):
        return False
    if len(sweep.children) >= sweep.total:
        return True
    return not sweep.is_paused


def _finish(sweep: Sweep) -> FinishSweep:
    ended = list(sweep.children)
    if ended and all(child.status == "Failed" for child in ended):
        return FinishSweep("Failed", f"all {len(ended)} children failed{_common_cause(ended)}")
    if len(ended) < sweep.total:
        count = len(ended) + (len(sweep.prior) if not sweep.may_repeat or not ended else 0)
        return FinishSweep("Completed", f"the parameter space has no more than {count} combinations")
    return FinishSweep("Completed", f"{len(ended)} children have ended")

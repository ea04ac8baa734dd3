"""Tell what a policy would have stopped in a sweep that has ended, what that would have saved, and what it would have cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aml_jupyter.config.sweeps import EarlyTerminationPolicy
from aml_jupyter.hyperdrive.curves import Curve
from aml_jupyter.hyperdrive.policies import is_due, reason_to_stop

__all__ = ["Replay", "Stop", "replay"]


@dataclass(frozen=True)
class Stop:
    """Say that a child would have been stopped, after how many values, and why."""

    child: int
    interval: int
    reason: str


@dataclass(frozen=True)
class Replay:
    """Hold what a policy would have done.

    Parameters
    ----------
    stops : tuple of Stop
        In the order in which they would have happened.
    logged, saved : int
        How many values were logged, and how many of them would not have been.
    best, kept : float
        The best value of the sweep, and the best one that would still have been logged.
    regret : float
        How much worse the second one is.
    """

    stops: tuple[Stop, ...]
    logged: int
    saved: int
    best: float
    kept: float
    regret: float

    @property
    def share_saved(self) -> float:
        """Return which part of all values would not have been logged."""
        return self.saved / self.logged if self.logged else 0.0


def replay(
    policy: EarlyTerminationPolicy,
    goal: str,
    values: Mapping[int, Sequence[float]],
    times: Mapping[int, Sequence[float]] | None = None,
) -> Replay:
    """Apply a policy to the curves of a finished sweep, in the order in which their values were logged.

    Children keep the times that they had: a slot that a stopped child would have freed starts nothing earlier.

    Parameters
    ----------
    policy : EarlyTerminationPolicy
        The policy; its guard against silence is left out.
    goal : str
        ``maximize`` or ``minimize``.
    values : dict
        Child -> its values of the primary metric.
    times : dict, optional
        Child -> when each was logged (s); all children at the same pace unless given.
    """
    sign = 1.0 if goal.lower() == "maximize" else -1.0
    steps = sorted(
        (float(times[child][index]) if times else float(index), child, index)
        for child, logged in values.items()
        for index in range(len(logged))
    )
    seen: dict[int, list[float]] = {}
    stopped: dict[int, Stop] = {}
    for _, child, index in steps:
        if child in stopped:
            continue
        seen.setdefault(child, []).append(values[child][index])
        guarded = "stop_on_nan" in policy.guards
        if not guarded and not is_due(policy, index + 1, child):
            continue
        curves = [
            Curve(other, logged, other not in stopped and len(logged) < len(values[other]))
            for other, logged in seen.items()
        ]
        reason = reason_to_stop(policy, goal, curves, child, index + 1)
        if reason is not None:
            stopped[child] = Stop(child, index + 1, reason)
    logged = sum(len(each) for each in values.values())
    best, kept = _best(values.values(), sign), _best(seen.values(), sign)
    return Replay(
        tuple(stopped.values()),
        logged,
        logged - sum(map(len, seen.values())),
        best,
        kept,
        max(0.0, sign * (best - kept)),
    )


def _best(curves: Iterable[Sequence[float]], sign: float) -> float:
    """Return the best finite value of all curves; nan where there is none."""
    finite = [value for curve in curves for value in curve if math.isfinite(value)]
    return sign * max(sign * value for value in finite) if finite else math.nan

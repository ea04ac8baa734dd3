"""Hold what policies look at: the values of the primary metric that each child has logged, one for each interval.

A value that is not a finite number is the worst there is, whichever way the metric shall go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

__all__ = ["Curve", "Scores", "worst"]

worst = -math.inf


@dataclass(frozen=True)
class Curve:
    """Hold one child's values of the primary metric.

    Parameters
    ----------
    child : int
        Its number, from 0.
    values : tuple of float
        In the order in which they were logged; value i belongs to interval i + 1.
    is_running : bool
        Whether it has not ended.
    """

    child: int
    values: Sequence[float]
    is_running: bool = True

    def progress(self, sign: float) -> tuple[list[float], list[float]]:
        """Return the best score and the sum of scores up to each interval; `sign` is 1 where more is better, else -1."""
        return self._rising if sign > 0 else self._falling

    @cached_property
    def _rising(self) -> tuple[list[float], list[float]]:
        return _progress(self.values, 1.0)

    @cached_property
    def _falling(self) -> tuple[list[float], list[float]]:
        return _progress(self.values, -1.0)


def _progress(values: Sequence[float], sign: float) -> tuple[list[float], list[float]]:
    scores = [sign * value if math.isfinite(value) else worst for value in values]
    return list(accumulate(scores, max)), list(accumulate(scores))


class Scores:
    """Turn curves round so that more is better, and answer what a policy asks of them.

    Parameters
    ----------
    curves : sequence of Curve
        All children that have logged a value, those that ended included.
    goal : str
        ``maximize`` or ``minimize``.
    """

    def __init__(self, curves: Sequence[Curve], goal: str) -> None:
        self.sign = 1.0 if goal.lower() == "maximize" else -1.0
        self.curves = {curve.child: curve for curve in curves if len(curve.values)}

    def value(self, score: float) -> float:
        """Return a score as the metric's value."""
        return self.sign * score

    def reached(self, interval: int) -> list[int]:
        """Return the children that have logged so many values."""
        return [child for child, curve in self.curves.items() if len(curve.values) >= interval]

    def best(self, child: int, interval: int) -> float:
        """Return a child's best score up to an interval."""
        bests, _ = self.curves[child].progress(self.sign)
        return bests[min(interval, len(bests)) - 1]

    def average(self, child: int, interval: int) -> float:
        """Return a child's running average up to an interval, over what it has logged of that."""
        bests, sums = self.curves[child].progress(self.sign)
        count = min(interval, len(sums))
        return min(sums[count - 1] / count, bests[count - 1])  # rounded, it could exceed them all, and a tie would stop

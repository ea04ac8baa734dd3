"""Hold what policies look at: the values of the primary metric that each child has logged, one for each interval.

A value that is not a finite number is the worst there is, whichever way the metric shall go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
        self._scores = {child: [self._score(value) for value in curve.values] for child, curve in self.curves.items()}

    def _score(self, value: float) -> float:
        return self.sign * value if math.isfinite(value) else worst

    def value(self, score: float) -> float:
        """Return a score as the metric's value."""
        return self.sign * score

    def reached(self, interval: int) -> list[int]:
        """Return the children that have logged so many values."""
        return [child for child, scores in self._scores.items() if len(scores) >= interval]

    def best(self, child: int, interval: int) -> float:
        """Return a child's best score up to an interval."""
        return max(self._scores[child][:interval])

    def average(self, child: int, interval: int) -> float:
        """Return a child's running average up to an interval, over what it has logged of that."""
        scores = self._scores[child][:interval]
        return sum(scores) / len(scores)

    def at(self, child: int, interval: int) -> float:
        """Return a child's score at an interval."""
        return self._scores[child][interval - 1]

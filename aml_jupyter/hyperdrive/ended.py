"""Add up what the ended children of a sweep tell its controller, so that a look costs the same however many there are."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable
from operator import attrgetter

from aml_jupyter.hyperdrive.curves import Curve
from aml_jupyter.hyperdrive.rows import Child
from aml_jupyter.hyperdrive.trial import Trial

__all__ = ["Ended", "trial_of"]


class Ended:
    """Hold what ended children contribute; it is the same in whatever order they were added.

    Parameters
    ----------
    goal : str
        ``maximize`` or ``minimize``.
    children : iterable of Child
        Ended children.
    """

    def __init__(self, goal: str, children: Iterable[Child] = ()) -> None:
        self.goal = goal.lower()
        self.numbers: set[int] = set()
        self.failed = self.by_hand = 0
        self.has_values = self.has_completed = False
        self.curves: list[Curve] = []
        """Of those that logged the primary metric, in order of their numbers."""
        self.trials: list[Trial] = []
        """In the order in which they ended."""
        self.without_metric: Child | None = None
        """The first one, by number, that ran to its end or logged something else, without the primary metric."""
        self._order: list[tuple[float, int]] = []
        self._causes: dict[str, tuple[int, int]] = {}
        for child in children:
            self.add(child)

    @property
    def count(self) -> int:
        """Return how many there are."""
        return len(self.numbers)

    def add(self, child: Child) -> None:
        """Take in a child that has ended; each one once."""
        self.numbers.add(child.number)
        self.by_hand += child.is_by_hand
        self.has_completed = self.has_completed or child.status == "Completed"
        if child.values:
            self.has_values = True
            insort(self.curves, child.curve, key=attrgetter("child"))
        elif child.other_metrics or child.status == "Completed":
            self.without_metric = min(filter(None, (self.without_metric, child)), key=attrgetter("number"))
        if child.status == "Failed":
            self._add_failure(child)
        place = (child.ended or 0.0, child.number)
        index = bisect_left(self._order, place)
        self._order.insert(index, place)
        self.trials.insert(index, trial_of(child, self.goal))

    def _add_failure(self, child: Child) -> None:
        self.failed += 1
        cause = child.error.strip()
        if cause:
            count, first = self._causes.get(cause, (0, child.number))
            self._causes[cause] = (count + 1, min(first, child.number))

    def common_cause(self) -> str:
        """Return what most of the failed children said last, as the end of a sentence; empty where they said nothing."""
        if not self._causes:
            return ""
        cause, (count, _) = min(self._causes.items(), key=lambda entry: (-entry[1][0], entry[1][1]))
        return f": {cause}" if count == self.failed else f", {count} of them with: {cause}"


def trial_of(child: Child, goal: str) -> Trial:
    """Return what a sampler knows of an ended child: its best finite value, and how it ended."""
    sign = 1.0 if goal.lower() == "maximize" else -1.0
    finite = [value for value in child.values if math.isfinite(value)]
    best = sign * max(sign * value for value in finite) if finite else None
    if child.status == "Completed":
        return Trial(child.parameters, best, "completed")
    return Trial(child.parameters, best, "failed" if child.status == "Failed" else "stopped")

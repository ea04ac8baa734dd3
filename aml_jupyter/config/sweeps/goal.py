"""Define which way the primary metric shall go."""

from __future__ import annotations

import enum
from typing import Any

from aml_jupyter.config.reading import Place, read_choice


class PrimaryMetricGoal(enum.Enum):
    """Say whether a higher or a lower value of the primary metric is the better one."""

    MAXIMIZE = "MAXIMIZE"
    MINIMIZE = "MINIMIZE"

    @staticmethod
    def from_str(goal: str) -> PrimaryMetricGoal:
        """Return the goal of that name, whatever its case.

        Raises
        ------
        ConfigurationError
            For any other name.
        """
        return read_goal(goal, Place(keys=("primary_metric_goal",)))


def read_goal(value: Any, place: Place) -> PrimaryMetricGoal:
    """Return the goal that a value of a file or an argument means; ``max`` and ``min`` are understood."""
    if isinstance(value, PrimaryMetricGoal):
        return value
    short = {"max": "MAXIMIZE", "min": "MINIMIZE", "maximise": "MAXIMIZE", "minimise": "MINIMIZE"}
    word = short.get(value.strip().lower(), value) if isinstance(value, str) else value
    return PrimaryMetricGoal(read_choice(word, place, ("MAXIMIZE", "MINIMIZE")))

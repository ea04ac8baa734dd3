"""Map a parameter space to the unit cube and back; samplers see only the cube.

A choice between three numbers or more is taken in their order, so that what holds for 32 says something about 64; any other
choice is a category, of which no two values are nearer than others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aml_jupyter.hyperdrive.distributions import cumulative, quantile, quantised

__all__ = ["Dimension", "Space"]

Floats = NDArray[np.float64]
MOST_LEVELS = 1000
"""A quantised expression with more values is sampled as if it were continuous."""


@dataclass(frozen=True)
class Dimension:
    """Describe one parameter on the unit interval.

    Parameters
    ----------
    name : str
        The argument's name.
    expression : list
        As SDK v1 writes it.
    options : tuple
        The values, where there are finitely many and not more than `MOST_LEVELS`.
    edges : tuple of float
        Where on the interval one option ends and the next begins; one fewer than options.
    is_category : bool
        No two options are nearer than others.
    """

    name: str
    expression: Sequence[Any]
    options: tuple[Any, ...] = ()
    edges: tuple[float, ...] = ()
    is_category: bool = False

    @property
    def is_discrete(self) -> bool:
        """Say whether the options are listed."""
        return bool(self.options)

    @property
    def centres(self) -> Floats:
        """Return the middle of each option's part of the interval."""
        bounds = np.array([0.0, *self.edges, 1.0])
        middles: Floats = (bounds[:-1] + bounds[1:]) / 2
        return middles

    def value(self, u: float) -> Any:
        """Return the value at `u`."""
        if self.options:
            return self.options[int(np.searchsorted(self.edges, u, side="right"))]
        name, arguments = self.expression
        if name == "randint":
            return min(int(u * arguments[0]), arguments[0] - 1)
        sampled = quantile(name, arguments, u)
        return quantised(sampled, arguments[2]) if name.startswith("q") else sampled

    def position(self, value: Any) -> float | None:
        """Return where a value lies on the interval; None where it is not of this dimension, as after a change of the space."""
        if self.options:
            index = next((index for index, option in enumerate(self.options) if _same(option, value)), None)
            return None if index is None else float(self.centres[index])
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return None
        name, arguments = self.expression
        if name == "randint":
            return (value + 0.5) / arguments[0] if 0 <= value < arguments[0] else None
        if name.endswith("uniform") and not name.startswith("q"):
            low, high = (quantile(name, arguments, u) for u in (0.0, 1.0))
            slack = 1e-9 * max(abs(low), abs(high))
            if not low - slack <= value <= high + slack:
                return None
        return cumulative(name, arguments, float(value))


class Space:
    """Hold the dimensions of a parameter space.

    Parameters
    ----------
    definition : dict
        Name -> checked expression, as `HyperParameterSampling.parameter_space` has it.
    """

    def __init__(self, definition: Mapping[str, Sequence[Any]]) -> None:
        self.dimensions = tuple(_dimension(name, expression) for name, expression in definition.items())

    def __len__(self) -> int:
        return len(self.dimensions)

    @property
    def size(self) -> int | None:
        """Return how many different children there can be; None where that is not bounded."""
        counts = [
            len(entry.options) or (entry.expression[1][0] if entry.expression[0] == "randint" else 0)
            for entry in self.dimensions
        ]
        return math.prod(counts) if all(counts) else None

    def at(self, point: Sequence[float] | Floats) -> dict[str, Any]:
        """Return the parameters at a point of the unit cube."""
        return {entry.name: entry.value(float(u)) for entry, u in zip(self.dimensions, point, strict=True)}

    def position(self, parameters: Mapping[str, Any]) -> list[float] | None:
        """Return the point of the unit cube that parameters lie at, or None where they are not of this space."""
        point = []
        for entry in self.dimensions:
            u = entry.position(parameters[entry.name]) if entry.name in parameters else None
            if u is None:
                return None
            point.append(u)
        return point

    def snapped(self, points: Floats) -> Floats:
        """Return points whose discrete coordinates are moved to the middle of their option."""
        moved: Floats = points.copy()
        for column, entry in enumerate(self.dimensions):
            if entry.is_discrete:
                moved[:, column] = entry.centres[np.searchsorted(entry.edges, points[:, column], side="right")]
        return moved


def _dimension(name: str, expression: Sequence[Any]) -> Dimension:
    kind, arguments = expression
    if kind == "choice":
        options = list(arguments[0])
        numbers = [option for option in options if isinstance(option, (int, float)) and not isinstance(option, bool)]
        is_category = len(numbers) < len(options) or len(set(numbers)) < 3
        if not is_category:
            options.sort()
        count = len(options)
        return Dimension(
            name, expression, tuple(options), tuple((i + 1) / count for i in range(count - 1)), is_category
        )
    if kind == "randint":
        upper = arguments[0]
        if upper > MOST_LEVELS:
            return Dimension(name, expression)
        return Dimension(name, expression, tuple(range(upper)), tuple((i + 1) / upper for i in range(upper - 1)))
    if kind.startswith("q"):
        return _quantised_dimension(name, expression)
    return Dimension(name, expression)


def _quantised_dimension(name: str, expression: Sequence[Any]) -> Dimension:
    """Return a dimension whose options have the probabilities that rounding gives them."""
    kind, (*_, q) = expression
    low, high = (quantile(kind, expression[1], u) / q for u in (0.0, 1.0))
    if not high - low < MOST_LEVELS:
        return Dimension(name, expression)
    steps = range(round(low), round(high) + 1)
    edges = [cumulative(kind, expression[1], (step + 0.5) * q) for step in steps[:-1]]
    kept = [index for index, edge in enumerate(edges) if 0.0 < edge < 1.0]
    if not kept:  # all of the probability lies on one value
        middle = quantised(quantile(kind, expression[1], 0.5), q)
        return Dimension(name, expression, (middle,))
    options = [quantised(steps[index] * q, q) for index in (*kept, kept[-1] + 1)]
    return Dimension(name, expression, tuple(options), tuple(edges[index] for index in kept))


def _same(option: Any, value: Any) -> bool:
    if isinstance(option, bool) or isinstance(value, bool):
        return option is value
    if isinstance(option, float) or isinstance(value, float):
        numbers = isinstance(option, (int, float)) and isinstance(value, (int, float))
        return numbers and math.isclose(option, value, rel_tol=1e-9, abs_tol=1e-12)
    return bool(option == value)

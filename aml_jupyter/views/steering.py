"""Own what can be changed about a sweep while it runs, and the axes that its parameters are drawn on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.hyperdrive import with_changes
from aml_jupyter.hyperdrive.space import Dimension, Space
from aml_jupyter.views.formats import json_value, number_text
from aml_jupyter.workspace import sweep_changes
from aml_jupyter.workspace.states import FINAL

if TYPE_CHECKING:
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["SweepSettings", "positions", "sweep_dimensions", "sweep_settings"]

OPTIONS: Final = 12
"""An axis names so many values at the most; a longer one names its ends."""
EDGE: Final = 1e-3
"""How far from its ends an axis is read: those of a normal distribution are infinite."""


@dataclass(frozen=True)
class SweepSettings:
    """Describe a sweep as it is after all changes."""

    definition: dict[str, Any]
    is_paused: bool
    is_open: bool
    added: int
    dimensions: tuple[Dimension, ...]

    def as_json(self) -> dict[str, Any]:
        """Return its fields under stable names."""
        return {
            "paused": self.is_paused and self.is_open,
            "open": self.is_open,
            "added": self.added,
            "max_total_runs": int(self.definition["max_total_jobs"]),
            "max_concurrent_runs": int(self.definition.get("max_concurrent_jobs") or 1),
            "max_duration_minutes": int(self.definition.get("max_duration_minutes") or 0),
            "axes": [_axis(dimension) for dimension in self.dimensions],
        }


def sweep_settings(folder: WorkspaceFolder, run: RunRecord) -> SweepSettings:
    """Return what the sweep that `run` is can be given anew."""
    changed = with_changes(run.definition["sweep"]["config"], sweep_changes(folder.store.read(), run.id))
    is_open = run.status not in FINAL
    return SweepSettings(
        dict(changed.definition), changed.is_paused, is_open, len(changed.added), _dimensions(changed.definition)
    )


def sweep_dimensions(folder: WorkspaceFolder, run: RunRecord) -> tuple[Dimension, ...]:
    """Return the dimensions of a run's parameter space; none of a run that is no sweep."""
    config = (run.definition.get("sweep") or {}).get("config") or {}
    if "generator_config" not in config:
        return ()
    return _dimensions(with_changes(config, sweep_changes(folder.store.read(), run.id)).definition)


def positions(dimension: Dimension, values: list[Any]) -> list[float | None]:
    """Return where values lie on an axis, from 0 to 1; None where one is not on it."""
    known: dict[str, float | None] = {}
    found: list[float | None] = []
    for value in values:
        key = repr(value)
        if key not in known:
            place = None if value is None else dimension.position(value)
            known[key] = None if place is None else round(place, 4)
        found.append(known[key])
    return found


def _dimensions(definition: Any) -> tuple[Dimension, ...]:
    return Space(definition["generator_config"]["parameter_space"]).dimensions


def _axis(dimension: Dimension) -> dict[str, Any]:
    ends = [dimension.value(EDGE), dimension.value(1 - EDGE)]
    few = len(dimension.options) <= OPTIONS
    return {
        "name": dimension.name,
        "expression": str(dimension.expression[0]),
        "low": number_text(ends[0], 3),
        "high": number_text(ends[1], 3),
        "options": [json_value(option) for option in dimension.options] if few else [],
        "centres": [round(float(u), 4) for u in dimension.centres] if dimension.options and few else [],
    }

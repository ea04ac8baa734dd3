"""Own the table of a run's children: columns, so that thousands of rows are small and one row is a few hundred bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aml_jupyter.service.sweeps import HYPERPARAMETERS
from aml_jupyter.views.formats import json_value
from aml_jupyter.views.steering import positions, sweep_dimensions
from aml_jupyter.workspace import children_values, find_runs, get_run

if TYPE_CHECKING:
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["ChildrenView", "children_view"]


@dataclass(frozen=True)
class ChildrenView:
    """Hold the children of one run, oldest first, and the last value of each of their metrics.

    For a sweep, `metric` is the primary metric, and its column holds the best value of each child by `goal`.
    """

    runs: tuple[RunRecord, ...]
    metrics: dict[str, dict[str, float | None]]
    """Metric -> child -> value."""
    positions: dict[str, list[float | None]] = field(default_factory=dict)
    """Parameter of a sweep -> where each child's value lies on its axis."""
    metric: str | None = None
    goal: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return one list for each column; parameters and metrics are columns by name."""
        runs = self.runs
        given = [_parameters(run) for run in runs]
        names = dict.fromkeys(name for each in given for name in each)
        return {
            "id": [run.id for run in runs],
            "name": [run.display_name for run in runs],
            "status": [run.status for run in runs],
            "reason": [run.reason for run in runs],
            "target": [run.target for run in runs],
            "created": [run.created for run in runs],
            "started": [run.started for run in runs],
            "ended": [run.ended for run in runs],
            "parameters": {name: [json_value(each.get(name)) for each in given] for name in names},
            "metrics": {
                name: [json_value(values.get(run.id)) for run in runs] for name, values in self.metrics.items()
            },
            "positions": self.positions,
            "metric": self.metric,
            "goal": self.goal,
        }


def children_view(folder: WorkspaceFolder, parent_id: str, only: Sequence[str] = ()) -> ChildrenView:
    """Return the children of a run, or those of them that `only` names.

    Raises
    ------
    UserErrorException
        When there is no such run.
    """
    db = folder.store.read()
    parent = get_run(db, parent_id)
    primary = ((parent.definition.get("sweep") or {}).get("config") or {}).get("primary_metric_config") or {}
    wanted = set(only)
    found = [
        run for run in reversed(find_runs(db, parent=parent_id, include_hidden=True)) if not wanted or run.id in wanted
    ]
    metrics: dict[str, dict[str, float | None]] = {}
    for run, name, last, least, most in children_values(db, parent_id, tuple(wanted)):
        best = most if primary.get("goal") == "maximize" else least
        metrics.setdefault(name, {})[run] = best if name == primary.get("name") else last
    given = [_parameters(run) for run in found]
    places = {
        dimension.name: positions(dimension, [each.get(dimension.name) for each in given])
        for dimension in sweep_dimensions(folder, parent)
    }
    return ChildrenView(tuple(found), metrics, places, primary.get("name"), primary.get("goal"))


def _parameters(run: RunRecord) -> dict[str, Any]:
    """Return what a child was given: a sweep's sample, else a notebook's or a cell's parameters."""
    written = run.properties.get(HYPERPARAMETERS)
    found = json.loads(written) if written else run.definition.get("parameters")
    return {str(name): value for name, value in found.items()} if isinstance(found, dict) else {}

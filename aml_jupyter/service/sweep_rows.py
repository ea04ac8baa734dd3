"""Read a sweep's rows as its controller wants them, and of what was read before only what events say has changed.

All that is remembered here can be read again: a service that starts anew, or whose look was broken off, begins with every row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cached_property
from typing import Any

from aml_jupyter.hyperdrive import Changed, Child, Chosen, Curve, Ended, Trial, with_changes
from aml_jupyter.service.sweep_children import CHOSEN, HYPERPARAMETERS, last_words
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    child_number,
    get_run,
    list_metrics,
    metric_values,
    read_definition,
    sweep_changes,
)
from aml_jupyter.workspace.definitions import without_values
from aml_jupyter.workspace.queue import children_of, runs_called

__all__ = ["SweepRows"]

ASKED_FOR_OTHERS = 3
"""So many first children are asked what they log while they have not logged the primary metric."""


class SweepRows:
    """Hold the rows of one sweep that has not ended.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    run : RunRecord
        The sweep.
    """

    def __init__(self, folder: WorkspaceFolder, run: RunRecord) -> None:
        self.folder = folder
        self.id = run.id
        told = run.definition["sweep"]
        metric = told["config"]["primary_metric_config"]
        self.metric, self.goal = str(metric["name"]), str(metric["goal"])
        self.ended = Ended(self.goal)
        self._open: dict[int, Child] = {}
        self._config = told["config"]
        self._logged: dict[int, tuple[int, Sequence[float], float | None]] = {}
        self.changed: Changed = with_changes(self._config, sweep_changes(folder.store.read(), run.id))
        for child in children_of(folder.store.read(), run.id):
            self._take(child)
        self._earlier = (*self._config.get("resume_from", []), *told.get("continues", []))

    @property
    def open(self) -> list[Child]:
        """Return the children that have not ended, in order of their numbers."""
        return [self._open[number] for number in sorted(self._open)]

    def refresh(self, subjects: AbstractSet[str]) -> bool:
        """Read again what belongs to this sweep of the runs that events were about; tell whether there was any."""
        db = self.folder.store.read()
        mine = [run_id for run_id in subjects if run_id.startswith(f"{self.id}_")]
        if self.id in subjects:
            self.changed = with_changes(self._config, sweep_changes(db, self.id))
        for run in runs_called(db, mine):
            if run.parent == self.id:
                self._take(run)
        return bool(mine) or self.id in subjects

    def judge(self, number: int, interval: int) -> None:
        """Remember up to which interval the policy has judged a child."""
        self._open[number] = replace(self._open[number], judged=interval)

    def _take(self, run: RunRecord) -> None:
        """Put a child's row where it belongs; one that has ended is worked out once."""
        number = child_number(self.id, run.id)
        if number is None or number in self.ended.numbers:
            return
        child = self._child(run, number)
        if not child.is_final:
            self._open[number] = child
            return
        self._open.pop(number, None)
        self._logged.pop(number, None)
        self.ended.add(child)

    def _child(self, run: RunRecord, number: int) -> Child:
        """Return a child as the controller knows it."""
        known, before = self._open.get(number), self._logged.get(number)
        values, last = self._values(run, number)
        is_same_attempt = known is not None and before is not None and before[0] == run.attempt
        return Child(
            number,
            known.parameters if known is not None else json.loads(run.properties.get(HYPERPARAMETERS) or "{}"),
            run.status,
            values,
            run.started,
            run.ended,
            last,
            known.judged if known is not None and is_same_attempt else max(len(values) - 1, 0),
            None if run.cancel_requested is None else run.reason,
            () if values or number >= ASKED_FOR_OTHERS else self._other_metrics(run.id),
            last_words(run),
            CHOSEN in run.properties,
        )

    def _values(self, run: RunRecord, number: int) -> tuple[Sequence[float], float | None]:
        """Return what a child has logged of the primary metric, and when the last of it; only what is new is read."""
        if not run.attempt:
            return [], None
        attempt, known, last = self._logged.get(number, (run.attempt, [], None))
        if attempt != run.attempt:
            known, last = [], None
        values, _, times = metric_values(self.folder.store.read(), run.id, self.metric, first=len(known))
        if values:
            known = [*known, *(float(value) if isinstance(value, (int, float)) else float("nan") for value in values)]
            last = times[-1]
        self._logged[number] = (run.attempt, known, last)
        return known, last

    def _other_metrics(self, run_id: str) -> tuple[str, ...]:
        return tuple(metric.name for metric in list_metrics(self.folder.store.read(), run_id))

    @cached_property
    def template(self) -> dict[str, Any]:
        """Return the sweep's ``run.json``, of which its children's are made; it never changes."""
        return read_definition(self.folder.layout, self.id)

    @cached_property
    def shown_run_config(self) -> dict[str, Any]:
        """Return what the database may know of the children's run configuration, which is the sweep's."""
        shown: dict[str, Any] = without_values(self.template)["run_config"]
        return shown

    @cached_property
    def _before(self) -> list[Ended]:
        db = self.folder.store.read()
        return [SweepRows(self.folder, get_run(db, each)).ended for each in self._earlier]

    @cached_property
    def prior(self) -> list[Trial]:
        """Return the ended children of the sweeps that this one goes on from, the oldest sweep first."""
        return [trial for ended in self._before for trial in ended.trials]

    @cached_property
    def prior_curves(self) -> list[Curve]:
        """Return what these logged of the primary metric, with numbers that no child has."""
        curves = [curve for ended in self._before for curve in ended.curves]
        return [replace(curve, child=place - len(curves)) for place, curve in enumerate(curves)]

    @cached_property
    def resumed(self) -> list[Chosen]:
        """Return the ended children of other sweeps that go on as the first ones of this one."""
        db = self.folder.store.read()
        ids = self._config.get("resume_child_runs", [])
        return [Chosen(json.loads(get_run(db, each).properties.get(HYPERPARAMETERS) or "{}"), each) for each in ids]

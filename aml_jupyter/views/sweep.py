"""Own the view of a sweep: its children with what they were given and what they reached, and what its charts are drawn from."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.hyperdrive import Trial, is_policy_reason, with_changes
from aml_jupyter.views.formats import duration_text, iso_time, json_value, number_text
from aml_jupyter.workspace import child_number, find_runs, metric_ranges, metric_values, sweep_changes
from aml_jupyter.workspace.states import FINAL

if TYPE_CHECKING:
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["SweepChild", "SweepView", "sweep_view"]

KIND: Final = "hyperdrive"
HYPERPARAMETERS: Final = "hyperparameters"
CHOSEN: Final = "aml.chosen"
CURVES: Final = 40
"""Of so many children the learning curves are read: the best ones, and those that run."""
CURVE_POINTS: Final = 200


@dataclass(frozen=True)
class SweepChild:
    """Describe one child: its run, its parameters, and what it has logged of the primary metric."""

    number: int
    run: RunRecord
    parameters: Mapping[str, Any]
    best: float | None
    """Its best finite value."""
    last: float | None
    count: int
    """How many values it has logged."""

    @property
    def final(self) -> bool:
        """Tell whether it has ended."""
        return self.run.status in FINAL

    @property
    def was_stopped(self) -> bool:
        """Tell whether a policy or a person ended it, or has asked it to end; one that completed before that did complete."""
        return self.run.status == "Canceled" or (not self.final and self.run.cancel_requested is not None)

    @property
    def remark(self) -> str:
        """Return why it was stopped, how it failed, or who chose its parameters."""
        said = [self.run.properties[CHOSEN]] if CHOSEN in self.run.properties else []
        if self.run.status == "Failed":
            said.append(str((self.run.error or {}).get("message") or self.run.reason))
        elif self.was_stopped or not self.final:
            said.append(self.run.reason)
        return ", ".join(part.strip().splitlines()[0] for part in said if part.strip())

    def duration(self, now: float) -> float | None:
        """Return how long it has run (s); None before its start."""
        return None if self.run.started is None else (self.run.ended or now) - self.run.started

    def as_json(self, now: float) -> dict[str, Any]:
        """Return its fields under stable names."""
        return {
            "id": self.run.id,
            "number": self.number,
            "status": self.run.status,
            "hyperparameters": dict(self.parameters),
            "best": self.best,
            "last": self.last,
            "count": self.count,
            "start_time": iso_time(self.run.started),
            "end_time": iso_time(self.run.ended),
            "duration": self.duration(now),
            "stopped": self.was_stopped,
            "remark": self.remark,
        }


@dataclass(frozen=True)
class SweepView:
    """Describe a sweep as it stood at `as_of` (Unix seconds)."""

    run: RunRecord
    definition: Mapping[str, Any]
    is_paused: bool
    children: tuple[SweepChild, ...]
    """In order of their numbers."""
    curves: Mapping[int, Sequence[float]]
    """Child -> its values of the primary metric, for some of them."""
    added: int
    as_of: float

    @property
    def metric(self) -> str:
        """Return the name of the primary metric."""
        return str(self.definition["primary_metric_config"]["name"])

    @property
    def maximise(self) -> bool:
        """Tell whether a greater value is better."""
        return str(self.definition["primary_metric_config"]["goal"]).lower() == "maximize"

    @property
    def space(self) -> Mapping[str, Sequence[Any]]:
        """Return parameter -> expression."""
        space: Mapping[str, Sequence[Any]] = self.definition["generator_config"]["parameter_space"]
        return space

    @property
    def total(self) -> int:
        """Return how many children there shall be."""
        return int(self.definition["max_total_jobs"]) + self.added

    @cached_property
    def ranked(self) -> tuple[SweepChild, ...]:
        """Return the children with a value, the best first, then those that have ended without one, then the others."""
        sign = -1.0 if self.maximise else 1.0
        ended = [child for child in self.children if child.final]
        measured = sorted((c for c in ended if c.best is not None), key=lambda c: (sign * (c.best or 0.0), c.number))
        return (
            *measured,
            *(child for child in ended if child.best is None),
            *(child for child in self.children if not child.final),
        )

    @property
    def best(self) -> SweepChild | None:
        """Return the child with the best value; None where none has one."""
        measured = [child for child in self.children if child.best is not None]
        sign = 1.0 if self.maximise else -1.0
        return max(measured, key=lambda child: (sign * (child.best or 0.0), -child.number), default=None)

    @cached_property
    def importances(self) -> dict[str, float]:
        """Return parameter -> how much it matters (shares of 1, the greatest first); empty while that cannot be said.

        A stopped child counts as no better than the worst one that went to its end: it was stopped because it fell behind.
        """
        from aml_jupyter.hyperdrive.importance import importances

        worse = min if self.maximise else max
        ended = [child for child in self.children if child.final and child.best is not None]
        whole = [child for child in ended if not child.was_stopped]
        worst = worse((child.best or 0.0 for child in whole), default=None)
        trials = [Trial(child.parameters, child.best) for child in whole]
        for child in ended:
            if child.was_stopped:
                trials.append(Trial(child.parameters, child.best if worst is None else worse(child.best or 0.0, worst)))
        return importances(self.space, trials, self.maximise)

    @property
    def saved(self) -> tuple[float, float] | None:
        """Return how many seconds the children that a policy stopped would have run on, and what that is of all.

        None where it stopped none. A stopped child is taken to have needed as long as a completed one does on the average. Those
        that a person, the end of the sweep or its time limit ended saved nothing.
        """
        told = [(child, child.duration(self.as_of) or 0.0) for child in self.children if child.final]
        whole = [seconds for child, seconds in told if child.run.status == "Completed"]
        stopped = [
            seconds
            for child, seconds in told
            if child.was_stopped and child.run.started is not None and is_policy_reason(child.run.reason)
        ]
        if not whole or not stopped:
            return None
        mean = sum(whole) / len(whole)
        saved = sum(max(0.0, mean - seconds) for seconds in stopped)
        spent = sum(seconds for _, seconds in told)
        return saved, saved / (saved + spent) if saved + spent else 0.0

    def facts(self) -> list[str]:
        """Return what stands under the sweep's name."""
        states: dict[str, int] = {}
        for child in self.children:
            is_by_policy = child.final and child.was_stopped and is_policy_reason(child.run.reason)
            name = "stopped early" if is_by_policy else _in_words(child.run.status)
            states[name] = states.get(name, 0) + 1
        counts = ", ".join(f"{count} {name}" for name, count in states.items())
        policy = str(self.definition["policy_config"].get("name") or "")
        facts = [
            f"{'maximize' if self.maximise else 'minimize'} {self.metric}",
            f"{len(self.children)} of {self.total} children" + (f" ({counts})" if counts else ""),
            f"{self.definition['generator_config']['name']} sampling",
        ]
        if policy and policy.lower() not in ("default", "noterminationpolicy", "no_termination"):
            facts.append(f"{policy} policy")
        if self.is_paused and self.run.status not in FINAL:
            facts.append("paused: it starts no children")
        seconds, share = self.saved or (0.0, 0.0)
        if share >= 0.005:  # else it would read 0 %
            facts.append(f"stopping early saved about {duration_text(seconds)} ({share:.0%})")
        return facts

    def parameter_text(self, child: SweepChild, name: str) -> str:
        """Return a child's value of a parameter in few characters."""
        value = child.parameters.get(name)
        return (
            "" if value is None else number_text(value, 4) if not isinstance(value, (list, dict)) else json.dumps(value)
        )

    def as_json(self) -> dict[str, Any]:
        """Return the sweep's fields under stable names."""
        best = self.best
        shown: dict[str, Any] = json_value(
            {
                "primary_metric": self.metric,
                "goal": "maximize" if self.maximise else "minimize",
                "definition": dict(self.definition),
                "paused": self.is_paused,
                "total": self.total,
                "best": None if best is None else best.run.id,
                "best_value": None if best is None else best.best,
                "importances": self.importances,
                "saved_seconds": None if self.saved is None else self.saved[0],
                "saved_share": None if self.saved is None else self.saved[1],
                "children": [child.as_json(self.as_of) for child in self.ranked],
                "curves": {str(number): list(values) for number, values in self.curves.items()},
            }
        )
        return shown


def _in_words(status: str) -> str:
    """Return a state as words: ``NotStarted`` is ``not started``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", status).lower()


def sweep_view(folder: WorkspaceFolder, run: RunRecord) -> SweepView:
    """Return the sweep that `run` is, with its children."""
    db = folder.store.read()
    changed = with_changes(run.definition["sweep"]["config"], sweep_changes(db, run.id))
    metric = changed.definition["primary_metric_config"]
    maximise = str(metric["goal"]).lower() == "maximize"
    ranges = metric_ranges(db, run.id, metric["name"])
    children = []
    for child in find_runs(db, parent=run.id):
        number = child_number(run.id, child.id)
        if number is None:  # a script submitted it as a child of the sweep; it shows itself
            continue
        count, last, least, greatest = ranges.get(child.id, (0, None, None, None))
        children.append(
            SweepChild(
                number=number,
                run=child,
                parameters=json.loads(child.properties.get(HYPERPARAMETERS) or "{}"),
                best=_best(folder, child.id, metric["name"], greatest if maximise else least, maximise),
                last=_finite(last),
                count=count,
            )
        )
    children.sort(key=lambda child: child.number)
    view = SweepView(run, changed.definition, changed.is_paused, tuple(children), {}, len(changed.added), time.time())
    return SweepView(
        run, changed.definition, changed.is_paused, view.children, _curves(folder, view), len(changed.added), view.as_of
    )


def _best(folder: WorkspaceFolder, run_id: str, name: str, extreme: float | None, maximise: bool) -> float | None:
    """Return the best finite value; `extreme` is the best of all, which may be infinite."""
    if extreme is None or math.isfinite(extreme):
        return extreme
    values, _, _ = metric_values(folder.store.read(), run_id, name)
    finite = [value for value in map(_finite, values) if value is not None]
    return (max if maximise else min)(finite) if finite else None


def _curves(folder: WorkspaceFolder, view: SweepView) -> dict[int, list[float]]:
    """Read the learning curves of the best children and of those that run."""
    running = [child for child in view.children if not child.final and child.count > 1]
    shown = [*running[: CURVES // 2], *(child for child in view.ranked if child.final and child.count > 1)][:CURVES]
    curves = {}
    for child in shown:
        values, _, _ = metric_values(folder.store.read(), child.run.id, view.metric, last=CURVE_POINTS)
        curves[child.number] = [float(value) if isinstance(value, (int, float)) else math.nan for value in values]
    return curves


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)

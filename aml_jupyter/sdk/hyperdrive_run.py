"""Own `HyperDriveRun`: a sweep, and what its children reached."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aml_jupyter.config.sweeps import EarlyTerminationPolicy
from aml_jupyter.errors import UserErrorException
from aml_jupyter.hyperdrive import Replay, replay
from aml_jupyter.sdk.run import Run
from aml_jupyter.service.sweep_actions import add_to_sweep, extend_sweep, pause_sweep, sweep_definition
from aml_jupyter.service.sweeps import HYPERPARAMETERS, KIND
from aml_jupyter.workspace import RunRecord, child_number, find_runs, get_metrics, metric_values

if TYPE_CHECKING:
    from aml_jupyter.sdk.experiment import Experiment

__all__ = ["HyperDriveRun"]


class HyperDriveRun(Run):
    """Stand for a sweep.

    Parameters
    ----------
    experiment : Experiment
        The experiment it belongs to.
    run_id : str
        Its id.

    Raises
    ------
    UserErrorException
        When the workspace has no such run, or it is not a sweep.
    """

    RUN_TYPE = KIND

    def __init__(self, experiment: Experiment, run_id: str, hyperdrive_config: Any = None, **_ignored: Any) -> None:
        super().__init__(experiment, run_id)
        kind = self._record().kind
        if kind != KIND:
            raise UserErrorException(
                f"Run {run_id} is not a sweep but of kind {kind!r}. Run.get() returns it.", "run_id"
            )

    @property
    def _metric(self) -> dict[str, str]:
        metric: dict[str, str] = self._record().definition["sweep"]["config"]["primary_metric_config"]
        return metric

    def _children(self) -> list[RunRecord]:
        """Return the children that the sweep made, in order of their numbers."""
        found = find_runs(self.experiment.workspace.folder.store.read(), parent=self.id)
        numbers = {run.id: number for run in found if (number := child_number(self.id, run.id)) is not None}
        return sorted((run for run in found if run.id in numbers), key=lambda run: numbers[run.id])

    def _best_value(self, child: RunRecord) -> float | None:
        """Return the best finite value of the primary metric that a child has logged."""
        values, _, _ = metric_values(self.experiment.workspace.folder.store.read(), child.id, self._metric["name"])
        finite = [float(value) for value in values if isinstance(value, (int, float)) and math.isfinite(value)]
        choose = max if self._metric["goal"] == "maximize" else min
        return choose(finite) if finite else None

    def get_best_run_by_primary_metric(
        self, include_failed: bool = True, include_canceled: bool = True, include_resume_from_runs: bool = True
    ) -> Run | None:
        """Return the child that reached the best value; None where none has logged the primary metric."""
        left_out = {"Failed": not include_failed, "Canceled": not include_canceled}
        for entry in self.get_children_sorted_by_primary_metric(discard_no_metric=True):
            if not left_out.get(entry["status"]):
                return Run(self.experiment, entry["run_id"])
        return None

    def get_children_sorted_by_primary_metric(
        self, top: int = 0, reverse: bool = False, discard_no_metric: bool = False
    ) -> list[dict[str, Any]]:
        """Return the children with hyperparameters (JSON), best value and status; the best first, those without a value last.

        Parameters
        ----------
        top : int
            How many at the most; 0 means all.
        reverse : bool
            The worst first.
        discard_no_metric : bool
            Leave out children without a value.
        """
        sign = -1.0 if self._metric["goal"] == "maximize" else 1.0
        entries = [
            {
                "run_id": child.id,
                "hyperparameters": child.properties.get(HYPERPARAMETERS, "{}"),
                "best_primary_metric": self._best_value(child),
                "status": child.status,
            }
            for child in self._children()
        ]
        measured = [entry for entry in entries if entry["best_primary_metric"] is not None]
        measured.sort(key=lambda entry: sign * float(str(entry["best_primary_metric"])), reverse=reverse)
        others = [] if discard_no_metric else [entry for entry in entries if entry["best_primary_metric"] is None]
        return [*measured, *others][: top or None]

    def get_hyperparameters(self) -> dict[str, str]:
        """Return child id -> its hyperparameters as JSON."""
        return {child.id: child.properties.get(HYPERPARAMETERS, "{}") for child in self._children()}

    def get_metrics(
        self, name: str | None = None, recursive: bool = False, run_type: str | None = None, populate: bool = False
    ) -> dict[str, Any]:
        """Return child id -> its metrics: a sweep logs none itself."""
        db = self.experiment.workspace.folder.store.read()
        return {child.id: get_metrics(db, child.id, name, recursive) for child in self._children()}

    def pause(self) -> None:
        """Start no more children until `resume`; those that run go on.

        Raises
        ------
        UserErrorException
            When the sweep has ended.
        """
        pause_sweep(self.experiment.workspace.folder, self.id)

    def resume(self) -> None:
        """Start children again after `pause`."""
        pause_sweep(self.experiment.workspace.folder, self.id, paused=False)

    def extend(
        self,
        max_total_runs: int | None = None,
        max_duration_minutes: int | None = None,
        max_concurrent_runs: int | None = None,
        parameter_space: Mapping[str, Any] | None = None,
    ) -> HyperDriveRun:
        """Give the sweep more runs, more time, more at once, or other expressions for some of its parameters.

        Parameters
        ----------
        max_total_runs : int, optional
            How many children there shall be in all, those that there are included.
        max_duration_minutes : int, optional
            From its beginning (min).
        max_concurrent_runs : int, optional
            How many at once.
        parameter_space : dict, optional
            Parameter -> expression; parameters that it does not name stay as they are.

        Returns
        -------
        HyperDriveRun
            This sweep. Where it has ended already, a new one that goes on with its results.

        Raises
        ------
        ConfigurationError
            With the field, the value, and what was expected.
        """
        run = extend_sweep(
            self.experiment.workspace.folder,
            self.id,
            parameter_space,
            max_total_runs=max_total_runs,
            max_duration_minutes=max_duration_minutes,
            max_concurrent_runs=max_concurrent_runs,
        )
        return self if run.id == self.id else HyperDriveRun(self.experiment, run.id)

    def add_child(self, parameters: Mapping[str, Any]) -> None:
        """Let the sweep run a child with chosen parameters next, beside ``max_total_runs``.

        Parameters
        ----------
        parameters : dict
            A value of each parameter, also outside of the space.

        Raises
        ------
        UserErrorException
            When the sweep has ended, or a parameter is missing or unknown.
        """
        add_to_sweep(self.experiment.workspace.folder, self.id, parameters)

    def replay(self, policy: EarlyTerminationPolicy) -> Replay:
        """Tell what a policy would have stopped, saved and cost, had the sweep had it.

        Parameters
        ----------
        policy : EarlyTerminationPolicy
            The policy.
        """
        db = self.experiment.workspace.folder.store.read()
        values: dict[int, list[float]] = {}
        times: dict[int, list[float]] = {}
        for number, child in enumerate(self._children()):
            logged, _, at = metric_values(db, child.id, self._metric["name"])
            values[number] = [float(value) if isinstance(value, (int, float)) else math.nan for value in logged]
            times[number] = at
        return replay(policy, self._metric["goal"], values, times)

    @property
    def hyperdrive_config(self) -> dict[str, Any]:
        """Return the sweep's definition as it is now, in SDK v1's serialised form."""
        return sweep_definition(self.experiment.workspace.folder, self.id)[1]

    def best_hyperparameters(self) -> dict[str, Any]:
        """Return the parameters of the best child; empty where there is none."""
        best = self.get_best_run_by_primary_metric()
        return json.loads(self.get_hyperparameters()[best.id]) if best is not None else {}

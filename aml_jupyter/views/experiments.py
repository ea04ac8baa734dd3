"""Own the list of experiments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aml_jupyter.views.formats import clock_text, iso_time
from aml_jupyter.views.text import Column
from aml_jupyter.views.view import TableView
from aml_jupyter.workspace import list_experiments

if TYPE_CHECKING:
    from aml_jupyter.workspace import ExperimentRecord, WorkspaceFolder

__all__ = ["ExperimentRow", "experiment_rows", "experiment_table"]

COLUMNS = (Column("experiment", least=12), Column("runs", right=True), Column("created"))


@dataclass(frozen=True)
class ExperimentRow:
    """Describe one experiment in a list."""

    experiment: ExperimentRecord

    def as_json(self) -> dict[str, Any]:
        """Return name, number of runs and time of creation."""
        return {
            "name": self.experiment.name,
            "id": self.experiment.id,
            "run_count": self.experiment.run_count,
            "created_time": iso_time(self.experiment.created),
        }

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column."""
        return self.experiment.name, f"{self.experiment.run_count:,}", clock_text(self.experiment.created)


def experiment_rows(folder: WorkspaceFolder) -> TableView[ExperimentRow]:
    """Return the experiments of the workspace."""
    return experiment_table(*list_experiments(folder.store.read()))


def experiment_table(*experiments: ExperimentRecord) -> TableView[ExperimentRow]:
    """Return a view of the given experiments."""
    rows = tuple(ExperimentRow(experiment) for experiment in experiments)
    return TableView(rows, COLUMNS, "no experiments; the first submit makes one, or: aml experiment create -n NAME")

"""Own the list of sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aml_jupyter.views.formats import clock_text, number_text
from aml_jupyter.views.sweep import SweepView, sweep_view
from aml_jupyter.views.text import Column
from aml_jupyter.views.view import TableView

if TYPE_CHECKING:
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["SweepRow", "sweep_rows"]

COLUMNS = (
    Column("sweep"),
    Column("experiment", least=8),
    Column("status"),
    Column("children", right=True),
    Column("best", right=True),
    Column("metric", least=6),
    Column("created"),
    Column("remark", least=10),
)


@dataclass(frozen=True)
class SweepRow:
    """Describe one sweep in a list."""

    view: SweepView

    def as_json(self) -> dict[str, Any]:
        """Return its id, experiment, status and what the sweep's view has, without the children."""
        run = self.view.run
        shown = {key: value for key, value in self.view.as_json().items() if key not in ("children", "curves")}
        return {"id": run.id, "experiment": run.experiment, "status": run.status, **shown}

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column."""
        run, best = self.view.run, self.view.best
        said = "paused" if self.view.is_paused and run.status == "Running" else run.reason
        return (
            run.id,
            run.experiment,
            run.status,
            f"{len(self.view.children)} of {self.view.total}",
            "" if best is None else number_text(best.best),
            self.view.metric,
            clock_text(run.created),
            said.strip().splitlines()[0] if said.strip() else "",
        )


def sweep_rows(folder: WorkspaceFolder, runs: Sequence[RunRecord]) -> TableView[SweepRow]:
    """Return the sweeps that `runs` are."""
    rows = tuple(SweepRow(sweep_view(folder, run)) for run in runs)
    return TableView(rows, COLUMNS, "There is no sweep yet. docs/sweeps.md says how one is written down.")

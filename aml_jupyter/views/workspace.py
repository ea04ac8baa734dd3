"""Own the views of a workspace, of the registry of workspaces, and of what a rebuild or a check found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aml_jupyter.views.formats import clock_text, iso_time, size_text
from aml_jupyter.views.html import element, table_html
from aml_jupyter.views.text import Column, printable
from aml_jupyter.views.view import TableView
from aml_jupyter.workspace import count_runs, default_target, list_experiments, list_targets, list_workspaces

if TYPE_CHECKING:
    from aml_jupyter.service import ServiceStatus
    from aml_jupyter.service.collecting import CollectedKind
    from aml_jupyter.workspace import Report, WorkspaceEntry, WorkspaceFolder

__all__ = [
    "CollectedRow",
    "ReportView",
    "ServiceView",
    "WorkspaceRow",
    "WorkspaceView",
    "collected_rows",
    "report_view",
    "service_view",
    "workspace_list_rows",
    "workspace_view",
]

COLLECTED_COLUMNS = (Column("what"), Column("count", right=True), Column("size", right=True))
LIST_COLUMNS = (Column("name", least=8), Column("folder", least=20), Column("id"), Column("remark"))


@dataclass(frozen=True)
class ServiceView:
    """Who serves a workspace; `status` is None when nobody ever did."""

    status: ServiceStatus | None

    @property
    def state(self) -> str:
        """Return running, not answering or stopped."""
        if self.status is None or not self.status.alive:
            return "stopped"
        return "running" if self.status.answers else "not answering"

    def as_json(self) -> dict[str, Any]:
        """Return pid, host, epoch and package version; all but the state and the epoch are null while none runs."""
        status = self.status if self.status is not None and self.status.alive else None
        return {
            "state": self.state,
            "pid": status.pid if status else None,
            "host": status.host if status else None,
            "epoch": self.status.epoch if self.status else None,
            "version": status.version if status else None,
            "start_time": iso_time(status.started) if status else None,
        }

    def as_text(self, width: int = 80) -> str:
        """Return one line."""
        if self.status is None or self.state == "stopped":
            return "stopped (it is started when a run is submitted)"
        return (
            f"{self.state}, pid {self.status.pid} on {self.status.host}, epoch {self.status.epoch}, "
            f"version {self.status.version}, since {clock_text(self.status.started)}"
        )

    def as_html(self) -> str:
        """Return one line."""
        return element("div", "service ", self.as_text())


@dataclass(frozen=True)
class WorkspaceView:
    """Describe one workspace: where it is, what is in it, and its service."""

    id: str
    name: str
    root: Path
    location: str
    resource_group: str
    subscription_id: str
    default_target: str
    targets: tuple[str, ...]
    experiments: int
    runs: Mapping[str, int]
    """How many runs are in which state; children and hidden ones included."""
    service: ServiceView

    def as_json(self) -> dict[str, Any]:
        """Return everything, with the service's pid, host, epoch and version under ``service``."""
        return {
            "id": self.id,
            "name": self.name,
            "root": str(self.root),
            "location": self.location,
            "resource_group": self.resource_group,
            "subscription_id": self.subscription_id,
            "default_target": self.default_target,
            "targets": list(self.targets),
            "experiments": self.experiments,
            "runs": dict(self.runs),
            "service": self.service.as_json(),
        }

    def _facts(self) -> list[tuple[str, str]]:
        runs = ", ".join(f"{count:,} {state}" for state, count in self.runs.items())
        return [
            ("folder", str(self.root)),
            ("id", self.id),
            ("runs", runs or "none"),
            ("experiments", f"{self.experiments:,}"),
            ("targets", ", ".join(f"{n} (default)" if n == self.default_target else n for n in self.targets)),
            ("service", self.service.as_text()),
        ]

    def as_text(self, width: int = 80) -> str:
        """Return one fact a line."""
        lines = [f"{name:<12} {printable(value)}" for name, value in self._facts()]
        return "\n".join([f"{'workspace':<12} {printable(self.name)}", *lines])

    def as_html(self) -> str:
        """Return the facts as a table."""
        return element("div", element("b", self.name), table_html(("", ""), self._facts()))


@dataclass(frozen=True)
class WorkspaceRow:
    """Describe one entry of the registry of workspaces."""

    entry: WorkspaceEntry

    def as_json(self) -> dict[str, Any]:
        """Return id, name, folder, and whether the folder is there."""
        return {
            "id": self.entry.id,
            "name": self.entry.name,
            "root": str(self.entry.root),
            "exists": self.entry.exists,
        }

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column."""
        remark = "" if self.entry.exists else "the folder is gone"
        return self.entry.name, str(self.entry.root), self.entry.id, remark


def workspace_view(folder: WorkspaceFolder) -> WorkspaceView:
    """Return the workspace with counts of its runs and its service."""
    db = folder.store.read()
    return WorkspaceView(
        id=folder.id,
        name=folder.name,
        root=Path(folder.root),
        location=folder.location,
        resource_group=folder.resource_group,
        subscription_id=folder.subscription_id,
        default_target=default_target(db),
        targets=tuple(target.name for target in list_targets(db)),
        experiments=len(list_experiments(db)),
        runs=count_runs(db),
        service=service_view(folder),
    )


def service_view(folder: WorkspaceFolder) -> ServiceView:
    """Return who serves the workspace."""
    from aml_jupyter.service import service_status

    return ServiceView(service_status(folder))


def workspace_list_rows() -> TableView[WorkspaceRow]:
    """Return the workspaces that this user has opened."""
    rows = tuple(WorkspaceRow(entry) for entry in list_workspaces())
    return TableView(rows, LIST_COLUMNS, "no workspaces yet; the first submit makes the default one")


@dataclass(frozen=True)
class ReportView:
    """Say what a rebuild or a check of a workspace found."""

    report: Report

    @property
    def good(self) -> bool:
        """Tell whether nothing is wrong."""
        return self.report.is_clean

    def as_json(self) -> dict[str, Any]:
        """Return title, counts, problems and notes."""
        report = self.report
        return {
            "title": report.title,
            "good": self.good,
            "counts": dict(report.counts),
            "problems": list(report.problems),
            "notes": list(report.notes),
        }

    def as_text(self, width: int = 80) -> str:
        """Return counts, notes and problems, one a line."""
        return printable(str(self.report), keep_newlines=True)

    def as_html(self) -> str:
        """Return the same, preformatted."""
        return element("pre", str(self.report))


def report_view(report: Report) -> ReportView:
    """Return the view of what a rebuild or a check found."""
    return ReportView(report)


@dataclass(frozen=True)
class CollectedRow:
    """Describe what was collected of one kind."""

    found: CollectedKind

    def as_json(self) -> dict[str, Any]:
        """Return what it is, how many there were, and their bytes."""
        return {"what": self.found.what, "count": self.found.count, "size": self.found.size}

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column."""
        return self.found.what, f"{self.found.count:,}", size_text(self.found.size)


def collected_rows(found: Sequence[CollectedKind], dry_run: bool) -> TableView[CollectedRow]:
    """Return what a collection removed, or would remove."""
    total = size_text(sum(each.size for each in found))
    note = f"{total} would be given back; nothing was removed" if dry_run else f"{total} were given back"
    return TableView(tuple(map(CollectedRow, found)), COLLECTED_COLUMNS, "nothing to collect", note)

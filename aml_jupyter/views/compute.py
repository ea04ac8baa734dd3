"""Own the views of compute targets and of the table of kinds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aml_jupyter.targets.kinds import KINDS, TargetKind, kind_of
from aml_jupyter.views.formats import clock_text, iso_time, json_value, size_text
from aml_jupyter.views.html import colour_of, element, table_html
from aml_jupyter.views.text import Column, printable
from aml_jupyter.views.view import TableView
from aml_jupyter.workspace import count_runs, default_target, get_target, list_targets
from aml_jupyter.workspace.states import ACTIVE, WAITING

if TYPE_CHECKING:
    from aml_jupyter.targets import Capacity, CheckReport
    from aml_jupyter.workspace import TargetRecord, WorkspaceFolder

__all__ = ["ComputeRow", "ComputeView", "KindRow", "compute_rows", "compute_view", "kinds_rows"]

TARGET_COLUMNS = (
    Column("name"),
    Column("type"),
    Column("state"),
    Column("running", right=True),
    Column("queued", right=True),
    Column("default"),
    Column("settings", least=10),
)
KIND_COLUMNS = (
    Column("type"),
    Column("plain runs"),
    Column("pipelines"),
    Column("sweeps"),
    Column("GPU"),
    Column("nodes"),
    Column("verbs", least=12),
    Column("lifted limits", least=8),
    Column("remark", least=10),
)


@dataclass(frozen=True)
class ComputeRow:
    """Describe one compute target with how much it has to do."""

    target: TargetRecord
    is_default: bool
    running: int
    queued: int

    def as_json(self) -> dict[str, Any]:
        """Return the target's fields under stable names."""
        target = self.target
        return {
            "name": target.name,
            "type": target.type,
            "provisioning_state": target.provisioning_state,
            "provisioning_errors": json_value(target.provisioning_errors),
            "default": self.is_default,
            "running": self.running,
            "queued": self.queued,
            "settings": json_value(target.settings),
            "attached": target.attached,
            "tags": dict(target.tags),
            "description": target.description,
            "created_time": iso_time(target.created),
            "modified_time": iso_time(target.modified),
        }

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column."""
        target = self.target
        return (
            target.name,
            target.type,
            target.provisioning_state,
            str(self.running),
            str(self.queued),
            "default" if self.is_default else "",
            _settings_text(target),
        )


@dataclass(frozen=True)
class ComputeView(ComputeRow):
    """One compute target by itself, with what is there and what is free; both None for a type that is not built yet."""

    report: CheckReport | None = None
    capacity: Capacity | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the row's fields, and ``machine``, ``problems``, ``slots``, ``free_slots``."""
        return {
            **super().as_json(),
            "machine": json_value(self.report.facts) if self.report else None,
            "problems": list(self.report.problems) if self.report else [],
            "slots": self.capacity.total if self.capacity else None,
            "free_slots": self.capacity.free if self.capacity else None,
        }

    def _facts(self) -> list[tuple[str, str]]:
        target = self.target
        facts = [
            ("type", target.type),
            ("state", target.provisioning_state),
            ("running", str(self.running)),
            ("queued", str(self.queued)),
            ("settings", _settings_text(target) or "none"),
            ("created", clock_text(target.created)),
        ]
        if self.capacity:
            why = f", {self.capacity.explanation}" if self.capacity.free < self.capacity.total else ""
            facts.append(("slots", f"{self.capacity.free} of {self.capacity.total} free{why}"))
        if self.report:
            facts += _machine_facts(self.report.facts)
            facts += [("problem", problem) for problem in self.report.problems]
        if target.description:
            facts.append(("description", target.description))
        if target.tags:
            facts.append(("tags", ", ".join(f"{key}={value}" for key, value in sorted(target.tags.items()))))
        facts += [("error", str(error.get("message", error))) for error in target.provisioning_errors]
        return facts

    def as_text(self, width: int = 80) -> str:
        """Return the target's facts, one a line."""
        lines = [self.target.name + (" (default)" if self.is_default else "")]
        lines += [f"  {name:<12} {printable(value)}" for name, value in self._facts()]
        return "\n".join(lines)

    def as_html(self) -> str:
        """Return the target's facts as a table."""
        state = element(
            "span", self.target.provisioning_state, style=f"color:{colour_of(self.target.provisioning_state)}"
        )
        rows = [(name, state if name == "state" else value) for name, value in self._facts()]
        return element("div", element("b", self.target.name), table_html(("", ""), rows))


@dataclass(frozen=True)
class KindRow:
    """Describe one type of compute target: what it can do, and which verbs apply."""

    kind: TargetKind

    def as_json(self) -> dict[str, Any]:
        """Return the row of the table of kinds."""
        kind = self.kind
        return {
            "type": kind.type,
            "title": kind.title,
            "class": kind.class_name,
            "built": kind.built,
            "plain_runs": kind.plain_runs,
            "pipelines": kind.pipelines,
            "sweeps": kind.sweeps,
            "gpu": kind.gpu,
            "several_nodes": kind.several_nodes,
            "frameworks": list(kind.frameworks),
            "verbs": list(kind.verbs),
            "lifted": list(kind.lifted),
            "aliases": list(kind.aliases),
            "settings": dict(kind.settings),
            "note": kind.note,
        }

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column."""
        kind = self.kind
        note = kind.note or kind.title
        return (
            kind.type,
            _yes_or_no(kind.plain_runs),
            kind.pipelines,
            _yes_or_no(kind.sweeps),
            _yes_or_no(kind.gpu),
            "several" if kind.several_nodes else "one",
            ", ".join(kind.verbs) or "-",
            ", ".join(kind.lifted),
            note if kind.built else f"not in this version yet; {note}",
        )


def compute_rows(folder: WorkspaceFolder) -> TableView[ComputeRow]:
    """Return the compute targets of the workspace."""
    db = folder.store.read()
    default = default_target(db)
    rows = tuple(ComputeRow(target, target.name == default, *_load(folder, target.name)) for target in list_targets(db))
    return TableView(rows, TARGET_COLUMNS, "no compute targets")


def compute_view(folder: WorkspaceFolder, name: str) -> ComputeView:
    """Return one compute target.

    Raises
    ------
    ComputeTargetException
        When there is none of that name.
    """
    db = folder.store.read()
    from aml_jupyter.targets import create_backend

    target = get_target(db, name)
    row = (target, target.name == default_target(db), *_load(folder, target.name))
    if not kind_of(target.type).built:
        return ComputeView(*row)
    backend = create_backend(folder, target)
    return ComputeView(*row, backend.check(), backend.capacity())


def kinds_rows() -> TableView[KindRow]:
    """Return the table of kinds."""
    return TableView(tuple(KindRow(kind) for kind in KINDS), KIND_COLUMNS, "no kinds")


def _load(folder: WorkspaceFolder, name: str) -> tuple[int, int]:
    """Return how many runs a target works on, and how many wait for it."""
    counts = count_runs(folder.store.read(), name)
    return sum(counts.get(state, 0) for state in ACTIVE), sum(counts.get(state, 0) for state in WAITING)


def _machine_facts(machine: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a machine has, and what of it no run has booked."""
    memory, disk = size_text(int(machine["memory"])), size_text(int(machine["disk_free"]))
    told = [("machine", f"{machine['host']}, {machine['cores']} cores, {memory} of memory, {disk} of disk free")]
    if "memory_free" in machine:
        told.append(("memory", f"{size_text(int(machine['memory_free']))} of {memory} not booked"))
    if machine["gpus"] and "gpus_free" not in machine:
        told.append(("GPUs", str(machine["gpus"])))
    elif machine["gpus"]:
        told.append(("GPUs", f"{machine['gpus_free']} of {machine['gpus']} free"))
    for gpu in machine["gpu_list"]:
        size = f", {size_text(gpu['memory'])}" if gpu["memory"] else ""
        name = f" {gpu['name']}{size}" if gpu["name"] else ""
        users = ", ".join(dict.fromkeys(gpu["taken_by"]))
        told.append(("", f"GPU {gpu['id']}{name}: {f'taken by {users}' if users else 'free'}"))
    return told


def _yes_or_no(holds: bool) -> str:
    return "yes" if holds else "no"


def _settings_text(target: TargetRecord) -> str:
    """Return the settings of a target that are not those of every new one."""
    usual = kind_of(target.type).settings
    return ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in target.settings.items()
        if value != usual.get(name) and name in usual
    )

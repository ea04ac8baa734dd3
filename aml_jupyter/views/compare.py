"""Own the view of several runs side by side: what they were, what they were given, what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aml_jupyter.environments import python_of
from aml_jupyter.views.formats import json_value, size_text
from aml_jupyter.views.html import Html, element, table_html
from aml_jupyter.views.metrics import brief_metrics
from aml_jupyter.views.text import Column, printable, table_text
from aml_jupyter.workspace import diff_snapshots, get_run, list_artifacts

if TYPE_CHECKING:
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["ComparedField", "RunComparison", "run_comparison"]

SECTIONS = ("run", "arguments", "parameters", "environment", "metrics", "tags", "properties", "files")


@dataclass(frozen=True)
class ComparedField:
    """One thing that runs are compared by: a value for each run, None where a run has none."""

    section: str
    name: str
    values: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        """Tell whether the runs have not all the same value."""
        return any(value != self.values[0] for value in self.values[1:])

    def texts(self) -> list[str]:
        """Return the values for people."""
        return [printable(_text(self.section, value)) for value in self.values]


@dataclass(frozen=True)
class RunComparison:
    """Describe several runs side by side.

    Attributes
    ----------
    runs : tuple of RunRecord
        What is compared, in the order that was asked for.
    fields : tuple of ComparedField
        Everything that at least one of them has.
    snapshots : tuple of str or None
        How each run's files differ from the first one's; None where one of the two has no snapshot.
    only_differences : bool
        Whether fields that are equal are left out when it is shown.
    """

    runs: tuple[RunRecord, ...]
    fields: tuple[ComparedField, ...]
    snapshots: tuple[dict[str, list[str]] | None, ...]
    only_differences: bool = False

    def shown(self, section: str) -> list[ComparedField]:
        """Return the fields of a section that are shown."""
        return [
            field for field in self.fields if field.section == section and (field.differs or not self.only_differences)
        ]

    def as_json(self) -> dict[str, Any]:
        """Return ``runs``, and for each section its fields: ``values`` in the order of the runs, and ``differs``."""
        sections = {
            section: {
                field.name: {"values": json_value(list(field.values)), "differs": field.differs}
                for field in self.shown(section)
            }
            for section in SECTIONS
        }
        return {"runs": [run.id for run in self.runs], **sections, "snapshot": list(self.snapshots)}

    def _tables(self) -> list[tuple[str, list[list[str]]]]:
        found = []
        for section in SECTIONS:
            lines = [[field.name, *field.texts(), "differs" if field.differs else ""] for field in self.shown(section)]
            if lines:
                found.append((section, lines))
        return found

    def _snapshot_lines(self) -> list[str]:
        lines = []
        for run, difference in zip(self.runs[1:], self.snapshots[1:], strict=True):
            if difference is None:
                lines.append(f"{run.id}: its files cannot be compared with those of {self.runs[0].id}")
                continue
            parts = [
                f"{what} {', '.join(names[:5])}{', ...' * (len(names) > 5)}"
                for what, names in difference.items()
                if names
            ]
            same = f"the same files as {self.runs[0].id}"
            lines.append(f"{run.id}: {'; '.join(parts) if parts else same}")
        return [printable(line) for line in lines]

    def as_text(self, width: int = 80) -> str:
        """Return one table for each section, with a mark where the runs differ."""
        names = [run.id for run in self.runs]
        parts = []
        for section, lines in self._tables():
            columns = [Column(section, least=12), *(Column(name, least=8) for name in names), Column("")]
            parts.append(table_text(columns, lines, width))
        if not parts:
            parts.append("the runs do not differ in anything that is kept")
        return "\n\n".join([*parts, "source files\n" + "\n".join(self._snapshot_lines())])

    def as_html(self) -> str:
        """Return one table for each section; what differs is bold."""
        parts = []
        for section, lines in self._tables():
            rows = [
                [line[0], *(element("b", text) if line[-1] else Html(element("span", text)) for text in line[1:-1])]
                for line in lines
            ]
            parts.append(table_html([section, *(run.id for run in self.runs)], rows))
        parts.append(element("ul", *(element("li", line) for line in self._snapshot_lines())))
        return element("div", *parts)


def run_comparison(folder: WorkspaceFolder, run_ids: Sequence[str], only_differences: bool = False) -> RunComparison:
    """Return the given runs side by side.

    Raises
    ------
    UserErrorException
        When there is no such run.
    """
    db = folder.store.read()
    runs = [get_run(db, run_id) for run_id in run_ids]
    columns = [_facts(folder, run) for run in runs]
    fields = []
    for section in SECTIONS:
        for name in dict.fromkeys(name for column in columns for name in column[section]):
            fields.append(ComparedField(section, name, tuple(column[section].get(name) for column in columns)))
    snapshots = tuple(_difference(folder, runs[0], run) for run in runs)
    return RunComparison(tuple(runs), tuple(fields), snapshots, only_differences)


def _facts(folder: WorkspaceFolder, run: RunRecord) -> dict[str, dict[str, Any]]:
    db = folder.store.read()
    definition = run.definition
    took = run.ended - run.started if run.ended and run.started else None
    arguments = [str(argument) for argument in definition.get("arguments") or []]
    return {
        "run": {
            "name": run.display_name,
            "experiment": run.experiment,
            "status": run.status,
            "target": run.target,
            "script": definition.get("script") or definition.get("command"),
            "seconds": took,
            "exit code": run.exit_code,
            "attempt": run.attempt,
        },
        "arguments": _named_arguments(arguments),
        "parameters": dict(definition.get("parameters") or {}),
        "environment": {
            "Python": python_of(definition),
            **{f"${name}": "set" for name in definition.get("environment_variables") or {}},
        },
        "metrics": brief_metrics(db, run.id),
        "tags": dict(run.tags),
        "properties": dict(run.properties),
        "files": {artifact.name: artifact.size for artifact in list_artifacts(db, run.id)},
    }


def _named_arguments(arguments: Sequence[str]) -> dict[str, str]:
    """Return arguments by their option's name; those without one by their place."""
    found: dict[str, str] = {}
    words = list(arguments)
    place = 0
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if word.startswith("--") and equals:
            found[name] = value
        elif word.startswith("-") and not word.lstrip("-")[:1].isdigit() and word.strip("-"):
            found[word] = words.pop(0) if words and (not words[0].startswith("-") or words[0][1:2].isdigit()) else ""
        else:
            place += 1
            found[str(place)] = word
    return found


def _difference(folder: WorkspaceFolder, first: RunRecord, other: RunRecord) -> dict[str, list[str]] | None:
    if first.snapshot is None or other.snapshot is None:
        return None
    if first.snapshot == other.snapshot:
        return {"added": [], "removed": [], "changed": []}
    found = diff_snapshots(folder, first.snapshot, other.snapshot)
    return {
        "added": [entry.path for entry in found.added],
        "removed": [entry.path for entry in found.removed],
        "changed": [entry.path for entry in found.changed],
    }


def _text(section: str, value: Any) -> str:
    if value is None:
        return "-"
    if section == "files":
        return size_text(int(value))
    if isinstance(value, float):
        return f"{value:.6g}"
    if section == "metrics" and isinstance(value, list) and value:
        return f"{_text(section, value[-1])} (last of {len(value)})"
    if section == "metrics" and isinstance(value, dict) and "last" in value:
        return f"{_text(section, value['last'])} (last of {value.get('count')})"
    return str(value)

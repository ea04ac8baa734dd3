"""Own how environments are shown: those of a workspace, what is built on this machine, and one with all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.environments.recipe import without_credentials
from aml_jupyter.views.formats import clock_text, iso_time, size_text
from aml_jupyter.views.html import element, table_html
from aml_jupyter.views.text import Column, printable
from aml_jupyter.views.view import TableView
from aml_jupyter.workspace.definitions import without_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aml_jupyter.environments.packages import Package
    from aml_jupyter.service.environment_facts import BuiltFacts, EnvironmentFacts

__all__ = ["BuiltRow", "EnvironmentRow", "EnvironmentView", "built_table", "environment_table", "environment_view"]

COLUMNS: Final = (
    Column("environment", least=16),
    Column("version", least=8),
    Column("state"),
    Column("size", right=True),
    Column("last used"),
    Column("what it is", least=20),
)
BUILT_COLUMNS: Final = (
    Column("id"),
    Column("size", right=True),
    Column("last used"),
    Column("packages", right=True),
    Column("what it is", least=20),
)
NO_BUILT: Final = "nothing is built; a run that needs an environment builds it, and so does: aml environment build NAME"
NO_ENVIRONMENT: Final = "no environment of this name; aml environment list shows all"
_SHOWN: Final = 12


@dataclass(frozen=True)
class EnvironmentRow:
    """One environment of a workspace in a list."""

    facts: EnvironmentFacts

    def as_json(self) -> dict[str, Any]:
        """Return name, version, state, both ids, and where it lies."""
        facts = self.facts
        built, resolved = facts.built, facts.resolved
        return {
            "id": f"{facts.environment.name}:{facts.environment.version}",
            "name": facts.environment.name,
            "version": facts.environment.version,
            "created_time": iso_time(facts.record.created) if facts.record else None,
            "autosaved": facts.record.autosaved if facts.record else False,
            "curated": facts.record is None,
            "kind": facts.recipe.kind if facts.recipe else "existing",
            "title": _title(facts),
            "state": facts.state,
            "asked_id": facts.recipe.key if facts.recipe else None,
            "resolved_id": resolved.get("lock_key") if resolved else None,
            "resolved_time": iso_time(resolved.get("time")) if resolved else None,
            "size": built.sizes[0] if built else None,
            "size_own": built.sizes[1] if built else None,
            "last_used_time": iso_time(built.last_used) if built else None,
            "path": _place(built) if built else None,
            "image": built.built.facts.get("image") if built else None,
        }

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column."""
        facts, built = self.facts, self.facts.built
        return (
            str(facts.environment.name),
            str(facts.environment.version),
            facts.state,
            size_text(built.sizes[0]) if built else "",
            clock_text(built.last_used) if built else "",
            printable(_title(facts)),
        )


@dataclass(frozen=True)
class BuiltRow:
    """One thing that lies in the cache."""

    facts: BuiltFacts

    def as_json(self) -> dict[str, Any]:
        """Return both ids, what it is, its size, when it was used last, and where it lies."""
        facts = self.facts
        own = facts.built.facts
        return {
            "resolved_id": facts.built.key,
            "asked_ids": list(facts.asked),
            "kind": own.get("kind"),
            "title": own.get("title"),
            "python": own.get("python"),
            "python_version": own.get("version"),
            "packages": len(facts.packages),
            "size": facts.sizes[0],
            "size_own": facts.sizes[1],
            "built_time": iso_time(own.get("built")),
            "build_seconds": own.get("seconds"),
            "last_used_time": iso_time(facts.last_used),
            "path": _place(facts),
            "image": own.get("image"),
        }

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column."""
        facts = self.facts
        return (
            facts.built.key[:12],
            size_text(facts.sizes[0]),
            clock_text(facts.last_used),
            str(len(facts.packages)),
            printable(str(facts.built.facts.get("title") or "")),
        )


@dataclass(frozen=True)
class EnvironmentView:
    """One environment with all that is known of it."""

    facts: EnvironmentFacts

    def as_json(self) -> dict[str, Any]:
        """Return the fields of its row, its packages, what was asked, and its definition without values of variables."""
        facts = self.facts
        entry = facts.entry
        definition = {**facts.environment.to_dict(), "version": facts.environment.version}
        return {
            **EnvironmentRow(facts).as_json(),
            "packages": [package._asdict() for package in facts.packages],
            "asked": without_credentials(facts.recipe.asked) if facts.recipe else None,
            "log_path": str(entry.log) if entry is not None and entry.log.exists() else None,
            "lock_path": str(facts.built.built.lock) if facts.built else None,
            "problem": facts.problem or facts.failure or None,
            "notes": list(facts.notes),
            "definition": without_values({"run_config": definition})["run_config"],
        }

    def _facts(self) -> list[tuple[str, str]]:
        row, facts = EnvironmentRow(self.facts).as_json(), self.facts
        entry, built = facts.entry, facts.built
        saved = "saved by a submit" if row["autosaved"] else "registered"
        log = str(entry.log) if entry is not None and entry.log.exists() else ""
        sizes = f"{size_text(built.sizes[0])}, {size_text(built.sizes[1])} of it shared with no other" if built else ""
        found = [
            (
                saved if facts.record else "curated",
                clock_text(facts.record.created) if facts.record else "by aml-jupyter",
            ),
            ("what it is", _title(facts)),
            ("state", facts.state),
            ("problem", facts.problem or facts.failure),
            ("asked", str(row["asked_id"] or "")),
            ("resolved to", str(row["resolved_id"] or "")),
            ("size", sizes),
            ("last used", clock_text(built.last_used) if built else ""),
            ("path", str(row["path"] or "")),
            ("image", str(row["image"] or "")),
            ("log", log),
            ("packages", _listed(facts.packages)),
            *(("note", note) for note in facts.notes),
        ]
        return [(name, printable(value)) for name, value in found if value]

    def as_text(self, width: int = 80) -> str:
        """Return name and version, and one line for each fact."""
        lines = [f"{self.facts.environment.name}:{self.facts.environment.version}"]
        return "\n".join([*lines, *(f"  {name:<12} {value}" for name, value in self._facts())])

    def as_html(self) -> str:
        """Return name and version and a table of the facts."""
        title = f"{self.facts.environment.name}:{self.facts.environment.version}"
        return element("div", element("b", title), table_html(("", ""), self._facts()))


@dataclass(frozen=True)
class BuiltView:
    """One thing in the cache with its packages."""

    facts: BuiltFacts

    def as_json(self) -> dict[str, Any]:
        """Return the fields of its row, and its packages in place of their number."""
        return {
            **BuiltRow(self.facts).as_json(),
            "packages": [package._asdict() for package in self.facts.packages],
            "lock_path": str(self.facts.built.lock),
        }

    def _facts(self) -> list[tuple[str, str]]:
        facts = self.facts
        found = [
            ("what it is", str(facts.built.facts.get("title") or "")),
            ("asked", ", ".join(facts.asked)),
            ("size", f"{size_text(facts.sizes[0])}, {size_text(facts.sizes[1])} of it shared with no other"),
            ("last used", clock_text(facts.last_used)),
            ("path", _place(facts) or ""),
            ("image", str(facts.built.facts.get("image") or "")),
            ("lock", str(facts.built.lock)),
            ("packages", _listed(facts.packages)),
        ]
        return [(name, printable(value)) for name, value in found if value]

    def as_text(self, width: int = 80) -> str:
        """Return its id, and one line for each fact."""
        return "\n".join([self.facts.built.key, *(f"  {name:<12} {value}" for name, value in self._facts())])

    def as_html(self) -> str:
        """Return its id and a table of the facts."""
        return element("div", element("b", self.facts.built.key), table_html(("", ""), self._facts()))


def environment_table(facts: Sequence[EnvironmentFacts]) -> TableView[EnvironmentRow]:
    """Return a view of environments."""
    return TableView(tuple(map(EnvironmentRow, facts)), COLUMNS, NO_ENVIRONMENT)


def built_table(facts: Sequence[BuiltFacts]) -> TableView[BuiltRow]:
    """Return a view of what lies in the cache."""
    return TableView(tuple(map(BuiltRow, facts)), BUILT_COLUMNS, NO_BUILT)


def environment_view(facts: EnvironmentFacts) -> EnvironmentView:
    """Return a view of one environment."""
    return EnvironmentView(facts)


def built_view(facts: BuiltFacts) -> BuiltView:
    """Return a view of one thing in the cache."""
    return BuiltView(facts)


def _title(facts: EnvironmentFacts) -> str:
    if facts.recipe is not None:
        return facts.recipe.title
    if facts.problem:
        return facts.problem
    python = facts.environment.python
    if python.user_managed_dependencies and python.interpreter_path not in (None, "", "python"):
        return f"{python.interpreter_path} (user-managed)"
    return "the Python that a run is submitted from"


def _place(facts: BuiltFacts) -> str | None:
    """Return the folder of an environment; an image lies in its engine."""
    return None if facts.built.facts.get("image") else str(facts.built.prefix)


def _listed(packages: Sequence[Package]) -> str:
    shown = ", ".join(f"{package.name} {package.version}" for package in packages[:_SHOWN])
    more = len(packages) - _SHOWN
    return f"{len(packages)}: {shown}" + (f" and {more} more (--json has all)" if more > 0 else "") if packages else ""

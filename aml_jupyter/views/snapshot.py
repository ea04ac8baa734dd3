"""Own the views of a snapshot before it is taken, and of what differs between two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aml_jupyter.views.formats import size_text
from aml_jupyter.views.html import COLOURS, FAINT, Html, element, table_html
from aml_jupyter.views.text import Column, clip, printable, table_text, wrap

if TYPE_CHECKING:
    from aml_jupyter.workspace.snapshots import Change, Ignored, SnapshotDifference, SnapshotPreview

__all__ = ["DifferenceView", "SnapshotView", "difference_view", "snapshot_view"]

LISTED = 20


@dataclass(frozen=True)
class SnapshotView:
    """Say what a submit of a folder would copy, and what it leaves out."""

    preview: SnapshotPreview

    def as_json(self) -> dict[str, Any]:
        """Return number, size, biggest files and folders, what is ignored by which rule, and why it would be refused."""
        preview = self.preview
        return {
            "source": _shown(preview.source),
            "files": preview.files,
            "size": preview.size,
            "changed_files": preview.changed_files,
            "biggest": [{"name": _shown(name), "size": size} for name, size in preview.biggest],
            "biggest_folders": [{"name": _shown(name), "size": size} for name, size in preview.biggest_folders],
            "ignore_file": preview.ignore_file,
            "ignored": [{"name": _shown(entry.path), "rule": _rule(entry)} for entry in preview.ignored],
            "notes": [_shown(note) for note in preview.notes],
            "limit_bytes": preview.limit_bytes,
            "limit_files": preview.limit_files,
            "refusal": preview.refusal or None,
        }

    def _head(self) -> str:
        preview = self.preview
        rules = preview.ignore_file or "no ignore file"
        return (
            f"{_shown(preview.source)}: {preview.files:,} files, {size_text(preview.size)}, "
            f"{preview.changed_files:,} new or changed ({rules})"
        )

    def as_text(self, width: int = 80) -> str:
        """Return counts, biggest files, ignored entries and notes."""
        preview = self.preview
        parts = [printable(self._head())]
        if preview.refusal:
            parts.append(wrap("a submit would be refused: " + printable(preview.refusal), width))
        if preview.biggest:
            rows = [[_shown(name), size_text(size)] for name, size in preview.biggest]
            parts.append("biggest\n" + _body((Column("", least=20), Column("", right=True)), rows, width))
        if preview.ignored:
            rows = [[_shown(entry.path), _rule(entry)] for entry in preview.ignored[:LISTED]]
            more = _more(len(preview.ignored))
            parts.append("ignored\n" + _body((Column("", least=20), Column("", least=12)), rows, width) + more)
        if preview.notes:
            parts.append(
                "notes\n" + "\n".join("  " + clip(printable(_shown(note)), width - 2) for note in preview.notes)
            )
        return "\n".join(parts)

    def as_html(self) -> str:
        """Return the same as tables."""
        preview = self.preview
        return element(
            "div",
            element("b", self._head()),
            element("div", preview.refusal, style=f"color:{COLOURS['bad']}") if preview.refusal else None,
            _details("biggest", ("file", "size"), [(_shown(n), size_text(s)) for n, s in preview.biggest]),
            _details("ignored", ("name", "rule"), [(_shown(e.path), _rule(e)) for e in preview.ignored[:LISTED]]),
            *(element("div", _shown(note), style=FAINT) for note in preview.notes),
        )


@dataclass(frozen=True)
class DifferenceView:
    """Say what was added, removed and changed since a run was submitted."""

    run: str
    difference: SnapshotDifference

    def as_json(self) -> dict[str, Any]:
        """Return added, removed and changed names with their sizes before and after."""

        def names(changes: Sequence[Change]) -> list[dict[str, Any]]:
            return [
                {"name": _shown(change.path), "old_size": change.old_size, "new_size": change.new_size}
                for change in changes
            ]

        return {
            "run": self.run,
            "added": names(self.difference.added),
            "removed": names(self.difference.removed),
            "changed": names(self.difference.changed),
            "notes": [_shown(note) for note in self.difference.notes],
        }

    def _rows(self) -> list[tuple[str, str, str]]:
        rows = [("+", _shown(each.path), size_text(each.new_size or 0)) for each in self.difference.added]
        rows += [("-", _shown(each.path), size_text(each.old_size or 0)) for each in self.difference.removed]
        rows += [
            ("~", _shown(each.path), f"{size_text(each.old_size or 0)} -> {size_text(each.new_size or 0)}")
            for each in self.difference.changed
        ]
        return rows

    def as_text(self, width: int = 80) -> str:
        """Return one line for each name: ``+`` added, ``-`` removed, ``~`` changed."""
        rows = self._rows()
        if not rows:
            return f"nothing changed since run {self.run}"
        counts = Counter(row[0] for row in rows)
        head = f"since run {self.run}: {counts['+']} added, {counts['-']} removed, {counts['~']} changed"
        return f"{head}\n" + _body((Column(""), Column("", least=20), Column("", right=True)), rows, width)

    def as_html(self) -> str:
        """Return the same as a table."""
        if not self._rows():
            return element("div", self.as_text())
        return table_html(("", "name", "size"), self._rows(), right=(2,))


def snapshot_view(preview: SnapshotPreview) -> SnapshotView:
    """Return the view of what a submit would copy."""
    return SnapshotView(preview)


def difference_view(run: str, difference: SnapshotDifference) -> DifferenceView:
    """Return the view of what changed since `run` was submitted."""
    return DifferenceView(run, difference)


def _rule(entry: Ignored) -> str:
    rule = entry.rule
    return _shown(f"{rule.origin}:{rule.line}: {rule.text}" if rule.line else f"{rule.origin}: {rule.text}")


def _shown(text: str) -> str:
    """Return a name that can be printed anywhere: bytes that are not UTF-8 appear as ``\\xff``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _body(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> str:
    """Return a table without its heading, indented."""
    return "\n".join("  " + line for line in table_text(columns, rows, width - 2).splitlines()[1:])


def _more(count: int) -> str:
    return f"\n  and {count - LISTED:,} more (--json names all)" if count > LISTED else ""


def _details(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Html | None:
    return element("details", element("summary", heading), table_html(columns, rows)) if rows else None

"""Own how a folder of SDK v1 files and scripts is judged: what works as it is, what differs, what is not here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from aml_jupyter.views.html import colour_of, element, table_html
from aml_jupyter.views.text import printable, wrap

__all__ = ["STATUSES", "DoctorReport", "Finding"]

STATUSES: Final = ("works", "differs", "missing", "broken")
"""Worst last: used as it stands; used, with another effect; not here; the file itself is wrong."""

_STATE: Final = {"works": "Completed", "differs": "Queued", "missing": "Failed", "broken": "Failed"}


@dataclass(frozen=True, order=True)
class Finding:
    """One use of something of SDK v1's, and what becomes of it here."""

    file: str
    line: int
    what: str
    status: str
    text: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the finding under stable names."""
        return {"file": self.file, "line": self.line, "what": self.what, "status": self.status, "text": self.text}


@dataclass(frozen=True)
class DoctorReport:
    """What `aml doctor` found in a folder."""

    folder: str
    findings: tuple[Finding, ...]
    files: int
    notes: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Tell whether nothing has to be changed: what works with another effect is listed, and is no mistake."""
        return all(finding.status in ("works", "differs") for finding in self.findings)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each status."""
        found = Counter(finding.status for finding in self.findings)
        return {status: found[status] for status in STATUSES}

    def verdict(self) -> str:
        """Return the report in one line."""
        counts, total = self.counts, len(self.findings)
        if not total:
            return f"nothing of SDK v1 was found in {self.files} files"
        rest = [f"{counts[status]} {text}" for status, text in _SAID if counts[status]]
        return f"{counts['works']} of {total} uses in {self.files} files work as they are" + "".join(
            f"; {part}" for part in rest
        )

    def as_json(self) -> dict[str, Any]:
        """Return folder, counts and every finding."""
        return {
            "folder": self.folder,
            "files": self.files,
            "good": self.good,
            "counts": self.counts,
            "findings": [finding.as_json() for finding in self.findings],
            "notes": list(self.notes),
        }

    def as_text(self, width: int = 80) -> str:
        """Return what does not work as it is, by file and line, and the verdict."""
        lines = []
        for finding in self.findings:
            if finding.status != "works":
                place = f"{finding.file}:{finding.line}" if finding.line else finding.file
                lines.append(f"{place}: {finding.status}: {printable(finding.what)}")
                if finding.text:
                    lines.append(wrap(printable(finding.text), width, "    "))
        lines += [f"note: {printable(note)}" for note in self.notes]
        return "\n".join([*lines, self.verdict()])

    def as_html(self) -> str:
        """Return a table of what does not work as it is, and the verdict."""
        rows = [
            [
                f"{finding.file}:{finding.line}" if finding.line else finding.file,
                element("span", finding.status, style=f"color:{colour_of(_STATE[finding.status])}"),
                finding.what,
                finding.text,
            ]
            for finding in self.findings
            if finding.status != "works"
        ]
        table = table_html(["where", "", "what", "what to do"], rows) if rows else None
        return element("div", table, element("p", self.verdict()))


_SAID: Final = (
    ("differs", "work with another effect"),
    ("missing", "are not here"),
    ("broken", "files are wrong"),
)

"""Say what a check or a rebuild of a workspace found."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """Say what was looked at, and what is wrong.

    Attributes
    ----------
    title : str
        What was done to which workspace.
    counts : dict of str to int
        How many of each thing were found.
    problems : list of str
        One line for each thing that is wrong.
    notes : list of str
        What is worth knowing besides.
    """

    title: str
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        lines = [self.title]
        if self.counts:
            width = max(len(str(count)) for count in self.counts.values())
            lines += [f"  {count:>{width}} {name}" for name, count in self.counts.items()]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  problem: {problem}" for problem in self.problems]
        lines.append("No problems found." if self.is_clean else f"{len(self.problems)} problems found.")
        return "\n".join(lines)

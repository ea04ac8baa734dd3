"""Say between which numbers a field lies, where its type alone does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["LARGEST", "Between"]

LARGEST: Final = 2**53
"""The largest whole number that JSON carries unharmed everywhere; also keeps out infinity and not-a-number."""


@dataclass(frozen=True)
class Between:
    """Bound a number, both ends included."""

    least: int
    most: int = LARGEST

    def __str__(self) -> str:
        return f"of at least {self.least:,}" if self.most == LARGEST else f"from {self.least:,} to {self.most:,}"

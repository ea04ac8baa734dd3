"""Collect what a person should know about a snapshot: what was left out or treated in a special way, and why."""

from __future__ import annotations

__all__ = ["Notes", "shown", "size_text"]

_LISTED = 20


class Notes:
    """Gather notes by kind, so that a thousand of one kind do not bury the others."""

    def __init__(self) -> None:
        self._kinds: dict[str, set[str]] = {}

    def add(self, kind: str, path: str, detail: str = "") -> None:
        """Remember that `kind` (a clause such as "is a socket: left out") applies to `path`."""
        self._kinds.setdefault(kind, set()).add(f"{shown(path)} {kind}{shown(detail)}")

    def lines(self) -> tuple[str, ...]:
        """Return one line a note, sorted by kind and path; at most 20 of a kind, then how many more."""
        lines: list[str] = []
        for kind, entries in sorted(self._kinds.items()):
            lines += sorted(entries)[:_LISTED]
            if len(entries) > _LISTED:
                lines.append(f"... and {len(entries) - _LISTED} more of this kind: {kind}")
        return tuple(lines)


def shown(path: str) -> str:
    """Return a name that can be printed anywhere: bytes that are not UTF-8 appear as ``\\xff``."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def size_text(size: float) -> str:
    """Return a size in bytes as people say it, for example ``"1.5 MB"``."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"

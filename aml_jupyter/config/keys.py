"""Match the keys of files to the attributes of objects: camelCase, snake_case and any capitals are one name."""

from __future__ import annotations


def folded(name: str) -> str:
    """Return the form in which names are compared: no case, no underscores."""
    return name.replace("_", "").lower()


def camel(name: str) -> str:
    """Return the key that a file uses for a snake_case attribute."""
    first, *rest = name.strip("_").split("_")
    return first + "".join(word.title() for word in rest)

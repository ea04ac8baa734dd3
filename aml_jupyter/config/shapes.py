"""Say in JSON Schema what a single value of a file may look like; as lenient as `reading` is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT: Mapping[str, Any] = {"type": ["string", "number", "boolean"]}
OPTIONAL_TEXT: Mapping[str, Any] = {"type": ["string", "number", "boolean", "null"]}
TRUTH: Mapping[str, Any] = {
    "anyOf": [{"type": ["boolean", "null"]}, {"enum": [0, 1]}, {"type": "string", "pattern": "^[A-Za-z01]+$"}]
}
COMMAND: Mapping[str, Any] = {"type": ["string", "array", "null"]}
PLAIN_MAP: Mapping[str, Any] = {"type": ["object", "null"]}


def whole(minimum: int | None = None) -> dict[str, Any]:
    """Return the schema of a whole number, which may be given as text."""
    number: dict[str, Any] = {"type": ["integer", "null"]}
    if minimum is not None:
        number["minimum"] = minimum
    return {"anyOf": [number, {"type": "string", "pattern": "^\\s*[-+]?[0-9][0-9_]*\\s*$"}]}


def one_of(names: tuple[str, ...]) -> dict[str, Any]:
    """Return the schema of one of some names, whatever its case."""
    pattern = "|".join("".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in name) for name in names)
    return {"anyOf": [{"enum": [*names, None]}, {"type": "string", "pattern": f"^({pattern})$"}]}

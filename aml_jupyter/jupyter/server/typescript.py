"""Make the TypeScript types of the HTTP API's answers, so that the run view and the panel cannot drift from the views.

``python -m aml_jupyter.jupyter.server.typescript labextension/src/view/api.ts`` writes them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import answers, bodies
from .schema import Schemas

__all__ = ["declarations"]

HEAD = """// What the HTTP API takes and answers. Made by `python -m aml_jupyter.jupyter.server.typescript
// labextension/src/view/api.ts` from the types that the server itself is written in; do not edit.
// Longer than 400 lines: it is made.
"""
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def declarations() -> str:
    """Return the text of the file."""
    schemas = Schemas()
    for name in (*answers.__all__, "SubmitBody", "AttachTargetBody", "CreateTargetBody", "UpdateTargetBody"):
        if name != "OpenApiAnswer":
            schemas.of(getattr(answers, name, None) or getattr(bodies, name))
    return "\n".join([HEAD, *(_interface(name, schema) for name, schema in sorted(schemas.named.items()))])


def _interface(name: str, schema: dict[str, Any]) -> str:
    return "\n".join([f"/** {schema['description']} */", f"export interface {name} {{", *_fields(schema), "}", ""])


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    required = schema.get("required", [])
    for name, kind in schema["properties"].items():
        if note := kind.get("description"):
            yield f"  /** {note} */"
        yield f"  {name}{'' if name in required else '?'}: {_type(kind)};"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(json.dumps(choice) for choice in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_type(choice) for choice in schema["anyOf"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_type({"type": each}) for each in kind)
    if kind == "array":
        content = _type(schema.get("items", {}))
        return f"({content})[]" if "|" in content else f"{content}[]"
    if kind == "object":
        return f"Record<string, {_type(schema.get('additionalProperties', {}))}>"
    return _PLAIN[kind] if kind else "unknown"


def main(words: list[str]) -> int:
    """Write the types into the file that `words` name."""
    if len(words) != 1:
        print("one file is needed: labextension/src/view/api.ts", file=sys.stderr)
        return 2
    Path(words[0]).write_text(declarations(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

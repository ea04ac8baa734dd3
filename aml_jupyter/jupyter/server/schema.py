"""Make JSON Schemas of the dataclasses and typed dictionaries that the HTTP API is written in."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import textwrap
import types
import typing
from typing import Annotated, Any, Literal, Union

from .bounds import LARGEST

__all__ = ["Schemas", "field_notes"]

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}


class Schemas:
    """Collect the schemas of the named types that were asked for, each once."""

    def __init__(self) -> None:
        self.named: dict[str, Any] = {}

    def of(self, hint: Any) -> dict[str, Any]:
        """Return the schema of a type; a dataclass or typed dictionary becomes a reference."""
        if hint in _PLAIN:
            return dict(_PLAIN[hint])
        if hint is int:
            return {"type": "integer"}
        if hint is float:
            return {"type": "number"}
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        if origin is Annotated:
            return self._bounded(hint)
        if origin in (Union, types.UnionType):
            return self._one_of([self.of(choice) for choice in inner])
        if origin is Literal:
            return {"type": "string", "enum": list(inner)}
        if origin is list:
            return {"type": "array", "items": self.of(inner[0])}
        if origin is dict:
            content = self.of(inner[1])
            return {"type": "object", **({"additionalProperties": content} if content else {})}
        return self._reference(hint)

    def sent(self, hint: Any) -> dict[str, Any]:
        """Return the schema of what a client sends: numbers within the bounds that JSON carries unharmed."""
        return _with_bounds(self.of(hint))

    def _bounded(self, hint: Any) -> dict[str, Any]:
        found = self.of(hint.__origin__)
        for bound in hint.__metadata__:
            found |= {"minimum": bound.least, "maximum": bound.most}
        return found

    def _one_of(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        if all(set(choice) == {"type"} for choice in choices):
            return {"type": [choice["type"] for choice in choices]}
        return {"anyOf": choices}

    def _reference(self, kind: Any) -> dict[str, Any]:
        name = kind.__name__
        if name not in self.named:
            self.named[name] = {}  # holds the place while its own fields are asked for
            is_sent = dataclasses.is_dataclass(kind)
            self.named[name] = self._sent_object(kind) if is_sent else self._answered_object(kind)
        return {"$ref": f"#/components/schemas/{name}"}

    def _sent_object(self, kind: Any) -> dict[str, Any]:
        notes, hints = field_notes(kind), typing.get_type_hints(kind, include_extras=True)
        properties, required = {}, []
        for field in dataclasses.fields(kind):
            shown = self.sent(hints[field.name])
            if field.default is not dataclasses.MISSING:
                shown["default"] = field.default
            elif field.default_factory is not dataclasses.MISSING:
                shown["default"] = field.default_factory()
            else:
                required.append(field.name)
            properties[field.name] = _noted(shown, notes.get(field.name))
        return _object(kind, properties, required) | {"additionalProperties": False}

    def _answered_object(self, kind: Any) -> dict[str, Any]:
        notes, hints = field_notes(kind), typing.get_type_hints(kind, include_extras=True)
        properties = {name: _noted(self.of(hint), notes.get(name)) for name, hint in hints.items()}
        return _object(kind, properties, sorted(kind.__required_keys__, key=list(hints).index))


def field_notes(kind: Any) -> dict[str, str]:
    """Return the text that stands below each field of a class, those of the classes it is made of included."""
    notes: dict[str, str] = {}
    bases = getattr(kind, "__orig_bases__", ())
    for base in bases:
        if inspect.isclass(base):
            notes |= field_notes(base)
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    except (OSError, TypeError, SyntaxError):
        return notes
    statements = getattr(body, "body", [])
    for field, text in itertools.pairwise(statements):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(note))):
                notes[name] = " ".join(note.split())
    return notes


def _object(kind: Any, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    said = {"type": "object", "description": " ".join((kind.__doc__ or "").split()), "properties": properties}
    return {**said, "required": required} if required else said


def _noted(schema: dict[str, Any], note: str | None) -> dict[str, Any]:
    return {**schema, "description": note} if note else schema


def _with_bounds(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema whose numbers have the bounds that every number of a body has."""
    shown = dict(schema)
    kinds = shown.get("type")
    if {"integer", "number"} & set(kinds if isinstance(kinds, list) else [kinds]):
        shown.setdefault("minimum", -LARGEST)
        shown.setdefault("maximum", LARGEST)
    for name in ("items", "additionalProperties"):
        if isinstance(shown.get(name), dict):
            shown[name] = _with_bounds(shown[name])
    if "anyOf" in shown:
        shown["anyOf"] = [_with_bounds(choice) for choice in shown["anyOf"]]
    return shown

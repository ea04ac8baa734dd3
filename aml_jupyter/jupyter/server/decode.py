"""Turn what a client sent into a typed dataclass, or refuse it by the name of the field.

Owns the rules for JSON bodies and query strings; what the fields mean stands in `bodies`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, Union

from aml_jupyter.errors import UserErrorException, nearest

from .bounds import LARGEST

__all__ = ["decode", "decode_query", "read_json"]

T = TypeVar("T")

_WORDS = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def read_json(body: bytes) -> Any:
    """Return what a JSON body says; no body at all is an empty object.

    Raises
    ------
    UserErrorException
        When it is not JSON in UTF-8, is nested too deeply, or holds what is no Unicode text.
    """
    if not body:
        return {}
    try:
        data = json.loads(body.decode("utf-8"))
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise UserErrorException(f"The body is not UTF-8: {error.reason} at byte {error.start}.", "body") from error
    except UnicodeEncodeError as error:
        raise UserErrorException(
            "The body holds half of a surrogate pair, which is no Unicode text.", "body"
        ) from error
    except RecursionError as error:
        raise UserErrorException("The body is nested too deeply.", "body") from error
    except ValueError as error:
        raise UserErrorException(f"Invalid JSON in the body: {error}.", "body") from error
    return data


def decode(kind: type[T], data: Any) -> T:
    """Build the dataclass `kind` from the JSON value `data`.

    Raises
    ------
    UserErrorException
        Naming the field, its value and what was expected: a field is unknown, missing, or of another type.
    """
    if not isinstance(data, Mapping):
        raise UserErrorException(f"The body must be a JSON object, not {_shown(data)}.", "body")
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in data:
        if name not in fields:
            raise UserErrorException(f"There is no field '{name}': {nearest(str(name), list(fields))}.", str(name))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _convert(name, data[name], hints[name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UserErrorException(f"The field '{name}' is missing.", name)
    return kind(**values)


def decode_query(kind: type[T], arguments: Mapping[str, list[bytes]]) -> T:
    """Build the dataclass `kind` from a query string; of a repeated name the last one counts.

    Names that Jupyter itself adds to a URL (``token``, ``no_track_activity``, ``_``) are passed over.
    """
    hints = typing.get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    for name, given in arguments.items():
        if name in {"token", "no_track_activity", "_"} or not given:
            continue
        text = given[-1].decode("utf-8", "replace")
        values[name] = _from_text(name, text, hints.get(name, str))
    return decode(kind, values)


def _from_text(name: str, text: str, hint: Any) -> Any:
    wanted = [_bare(choice) for choice in _choices(hint)]
    if bool in wanted:
        words = {"true": True, "1": True, "false": False, "0": False}
        if text.lower() not in words:
            raise UserErrorException(f"{name}={text!r} is not true or false.", name)
        return words[text.lower()]
    for number in (int, float):
        if number in wanted:
            try:
                return number(text)
            except ValueError:
                raise UserErrorException(f"{name}={text!r} is not {_WORDS[number]}.", name) from None
    return text


def _bare(hint: Any) -> Any:
    """Return a type without its bounds."""
    return hint.__origin__ if typing.get_origin(hint) is Annotated else hint


def _choices(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _convert(name: str, value: Any, hint: Any) -> Any:
    choices = _choices(hint)
    for choice in choices:
        if _fits(value, choice):
            return float(value) if _bare(choice) is float else value
    expected = " or ".join(_phrase(choice) for choice in choices)
    if isinstance(value, int | float) and abs(value) > LARGEST:
        expected += f" of at most {LARGEST:,}"
    raise UserErrorException(f"The field '{name}' is {_shown(value)}; expected {expected}.", name)


def _fits(value: Any, hint: Any) -> bool:
    if hint is Any:
        return _is_finite(value)
    if typing.get_origin(hint) is Annotated:
        return _fits(value, _bare(hint)) and all(bound.least <= value <= bound.most for bound in hint.__metadata__)
    if hint is type(None):
        return value is None
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return isinstance(value, list) and all(any(_fits(v, c) for c in _choices(inner[0])) for v in value)
    if origin is dict:
        return isinstance(value, dict) and all(any(_fits(v, c) for c in _choices(inner[1])) for v in value.values())
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    return isinstance(value, hint)


def _is_finite(value: Any) -> bool:
    """Tell whether every number in a value is one: Python's reader of JSON takes NaN and infinities, too."""
    if isinstance(value, dict):
        return all(_is_finite(entry) for entry in value.values())
    if isinstance(value, list):
        return all(_is_finite(entry) for entry in value)
    return not isinstance(value, float) or math.isfinite(value)


def _phrase(hint: Any) -> str:
    if hint is type(None):
        return "null"
    if typing.get_origin(hint) is Annotated:
        return " ".join([_phrase(_bare(hint)), *map(str, hint.__metadata__)])
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (list, dict):
        element = inner[-1]
        if element is Any:
            return f"{_WORDS[origin]} without NaN and infinities"
        return f"{_WORDS[origin]} whose values are each {' or '.join(_phrase(c) for c in _choices(element))}"
    return _WORDS.get(hint, str(hint))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""Read single values the way a person means them, and say where a wrong one stands.

Owns the position of a value (file, line, key) and the readers of scalars; knows no section and no file format.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aml_jupyter.errors import ConfigurationError

_TRUE = {"true", "yes", "on", "1", "y", "t"}
_FALSE = {"false", "no", "off", "0", "n", "f"}
_MOST_VALUES = 100_000


class OwnNames(dict[str, Any]):
    """Mark a mapping whose keys are names that the user chose: they are never renamed nor matched loosely."""


class Place:
    """Say where a value stands: the file it was read from, the keys that lead to it, and its line (from 1).

    Parameters
    ----------
    source : str, optional
        The file.
    keys : tuple of str
        The keys from the top to the value.
    notes : list of str, optional
        Collects what was noticed while reading; shared by all places of one file.
    folders : tuple of str
        The folders that a relative path in the file may start at, the likelier one first.
    """

    __slots__ = ("budget", "depth", "folders", "keys", "line", "notes", "source")

    def __init__(
        self,
        source: str | None = None,
        keys: tuple[str, ...] = (),
        notes: list[str] | None = None,
        folders: tuple[str, ...] = (),
    ) -> None:
        self.source = source
        self.keys = keys
        self.line: int | None = None
        self.notes = [] if notes is None else notes
        self.folders = folders
        self.budget = [_MOST_VALUES]
        self.depth = 0

    def child(self, key: str, parent: Any = None) -> Place:
        """Return the place of the value under `key` of `parent` (which knows its lines if it came from a file)."""
        return self._deeper((*self.keys, key), line_of(parent, key))

    def item(self, index: int, parent: Any = None) -> Place:
        """Return the place of the item at `index` of the list `parent`."""
        keys = (*self.keys[:-1], f"{self.keys[-1]}[{index}]") if self.keys else (f"[{index}]",)
        return self._deeper(keys, line_of(parent, index))

    def _deeper(self, keys: tuple[str, ...], line: int | None) -> Place:
        deeper = Place(self.source, keys, self.notes, self.folders)
        deeper.line = line or self.line
        deeper.budget = self.budget
        deeper.depth = self.depth + 1
        return deeper

    @property
    def key(self) -> str:
        """Return the dotted key, for example ``environment.python.interpreterPath``."""
        return printable(".".join(self.keys))

    def __str__(self) -> str:
        parts = [self.source] if self.source else []
        if self.source and self.line is not None:
            parts.append(f"line {self.line}")
        if self.key:
            parts.append(self.key)
        return ", ".join(parts)

    def refusal(self, expected: str, found: Any) -> ConfigurationError:
        """Return the error that names this place, what was expected and what was found."""
        return ConfigurationError(f"{self}: expected {expected}, found {show(found)}.", field=self.key or None)

    def note(self, text: str) -> None:
        """Remember something that the person should hear about but that stops nothing."""
        self.notes.append(f"{self}: {text}")


def line_of(parent: Any, key: str | int) -> int | None:
    """Return the line (from 1) on which a key or an item of a parsed YAML collection stands, if it is known."""
    lines = getattr(parent, "lc", None)
    data = getattr(lines, "data", None)
    if not data or key not in data:
        return None
    return int(data[key][0]) + 1


def warn(message: str) -> None:
    """Tell the person something that stops nothing, through the log ``aml_jupyter.config``."""
    import logging

    logging.getLogger("aml_jupyter.config").warning("%s", message)


def show(value: Any) -> str:
    """Return a short text of a value for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping (" + _cut(printable(", ".join(str(key) for key in value))) + ")"
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return _cut(repr(list(value)))
    if isinstance(value, (str, int, float)):
        return _cut(repr(_plain_scalar(value)))
    return f"{_cut(repr(value))} ({type(value).__name__})"


def printable(text: str) -> str:
    """Return a text on one line: what cannot be shown stands as its escape, such as ``\\n``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _cut(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _plain_scalar(value: Any) -> Any:
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def read_text(value: Any, place: Place) -> str:
    """Return a value as text; numbers and dates are taken as they are written."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, int)):
        return str(_plain_scalar(value))
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, os.PathLike):
        return os.fspath(value) if isinstance(os.fspath(value), str) else os.fsdecode(value)
    if callable(getattr(value, "isoformat", None)):
        return str(value)
    number = getattr(value, "item", None)  # a numpy scalar
    if callable(number) and getattr(value, "shape", None) == ():
        return read_text(number(), place)
    raise place.refusal("text", value)


def read_boolean(value: Any, place: Place) -> bool:
    """Return a truth value; ``"false"``, ``"no"``, ``"off"`` and ``0`` are false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (str, int)):
        word = str(value).strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise place.refusal("true or false", value)


def read_number(value: Any, place: Place, minimum: int | None = None) -> int:
    """Return a whole number; text such as ``"4"`` and ``4.0`` are taken as 4."""
    expected = "a whole number" + ("" if minimum is None else f" of at least {minimum}")
    number = _whole(value)
    if number is None or (minimum is not None and number < minimum):
        raise place.refusal(expected, value)
    return number


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, str):
        try:
            return int(value.strip().replace("_", ""))
        except ValueError:
            return None
    return None


def read_decimal(value: Any, place: Place) -> float:
    """Return a number that may have a fraction."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    raise place.refusal("a number", value)


def read_choice(value: Any, place: Place, names: tuple[str, ...]) -> str:
    """Return the one of `names` that the value means, whatever its case."""
    if isinstance(value, str):
        for name in names:
            if name.lower() == value.strip().lower():
                return name
    raise place.refusal(f"one of {', '.join(names)}", value)


def read_strings(value: Any, place: Place) -> list[str]:
    """Return a list of texts; numbers become text, lists inside the list are refused."""
    if isinstance(value, str) or not isinstance(value, (list, tuple)):
        hint = " (write each word as an item of its own)" if isinstance(value, str) and " " in value else ""
        raise place.refusal("a list" + hint, value)
    texts = []
    for index, entry in enumerate(value):
        there = place.item(index, value)
        if entry is None or isinstance(entry, (list, tuple, set, Mapping)):
            raise there.refusal("text or a number", entry)
        texts.append(read_text(entry, there))
    return texts


def read_mapping(value: Any, place: Place) -> Mapping[Any, Any]:
    """Return the value, which must be a mapping of keys to values."""
    if not isinstance(value, Mapping):
        raise place.refusal("a mapping (key: value)", value)
    return value


def own_entries(value: Any, place: Place) -> Iterator[tuple[str, Any, Place]]:
    """Yield (name, value, place) for each entry of a mapping whose names the user chose."""
    for name, entry in read_mapping(value, place).items():
        if name is None or isinstance(name, (list, tuple, Mapping)):
            raise place.refusal("a name as the key", name)
        text = read_text(name, place)
        yield text, entry, place.child(text, value)


def read_variables(value: Any, place: Place) -> OwnNames:
    """Return environment variables as text to text; names keep their case, an empty value is the empty text."""
    variables = OwnNames()
    for name, entry, there in own_entries(value, place):
        if not name or "=" in name or "\0" in name:
            raise there.refusal("a variable's name without '=' or NUL", name)
        text = "" if entry is None else read_text(entry, there)
        if "\0" in text:
            raise there.refusal("a value without NUL", text)
        variables[name] = text
    return variables


def read_plain(value: Any, place: Place) -> Any:
    """Return free-form data (mappings, lists, scalars) as plain Python values."""
    place.budget[0] -= 1
    if place.budget[0] < 0 or place.depth > 100:
        top = place.keys[0]
        raise ConfigurationError(
            f"{place.source or 'the value'}, {top}: expected plain data, found more than {_MOST_VALUES} values or a value "
            "that contains itself (YAML anchors?). Write it out.",
            field=top,
        )
    if isinstance(value, Mapping):
        return OwnNames((name, read_plain(entry, there)) for name, entry, there in own_entries(value, place))
    if isinstance(value, (list, tuple)):
        return [read_plain(entry, place.item(index, value)) for index, entry in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return _plain_scalar(value)
    return read_text(value, place)

"""Declare the fields of a configuration section once: attribute, key in files, kind of value, default.

A `Section` reads itself from a mapping, writes itself as a mapping, and refuses attributes that it does not have.
Knows no particular section.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar, cast, overload

from aml_jupyter.config.keys import camel, folded
from aml_jupyter.config.reading import (
    OwnNames,
    Place,
    own_entries,
    read_boolean,
    read_choice,
    read_decimal,
    read_mapping,
    read_number,
    read_plain,
    read_strings,
    read_text,
    read_variables,
)
from aml_jupyter.config.shapes import OPTIONAL_TEXT, PLAIN_MAP, TEXT, TRUTH, one_of, whole
from aml_jupyter.errors import ConfigurationError, nearest

T = TypeVar("T")
S = TypeVar("S", bound="Section")


class Field(Generic[T]):
    """Describe one attribute of a section.

    Parameters
    ----------
    read : callable
        Turns what a person wrote into the value, or refuses it at its place.
    default : callable
        Makes the value of a new object.
    absent : callable, optional
        Makes the value where a file has the section but not this key; `default` unless given.
    key : str, optional
        The key in files; the attribute's name in camelCase unless given.
    omit : callable, optional
        Says of a value that it is not written.
    secret : bool
        The value is kept in memory only: it is never written and never shown.
    write : callable, optional
        Turns the value into plain data, where that takes more than writing nested sections.
    aliases : tuple of str
        Other keys that files have had for the same thing.
    schema : dict or Section class, optional
        What files may say here, as JSON Schema; a class stands for the schema of its own fields.
    """

    def __init__(
        self,
        read: Callable[[Any, Place], T],
        default: Callable[[], T],
        absent: Callable[[], T] | None = None,
        key: str | None = None,
        omit: Callable[[T], bool] | None = None,
        secret: bool = False,
        write: Callable[[T], Any] | None = None,
        aliases: tuple[str, ...] = (),
        schema: Mapping[str, Any] | type[Section] | None = None,
    ) -> None:
        self.read = read
        self.default = default
        self.absent = absent or default
        self.key = key or ""
        self.omit = omit
        self.secret = secret
        self.write = write
        self.aliases = aliases
        self.schema = schema if schema is not None else {}
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.key = self.key or camel(name)

    @overload
    def __get__(self, instance: None, owner: type) -> Field[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | Field[T]:
        if instance is None:
            return self
        return cast("T", instance.__dict__[self.name])

    def __set__(self, instance: Any, value: Any) -> None:
        place = Place(keys=(f"{type(instance).__name__}.{self.name.lstrip('_')}",))
        instance.__dict__[self.name] = self.read(value, place)

    def written(self, instance: Section, unknown: bool) -> Any:
        """Return the value as plain data; it is read again, for lists and maps may have been changed in place."""
        if self.secret:
            return None
        place = Place(keys=(f"{type(instance).__name__}.{self.name.lstrip('_')}",))
        value = self.read(instance.__dict__[self.name], place)
        return self.write(value) if self.write else _plain(value, unknown)


def _plain(value: Any, unknown: bool) -> Any:
    if isinstance(value, Section):
        return value._write(unknown)
    if isinstance(value, OwnNames):
        return OwnNames((name, _plain(entry, unknown)) for name, entry in value.items())
    if isinstance(value, list):
        return [_plain(entry, unknown) for entry in value]
    return value


def _can_be_set(kind: type, name: str) -> bool:
    attribute = getattr(kind, name, None)
    return isinstance(attribute, Field) or (isinstance(attribute, property) and attribute.fset is not None)


class Section:
    """Hold the values of one section of a configuration.

    Unknown keys of a file are kept, and written back; unknown attributes are refused with the nearest known name.
    """

    _fields: ClassVar[tuple[Field[Any], ...]] = ()
    _kept_silently: ClassVar[frozenset[str]] = frozenset()
    _explained: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Switches that are kept without effect -> what is said where one is on."""
    _unknown: dict[str, Any]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = tuple(entry for entry in vars(cls).values() if isinstance(entry, Field))
        names = {entry.name for entry in own}
        cls._fields = (*(entry for entry in cls._fields if entry.name not in names), *own)

    def __init__(self) -> None:
        self.__dict__["_unknown"] = OwnNames()
        for entry in self._fields:
            self.__dict__[entry.name] = entry.default()

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not _can_be_set(type(self), name):
            raise AttributeError(self._no_attribute(name))
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name if name.startswith("__") else self._no_attribute(name))

    def _no_attribute(self, name: str) -> str:
        known = [known for known in dir(type(self)) if not known.startswith("_") and _can_be_set(type(self), known)]
        return f"{type(self).__name__} has no attribute {name!r}; {nearest(name, known)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the section as plain data, in the order and with the keys of SDK v1's files."""
        return self._write(unknown=True)

    def _write(self, unknown: bool) -> dict[str, Any]:
        written = {
            entry.key: entry.written(self, unknown)
            for entry in self._fields
            if entry.omit is None or not entry.omit(self.__dict__[entry.name])
        }
        return {**written, **self._unknown} if unknown else written

    @classmethod
    def _read(cls: type[S], value: Any, place: Place) -> S:
        """Return the section that a mapping describes; keys match whatever their case and form."""
        if isinstance(value, cls):
            return value
        if isinstance(value, Section):
            raise place.refusal(f"{cls.__name__}", value)
        section = cls.__new__(cls)
        Section.__init__(section)
        for entry in cls._fields:
            section.__dict__[entry.name] = entry.absent()
        section._fill(read_mapping(value, place), place)
        return section

    def _fill(self, mapping: Mapping[Any, Any], place: Place) -> None:
        known = {folded(key): entry for entry in self._fields for key in (entry.key, *entry.aliases)}
        taken: dict[str, str] = {}
        for raw, value in mapping.items():
            key = str(raw)
            there = place.child(key, mapping)
            entry = known.get(folded(key))
            if entry is None:
                self._keep_unknown(key, value, there, [field.key for field in self._fields])
                continue
            if entry.key in taken:
                if folded(taken[entry.key]) != folded(key) and entry.read(value, there) == self.__dict__[entry.name]:
                    continue  # two names of one thing, and they agree
                raise ConfigurationError(
                    f"{there}: the same key stands here twice, also as {taken[entry.key]!r}. Keep one of them.",
                    field=there.key,
                )
            taken[entry.key] = key
            self.__dict__[entry.name] = entry.read(value, there)

    def _keep_unknown(self, key: str, value: Any, place: Place, known: list[str]) -> None:
        self._unknown[key] = read_plain(value, place)
        explained = self._explained.get(folded(key))
        if explained is not None:
            if str(value).lower() == "true":
                place.note(explained)
        elif folded(key) not in self._kept_silently:
            place.note(f"unknown key, kept but without effect ({nearest(key, known)})")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # a section can be changed

    def __repr__(self) -> str:
        import json

        shown = {key: value for key, value in self.to_dict().items() if value not in (None, {}, [], "")}
        return f"{type(self).__name__}({json.dumps(shown, indent=2, default=str)})"


def text(
    default: str | None = None,
    key: str | None = None,
    absent: Callable[[], str | None] | None = None,
    secret: bool = False,
) -> Field[str | None]:
    """Declare a text that may be missing."""
    return Field(
        lambda value, place: None if value is None else read_text(value, place),
        lambda: default,
        absent,
        key,
        secret=secret,
        schema=OPTIONAL_TEXT,
    )


def boolean(default: bool) -> Field[bool]:
    """Declare a truth value; an empty one in a file means the default."""
    return Field(
        lambda value, place: default if value is None else read_boolean(value, place), lambda: default, schema=TRUTH
    )


def number(default: int, minimum: int | None = None) -> Field[int]:
    """Declare a whole number; an empty one in a file means the default."""
    return Field(
        lambda value, place: default if value is None else read_number(value, place, minimum),
        lambda: default,
        schema=whole(minimum),
    )


def optional_number(minimum: int | None = None) -> Field[int | None]:
    """Declare a whole number that may be missing."""
    return Field(
        lambda value, place: None if value is None else read_number(value, place, minimum),
        lambda: None,
        schema=whole(minimum),
    )


def optional_boolean(
    omit_none: bool = False, key: str | None = None, aliases: tuple[str, ...] = ()
) -> Field[bool | None]:
    """Declare a truth value that may be missing."""
    return Field(
        lambda value, place: None if value is None else read_boolean(value, place),
        lambda: None,
        key=key,
        omit=(lambda value: value is None) if omit_none else None,
        aliases=aliases,
        schema=TRUTH,
    )


def optional_decimal() -> Field[float | None]:
    """Declare a number with a fraction that may be missing."""
    return Field(
        lambda value, place: None if value is None else read_decimal(value, place),
        lambda: None,
        schema={"type": ["number", "string", "null"]},
    )


def choice(names: tuple[str, ...], default: str) -> Field[str]:
    """Declare one of some names, matched whatever its case; an empty one means the default."""
    return Field(
        lambda value, place: default if value is None else read_choice(value, place, names),
        lambda: default,
        schema=one_of(names),
    )


def optional_choice(names: tuple[str, ...], key: str | None = None) -> Field[str | None]:
    """Declare one of some names that may be missing."""
    return Field(
        lambda value, place: None if value is None else read_choice(value, place, names),
        lambda: None,
        key=key,
        schema=one_of(names),
    )


def strings(default: Sequence[str] = (), key: str | None = None) -> Field[list[str]]:
    """Declare a list of texts."""

    def read(value: Any, place: Place) -> list[str]:
        return read_strings([] if value is None else value, place)

    return Field(read, lambda: list(default), key=key, schema={"type": ["array", "null"], "items": TEXT})


def optional_plain() -> Field[Any]:
    """Declare free-form data that may be missing."""
    return Field(read_plain, lambda: None)


def variables(default: Mapping[str, str] | None = None, key: str | None = None) -> Field[dict[str, str]]:
    """Declare environment variables: names are the user's own."""
    return Field(
        lambda value, place: read_variables(value if value is not None else {}, place),
        lambda: OwnNames(default or {}),
        lambda: OwnNames(),
        key,
        schema={**PLAIN_MAP, "additionalProperties": OPTIONAL_TEXT},
    )


def plain_map(default: Mapping[str, Any] | None = None, key: str | None = None) -> Field[dict[str, Any]]:
    """Declare a mapping of the user's own names to plain data."""

    def read(value: Any, place: Place) -> dict[str, Any]:
        return OwnNames(
            (name, read_plain(entry, there))
            for name, entry, there in own_entries({} if value is None else value, place)
        )

    return Field(read, lambda: OwnNames(default or {}), key=key, schema=PLAIN_MAP)


def section(kind: type[S], omit_default: bool = False) -> Field[S]:
    """Declare a nested section; an empty one means the default."""
    return Field(
        lambda value, place: kind() if value is None else kind._read(value, place),
        kind,
        lambda: kind._read({}, Place()),
        omit=(lambda value: value == kind()) if omit_default else None,
        schema=kind,
    )


def optional_section(kind: type[S], omit_none: bool = False) -> Field[S | None]:
    """Declare a nested section that may be missing."""
    return Field(
        lambda value, place: None if value is None else kind._read(value, place),
        lambda: None,
        omit=(lambda value: value is None) if omit_none else None,
        schema=kind,
    )


def section_list(kind: type[S]) -> Field[list[S]]:
    """Declare a list of sections."""

    def read(value: Any, place: Place) -> list[S]:
        if value is not None and (isinstance(value, (str, Mapping)) or not isinstance(value, Sequence)):
            raise place.refusal("a list", value)
        return [kind._read(entry, place.item(index, value)) for index, entry in enumerate(value or [])]

    return Field(read, list, schema={"type": ["array", "null"], "items": kind})


def section_map(kind: type[S], key: str | None = None) -> Field[dict[str, S]]:
    """Declare sections under names that the user chose."""

    def read(value: Any, place: Place) -> dict[str, S]:
        return OwnNames(
            (name, kind._read(entry, there))
            for name, entry, there in own_entries({} if value is None else value, place)
        )

    return Field(read, lambda: OwnNames(), key=key, schema={**PLAIN_MAP, "additionalProperties": kind})

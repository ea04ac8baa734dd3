"""Own the mappings of the object model: of tags, of properties, and one that can also be called.

``ws.compute_targets`` is a property in SDK 1.x and a method in 0.1.x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from aml_jupyter.errors import UserErrorException, nearest

__all__ = ["NamedObjects", "texts_by_name"]

T = TypeVar("T")


class NamedObjects(Mapping[str, T]):
    """Hold objects of a workspace by name; an object is made when it is asked for.

    Parameters
    ----------
    names : list of str
        The names, in the order in which they are shown.
    make : callable
        Makes the object of a name.
    """

    def __init__(self, names: list[str], make: Callable[[str], T]) -> None:
        self._names = names
        self._make = make

    def __call__(self) -> NamedObjects[T]:
        """Return the mapping itself, for code written for SDK 0.1.x."""
        return self

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(f"{name!r} is not there; {nearest(str(name), self._names) or 'there is none yet'}")
        return self._make(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: {self._make(name)!r}" for name in self._names) + "}"


def texts_by_name(values: Mapping[str, Any] | None, field: str) -> dict[str, str]:
    """Return tags or properties as texts; None becomes the empty text.

    Raises
    ------
    UserErrorException
        When they are no mapping.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise UserErrorException(f"{field}: expected a dict of names and texts, found {values!r:.60}.", field)
    return {str(key): "" if value is None else str(value) for key, value in values.items()}

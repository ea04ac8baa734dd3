"""Refuse by name what SDK v1 offers and aml-jupyter does not have yet."""

from __future__ import annotations

import sys
from typing import NoReturn

from aml_jupyter.errors import UserErrorException, nearest

__all__ = ["NotHere", "RefusingClass", "refuse_attribute", "unbuilt"]


class NotHere(UserErrorException, AttributeError):
    """Say that an attribute of SDK v1's class is not to be had here; `hasattr` is False, and `getattr` has its default."""


def unbuilt(what: str, instead: str = "") -> UserErrorException:
    """Return the error for `what`, a feature whose issue is still to come; `instead` says what works today."""
    return UserErrorException(f"{what} is not built yet in aml-jupyter." + (f" {instead}" if instead else ""))


class RefusingClass(type):
    """Refuse what a class itself lacks (``Model.deploy(...)``) by the `UNBUILT` of its module, as its instances do."""

    def __getattr__(cls, name: str) -> NoReturn:
        refuse_attribute(cls, name, getattr(sys.modules[cls.__module__], "UNBUILT", {}))


def refuse_attribute(owner: object, name: str, table: dict[str, str]) -> NoReturn:
    """Raise for the attribute `name` that `owner` (an instance, or a class) lacks: it is on its way, or misspelt.

    Raises
    ------
    UserErrorException
        When `table` has it: SDK v1's classes have that attribute, and the text says what works instead.
    AttributeError
        Otherwise, with the nearest names.
    """
    kind = owner if isinstance(owner, type) else type(owner)
    shown = f"{kind.__name__}.{name}"
    if name in table:
        raise NotHere(unbuilt(shown, table[name]).message)
    known = [entry for entry in dir(kind) if not entry.startswith("_")]
    close = nearest(name, known).split("? ")[0]
    raise AttributeError(f"{shown} does not exist" + (f"; {close}?" if close.startswith("did you mean") else ""))

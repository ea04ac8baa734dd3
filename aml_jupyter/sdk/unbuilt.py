"""Refuse by name what SDK v1 offers and aml-jupyter does not have yet."""

from __future__ import annotations

from typing import NoReturn

from aml_jupyter.errors import UserErrorException, nearest

__all__ = ["NotHere", "refuse_attribute", "unbuilt"]


class NotHere(UserErrorException, AttributeError):
    """Say that an attribute of SDK v1's class is not to be had here; `hasattr` is False, and `getattr` has its default."""


def unbuilt(what: str, instead: str = "") -> UserErrorException:
    """Return the error for `what`, a feature whose issue is still to come; `instead` says what works today."""
    return UserErrorException(f"{what} is not built yet in aml-jupyter." + (f" {instead}" if instead else ""))


def refuse_attribute(owner: object, name: str, table: dict[str, str]) -> NoReturn:
    """Raise for the attribute `name` that `owner` lacks: it is on its way, or misspelt.

    Raises
    ------
    UserErrorException
        When `table` has it: SDK v1's classes have that attribute, and the text says what works instead.
    AttributeError
        Otherwise, with the nearest names.
    """
    shown = f"{type(owner).__name__}.{name}"
    if name in table:
        raise NotHere(unbuilt(shown, table[name]).message)
    known = [entry for entry in dir(type(owner)) if not entry.startswith("_")]
    close = nearest(name, known).split("? ")[0]
    raise AttributeError(f"{shown} does not exist" + (f"; {close}?" if close.startswith("did you mean") else ""))

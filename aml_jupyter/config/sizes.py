"""Read an amount of memory as a person writes it."""

from __future__ import annotations

import re
from typing import Final

from aml_jupyter.errors import UserErrorException

__all__ = ["bytes_of"]

_UNITS: Final = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}


def bytes_of(size: str | int, field: str = "memory") -> int:
    """Return a size such as ``512MB``, ``4g`` or ``2GiB`` in bytes; a number is one of bytes.

    Raises
    ------
    UserErrorException
        When it is not a size.
    """
    if isinstance(size, int):
        return size
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", str(size).lower())
    if match is None or match[2] not in _UNITS:
        raise UserErrorException(f"{field} is {size!r}; a size such as 512MB, 4GB or 2GiB was expected.", field)
    return int(float(match[1]) * _UNITS[match[2]])

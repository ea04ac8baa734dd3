"""Define what an environment was asked to be: a recipe, with the key under which it is built once and found again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["FORMAT", "Recipe", "key_of", "without_credentials"]

FORMAT: Final = 1
"""Version of the recipe's form; part of the key."""

_CREDENTIALS: Final = re.compile(r"([a-z][a-z0-9+.\-]*://)[^/@\s]+@", re.IGNORECASE)


@dataclass(frozen=True)
class Recipe:
    """Say what has to be built before a run can start.

    Attributes
    ----------
    kind : str
        ``venv``, ``conda`` or ``image``: which builder makes it.
    asked : dict
        Everything that decides what is built, as plain data. It may hold addresses with credentials: it stands in
        ``run.json`` and in the cache (both 0600), and nowhere else.
    title : str
        The recipe in a few words, for people.
    notes : tuple of str
        What the run has to say about it.
    sources : dict
        Where the local files that `asked` names by content lie at the submit: ``<sha256>/<name>`` to path.
    origins : dict
        Package to the file and line that ask for it; for messages.
    """

    kind: str
    asked: Mapping[str, Any]
    title: str
    notes: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> str:
        """Return the name under which it is built: equal for equal recipes, whatever their credentials."""
        asked = {name: value for name, value in self.asked.items() if name != "registry"}
        return key_of({"format": FORMAT, "kind": self.kind, **asked})

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as ``run.json`` has it."""
        made = {"kind": self.kind, "key": self.key, "title": self.title, "notes": list(self.notes), "asked": self.asked}
        return {**made, "origins": dict(self.origins)} if self.origins else made

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Recipe:
        """Return the recipe that `as_dict` wrote."""
        return cls(str(value["kind"]), dict(value["asked"]), str(value["title"]), tuple(value.get("notes") or ()))


def key_of(asked: Any) -> str:
    """Return the SHA-256 of plain data in its canonical JSON form, credentials left out, cut to 32 digits."""
    text = json.dumps(without_credentials(asked), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def without_credentials(value: Any) -> Any:
    """Return plain data in which no address has a user or a password."""
    if isinstance(value, str):
        return _CREDENTIALS.sub(r"\1", value)
    if isinstance(value, Mapping):
        return {str(key): without_credentials(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_credentials(entry) for entry in value]
    return value

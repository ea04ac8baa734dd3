"""Decide which entries of a source directory stay out of its snapshot.

Owns git's meaning of ignore patterns (gitignore(5)) and the list of names that are left out by default. Reads one
ignore file, walks nothing. Each entry is judged alone, by the last pattern that matches it; the walk never enters an
ignored directory, and that is how an ignored directory takes its content along.

The patterns are translated here and not by pathspec, which lets a pattern match everything below a directory, too, and
reads some brackets and escapes otherwise than git does. The tests compare this module with git itself.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from aml_jupyter.errors import SnapshotException

from .notes import shown

__all__ = ["BUILT_IN", "DEFAULT_PATTERNS", "IGNORE_FILES", "IgnoreRules", "Rule", "read_rules"]

IGNORE_FILES = (".amlignore", ".gitignore")
BUILT_IN = "built in"
DEFAULT_PATTERNS = (".git", ".ipynb_checkpoints/", "__pycache__/", ".aml-*.tmp")

_NEVER = "(?!)"
_POSIX = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t-\\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


@dataclass(frozen=True)
class Rule:
    """Hold one line of an ignore file, or one built-in exclusion (line 0)."""

    origin: str
    line: int
    text: str
    negated: bool = False
    directories_only: bool = False
    anchored: bool = False
    """Whether the pattern is matched with the whole relative path; else with the entry's own name."""
    literal: str | None = None
    expression: re.Pattern[str] | None = None

    def matches(self, path: str, name: str, is_directory: bool) -> bool:
        """Say whether this rule speaks of the entry `name` at the relative path `path`."""
        if self.directories_only and not is_directory:
            return False
        subject = path if self.anchored else name
        if self.literal is not None:
            return subject == self.literal
        return self.expression is not None and self.expression.fullmatch(subject) is not None

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}: {shown(self.text)}" if self.line else f"{self.origin}: {self.text}"


class IgnoreRules:
    """Judge entries by an ordered list of rules; the last one that matches decides."""

    def __init__(self, rules: Sequence[Rule], origin: str | None = None) -> None:
        self.rules = tuple(rules)
        self.origin = origin
        self.positions = {rule: position for position, rule in enumerate(self.rules)}
        self._last_first = self.rules[::-1]
        self._names = {rule.literal for rule in self.rules if rule.literal is not None and not rule.anchored}
        self._paths = {rule.literal for rule in self.rules if rule.literal is not None and rule.anchored}
        self._any_name = _alternatives([rule for rule in self.rules if not rule.anchored])
        self._any_path = _alternatives([rule for rule in self.rules if rule.anchored])

    def decide(self, path: str, name: str, is_directory: bool) -> Rule | None:
        """Return the rule that decides about an entry (it may be a negated one), or None.

        Parameters
        ----------
        path : str
            Path relative to the source directory, with ``/``.
        name : str
            The last part of `path`.
        is_directory : bool
            Whether it is a directory; a symbolic link never is, as in git.
        """
        if not (
            name in self._names
            or path in self._paths
            or (self._any_name is not None and self._any_name.fullmatch(name))
            or (self._any_path is not None and self._any_path.fullmatch(path))
        ):
            return None
        for rule in self._last_first:
            if rule.matches(path, name, is_directory):
                return rule
        return None

    def digest(self) -> str:
        """Return a hash that changes whenever a decision might."""
        text = "\n".join(f"{rule.origin}\0{rule.line}\0{rule.text}" for rule in self.rules)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def read_rules(source: str, exclude_defaults: bool = True) -> IgnoreRules:
    """Read the one ignore file of a source directory: `.amlignore` if it is there, else `.gitignore`.

    Parameters
    ----------
    source : str
        The source directory; ignore files in directories below it are never read.
    exclude_defaults : bool
        Whether the built-in exclusions come first (a later ``!`` pattern takes one back).

    Raises
    ------
    SnapshotException
        The file is there but cannot be read: going on would send what was meant to stay.
    """
    rules = [_parse(text, BUILT_IN, 0) for text in DEFAULT_PATTERNS] if exclude_defaults else []
    for name in IGNORE_FILES:
        path = os.path.join(source, name)
        if not os.path.isfile(path):
            continue
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            raise SnapshotException(
                f"The ignore file {shown(path)} cannot be read ({error.strerror}), so it is not known what must stay "
                "out of the snapshot. Make it readable or remove it."
            ) from error
        lines = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")
        parsed = (_parse(line.removesuffix("\r"), name, number) for number, line in enumerate(lines, 1))
        return IgnoreRules([rule for rule in [*rules, *parsed] if rule is not None], name)
    return IgnoreRules([rule for rule in rules if rule is not None])


def _alternatives(rules: Sequence[Rule]) -> re.Pattern[str] | None:
    """Return one expression that tells quickly that no rule matches."""
    parts = [rule.expression.pattern for rule in rules if rule.expression is not None]
    return re.compile("|".join(f"(?:{part})" for part in parts), re.DOTALL) if parts else None


def _parse(line: str, origin: str, number: int) -> Rule | None:
    """Return the rule that a line of an ignore file states, or None for a comment or an empty line."""
    if line.startswith("#"):
        return None
    text = _without_trailing_spaces(line)
    negated = text.startswith("!")
    pattern = text[1:] if negated else text
    directories_only = pattern.endswith("/")
    if directories_only:
        pattern = pattern[:-1]
    if not pattern:
        return None
    anchored = "/" in pattern
    if anchored:
        pattern = pattern.removeprefix("/")
    plain = re.match(r"[^*?\[\\]*", pattern)
    prefix = plain.group() if plain else ""
    literal = pattern if prefix == pattern else None
    # git compares the plain prefix first and hands only the rest to its matcher, which then takes "**" as being at the start
    expression = None if literal is not None else re.escape(prefix) + _translate(pattern[len(prefix) :], anchored)
    return Rule(
        origin=origin,
        line=number,
        text=text,
        negated=negated,
        directories_only=directories_only,
        anchored=anchored,
        literal=literal,
        expression=None if expression is None else re.compile(expression, re.DOTALL),
    )


def _without_trailing_spaces(line: str) -> str:
    """Cut trailing spaces that no backslash protects."""
    keep = position = 0
    while position < len(line):
        if line[position] == "\\":
            if position + 1 == len(line):
                return line
            position += 2
            keep = position
            continue
        position += 1
        if line[position - 1] != " ":
            keep = position
    return line[:keep]


def _translate(pattern: str, anchored: bool) -> str:
    """Return the regular expression (for fullmatch) of a wildmatch pattern."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "*":
            end = position
            while end < len(pattern) and pattern[end] == "*":
                end += 1
            at_start = position == 0 or pattern[position - 1] == "/"
            if anchored and end - position > 1 and at_start and (end == len(pattern) or pattern[end] == "/"):
                if end == len(pattern):
                    parts.append(".*")
                else:
                    parts.append("(?:.*/)?")
                    end += 1
            else:
                parts.append("[^/]*")
            position = end
        elif char == "?":
            parts.append("[^/]")
            position += 1
        elif char == "[":
            expression, position = _translate_set(pattern, position)
            if expression is None:
                return _NEVER
            parts.append(expression)
        elif char == "\\":
            if position + 1 == len(pattern):
                return _NEVER
            parts.append(re.escape(pattern[position + 1]))
            position += 2
        else:
            parts.append(re.escape(char))
            position += 1
    return "".join(parts)


def _translate_set(pattern: str, start: int) -> tuple[str | None, int]:
    """Return the expression of the bracket at `start` and the position behind it; None where git matches nothing."""
    position = start + 1
    negated = pattern[position : position + 1] in ("!", "^")
    if negated:
        position += 1
    members: list[str] = []
    previous = ""
    first = True
    while True:
        if position >= len(pattern):
            return None, position
        char = pattern[position]
        if char == "]" and not first:
            break
        first = False
        if char == "\\":
            position += 1
            if position >= len(pattern):
                return None, position
            previous = pattern[position]
            members.append(re.escape(previous))
        elif char == "-" and previous and pattern[position + 1 : position + 2] not in ("", "]"):
            position += 1
            if pattern[position] == "\\":
                position += 1
                if position >= len(pattern):
                    return None, position
            if previous <= pattern[position]:
                members.append(f"{re.escape(previous)}-{re.escape(pattern[position])}")
            previous = ""
        elif pattern.startswith("[:", position):
            end = pattern.find("]", position + 2)
            if end < 0:
                return None, position
            if end > position + 2 and pattern[end - 1] == ":":
                name = pattern[position + 2 : end - 1]
                if name not in _POSIX:
                    return None, position
                members.append(_POSIX[name])
                previous = ""
                position = end
            else:
                members.append("\\[")
                previous = "["
        else:
            members.append(re.escape(char))
            previous = char
        position += 1
    if not members:
        return ("[^/]" if negated else _NEVER), position + 1
    return f"(?!/)[{'^' if negated else ''}{''.join(members)}]", position + 1

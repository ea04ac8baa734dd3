"""Read a magic's line: quoted words, and `$name` replaced by the notebook's variables."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping
from typing import Any, NoReturn

from aml_jupyter.errors import UserErrorException, nearest

__all__ = ["LineParser", "split_line"]

_VARIABLE = re.compile(r"\$(?:\$|\{(?P<braced>[^{}]*)\}|(?P<bare>[A-Za-z_]\w*))")


class LineParser(argparse.ArgumentParser):
    """Parse options; a mistake is an exception with one line, never an exit of the kernel."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong."""
        raise UserErrorException(f"{self.prog}: {message}. {self.format_usage().strip()}")


def split_line(line: str, namespace: Mapping[str, Any]) -> list[str]:
    """Split `line` as a shell would and replace ``$name`` and ``${name}`` by variables of the notebook.

    A variable's text stays one word, whatever it contains. ``$$`` is a dollar sign.

    Raises
    ------
    UserErrorException
        When a quote is not closed, or a variable is missing.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UserErrorException(f"The line cannot be read: {str(error).lower()} in {line.strip()!r}.") from None

    def value_of(match: re.Match[str]) -> str:
        name = match["braced"] if match["braced"] is not None else match["bare"]
        if name is None:
            return "$"
        if name not in namespace:
            known = [known for known in namespace if not known.startswith("_")]
            hint = nearest(name, known) if known else "the notebook has no variables yet"
            raise UserErrorException(
                f"${name}: the notebook has no variable '{name}'; {hint}. ($$ is a dollar sign.)", name
            )
        return str(namespace[name])

    return [_VARIABLE.sub(value_of, word) for word in words]

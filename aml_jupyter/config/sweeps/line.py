"""Read a parameter space and a policy from a line: ``lr=loguniform(-6,-1) batch=choice(16,32)``, ``bandit(slack_factor=0.2)``.

Nothing is executed: what stands in the brackets are plain values, as Python writes them.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from aml_jupyter.config.reading import Place, show
from aml_jupyter.config.sweeps.expressions import ARGUMENTS, Expression, expression_name, expression_of
from aml_jupyter.config.sweeps.policies import EarlyTerminationPolicy, policy_class, settings_of
from aml_jupyter.config.sweeps.sampling import add_parameter
from aml_jupyter.errors import AmlError, ConfigurationError, nearest

_ENTRY = re.compile(r"\s*,?\s*(?P<name>-{0,2}[^\W\d][\w.-]*)\s*=\s*(?=\S)")
SHORT = {"median": "MedianStopping", "truncation": "TruncationSelection"}
_EXAMPLE = "lr=loguniform(-6,-1) batch=choice(16,32,64)"


def is_space(text: str) -> bool:
    """Tell whether `text` is a parameter space, not the name of a file."""
    return _ENTRY.match(text) is not None and "(" in text


def read_space_line(text: str) -> dict[str, Expression]:
    """Return the parameter space that a line says.

    Raises
    ------
    ConfigurationError
        With the parameter, and what was expected.
    """
    space: dict[str, Expression] = {}
    rest = text.strip()
    while rest:
        entry = _ENTRY.match(rest)
        if entry is None:
            raise ConfigurationError(
                f"--sweep: expected NAME=EXPRESSION(...), found {show(rest)}. For example: {_EXAMPLE}", "sweep"
            )
        written, rest = _up_to_its_end(rest[entry.end() :])
        place = Place(keys=("--sweep", entry["name"]))
        name, values, settings = _call(written, place)
        if settings:
            raise place.refusal("values without names in the brackets", written)
        space[add_parameter(space, entry["name"], place)] = expression_of(expression_name(name, place), values, place)
    return space


def read_policy_line(text: str) -> EarlyTerminationPolicy:
    """Return the policy that a name, or a name with settings in brackets, means.

    Raises
    ------
    ConfigurationError
        With the setting, and what was expected.
    """
    place = Place(keys=("--policy",))
    name, values, settings = _call(text.strip(), place) if "(" in text else (text.strip(), [], {})
    kind: Any = policy_class(SHORT.get(name.lower(), name), place)
    if values:
        raise place.refusal(f"settings with names, such as {kind.__name__}({settings_of(kind)[0]}=...)", text)
    for setting in settings:
        if setting not in settings_of(kind):
            raise ConfigurationError(
                f"--policy: {kind.__name__} has no {setting}; {nearest(setting, settings_of(kind))}", "policy"
            )
    try:
        made: EarlyTerminationPolicy = kind(**settings)
    except TypeError as error:
        raise ConfigurationError(f"--policy: {kind.__name__} lacks a setting: {error}", "policy") from None
    except AmlError as error:
        raise ConfigurationError(f"--policy: {error.message}", error.field) from None
    return made


def _up_to_its_end(text: str) -> tuple[str, str]:
    """Return the text up to the bracket that closes its first one, and what stands behind it."""
    depth, quote = 0, ""
    for index, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if depth <= 0:
                return text[: index + 1], text[index + 1 :].strip()
        elif letter.isspace() and depth == 0:
            return text[:index], text[index:].strip()
    return text, ""


def _call(text: str, place: Place) -> tuple[str, list[Any], dict[str, Any]]:
    """Return name, values and named values of ``name(1, 'a', key=2)``."""
    try:
        node = ast.parse(text, mode="eval").body
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise ValueError
        values = [ast.literal_eval(value) for value in node.args]
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        names = ", ".join(ARGUMENTS)
        raise place.refusal(f"an expression with plain values, such as uniform(0, 1) ({names})", text) from None
    return node.func.id, values, named

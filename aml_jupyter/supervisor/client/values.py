"""Turn what a script logs into what run history can hold: SDK v1's rules for values, and their text in a file."""

import json
import types
from typing import Any, Dict, List

from .errors import UserErrorException

__all__ = ["column_lengths", "is_list", "metric_name", "refuse_list", "scalar", "scalars", "text_of"]

_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: it is on the way of every logged string
_PLAIN = (float, int, str, bool, type(None))


_NAME_LENGTH = 255  # SDK v1's


def metric_name(name: Any) -> str:
    """Return `name` as the name of a metric.

    Raises
    ------
    UserErrorException
        When it is empty or longer than SDK v1's 255 characters: such a value would be lost, or never found again.
    """
    text = name if isinstance(name, str) else str(name)
    if not 0 < len(text) <= _NAME_LENGTH:
        raise UserErrorException(
            "a metric's name has 1 to %d characters, and %.40r has %d" % (_NAME_LENGTH, text, len(text))
        )
    return text


def scalar(value: Any) -> Any:
    """Return `value` as a float, int, str, bool or None.

    NumPy's booleans, integers and floats become Python's (NumPy is not imported for it); what Python's numbers cannot
    hold (``float128``), and anything else, becomes its ``repr()``.
    """
    if type(value) in _PLAIN:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value) if kind is not str else str.__str__(value)
    if type(value).__module__ == "numpy" and not hasattr(value, "__len__"):
        dtype = getattr(value, "dtype", None)
        if dtype is not None and dtype.kind in "biuf":
            item = value.item()
            if type(item) in (bool, int, float):
                return item
    return repr(value)


def scalars(name: str, values: Any) -> List[Any]:
    """Return the items of the iterable `values` as scalars; strings and mappings are refused."""
    if isinstance(values, (str, bytes, dict)):
        raise UserErrorException(
            "run.log_list(%r, ...) got %s %r: expected a list, tuple, array, range or generator of scalars"
            % (name, type(values).__name__, values)
        )
    try:
        items = iter(values)
    except TypeError:
        raise UserErrorException(
            "run.log_list(%r, ...) got %s %r: expected an iterable of scalars. Use run.log for a single value"
            % (name, type(values).__name__, values)
        ) from None
    return [scalar(item) for item in items]


def is_list(value: Any) -> bool:
    """Tell whether `value` is one of the kinds that SDK v1 refuses as a scalar."""
    return isinstance(value, (list, range, types.GeneratorType))


def refuse_list(value: Any) -> None:
    """Refuse a list, range or generator in the words of SDK v1.

    Raises
    ------
    UserErrorException
        When `value` is one.
    """
    if is_list(value):
        raise UserErrorException("run.log does not support list type. Use run.log_list instead")


def column_lengths(columns: Dict[str, Any]) -> Dict[str, int]:
    """Return how many rows each column of a table has; a scalar counts as one."""
    return {name: len(value) if isinstance(value, list) else 1 for name, value in columns.items()}


def text_of(value: Any) -> str:
    """Return `value` as JSON on one line; not-a-number and infinity as Python's ``json`` writes them."""
    return _encode(value)

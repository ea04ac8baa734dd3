"""Give logged values the shapes of SDK v1's ``get_metrics``; the in-run client and the workspace share them."""

from typing import Any, Dict, Iterable, List

__all__ = ["columns_of", "series_of", "single"]


def single(values: List[Any]) -> Any:
    """Return the one value of a list of one, else the list."""
    return values[0] if len(values) == 1 else values


def series_of(values: List[Any]) -> List[Any]:
    """Return `values` with integers as floats where both were logged."""
    kinds = {type(value) for value in values}
    if kinds == {int, float}:
        return [float(value) for value in values]
    return values


def columns_of(pieces: Iterable[Dict[str, Any]]) -> Dict[str, Any]:
    """Return the table that rows and tables, logged one after the other, make: {column: scalar or list}.

    A column that a piece lacks has None in its rows, so that all columns have one length.
    """
    columns: Dict[str, List[Any]] = {}
    length = 0
    for piece in pieces:
        rows = max([len(value) if isinstance(value, list) else 1 for value in piece.values()] or [0])
        for name in piece:
            columns.setdefault(name, [None] * length)
        length += rows
        for name, cells in columns.items():
            value = piece.get(name, [])
            cells.extend(value if isinstance(value, list) else [value])
            cells.extend([None] * (length - len(cells)))
    return {name: single(cells) for name, cells in columns.items()}

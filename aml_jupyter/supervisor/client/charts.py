"""Check the bodies of SDK v1's typed charts: confusion matrix, accuracy table, residuals, predictions."""

import json
from typing import Any, Callable, Dict, List, Tuple, Union

from .errors import UserErrorException
from .values import scalar

__all__ = ["CHARTS", "chart_body"]

_COUNTS = ("TP", "FP", "TN", "FN")


def chart_body(kind: str, name: str, value: Union[str, Dict[str, Any]]) -> Dict[str, Any]:
    """Return the body of a chart as plain values, whole and consistent.

    Parameters
    ----------
    kind : str
        One of `CHARTS`.
    name : str
        The metric's name, for messages.
    value : dict or str
        ``{"schema_type", "schema_version", "data"}``, or the same as JSON. NumPy arrays count as lists.

    Raises
    ------
    UserErrorException
        When it is not JSON, or says which part of it is missing or does not fit.
    """
    where = "run.log_%s(%r, ...)" % (kind, name)
    if isinstance(value, (str, bytes)):
        try:
            value = json.loads(value if isinstance(value, str) else value.decode("utf-8"))
        except ValueError as error:
            raise UserErrorException("%s: Invalid JSON provided: %s" % (where, error)) from None
    body = _plain(value)
    if not isinstance(body, dict):
        raise UserErrorException(
            "%s got %s: expected a dict, or its JSON, with schema_type, schema_version and data"
            % (where, type(value).__name__)
        )
    if body.get("schema_type") != kind:
        raise UserErrorException("%s: schema_type is %r, expected %r" % (where, body.get("schema_type"), kind))
    version = body.get("schema_version")
    if not isinstance(version, str) or not version.startswith("1."):
        raise UserErrorException("%s: schema_version is %r, expected %r" % (where, version, _VERSIONS[kind]))
    data = body.get("data")
    keys, check = CHARTS[kind]
    if not isinstance(data, dict):
        raise UserErrorException("%s: data is %.60r, expected a dict with %s" % (where, data, ", ".join(keys)))
    missing = [key for key in keys if not isinstance(data.get(key), list)]
    if missing:
        raise UserErrorException(
            "%s: data[%r] is %s, expected a list; a %s has %s"
            % (
                where,
                missing[0],
                "%.60r" % (data[missing[0]],) if missing[0] in data else "missing",
                kind,
                ", ".join(keys),
            )
        )
    check(where, data)
    return body


def _plain(value: Any) -> Any:
    """Return `value` with NumPy's arrays and numbers as Python's."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if not isinstance(value, (str, bytes)) and hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return scalar(value)


def _numbers(where: str, place: str, values: Any, count: int, reason: str) -> None:
    """Refuse `values` unless they are a list of `count` numbers."""
    if not isinstance(values, list) or len(values) != count:
        found = "%d values" % len(values) if isinstance(values, list) else "%.60r" % (values,)
        raise UserErrorException("%s: %s has %s, expected %d (%s)" % (where, place, found, count, reason))
    for item in values:
        if isinstance(item, bool) or not isinstance(item, (int, float)):
            raise UserErrorException("%s: %s holds %.60r, expected numbers" % (where, place, item))


def _confusion_matrix(where: str, data: Dict[str, Any]) -> None:
    labels, matrix = data["class_labels"], data["matrix"]
    if len(matrix) != len(labels):
        raise UserErrorException(
            "%s: data['matrix'] has %d rows for %d class_labels" % (where, len(matrix), len(labels))
        )
    for number, row in enumerate(matrix):
        _numbers(where, "data['matrix'][%d]" % number, row, len(labels), "one for each of the class_labels")


def _residuals(where: str, data: Dict[str, Any]) -> None:
    counts, edges = data["bin_counts"], data["bin_edges"]
    _numbers(where, "data['bin_counts']", counts, len(counts), "")
    _numbers(where, "data['bin_edges']", edges, len(counts) + 1, "one more than bin_counts")


def _predictions(where: str, data: Dict[str, Any]) -> None:
    count = len(data["bin_averages"])
    for key in ("bin_averages", "bin_errors", "bin_counts"):
        _numbers(where, "data[%r]" % key, data[key], count, "as many as bin_averages")
    _numbers(where, "data['bin_edges']", data["bin_edges"], count + 1, "one more than bin_averages")


def _accuracy_table(where: str, data: Dict[str, Any]) -> None:
    labels = data["class_labels"]
    for kind in ("probability", "percentile"):
        thresholds, tables = data[kind + "_thresholds"], data[kind + "_tables"]
        _numbers(where, "data['%s_thresholds']" % kind, thresholds, len(thresholds), "")
        if len(tables) != len(labels):
            raise UserErrorException(
                "%s: data['%s_tables'] has %d tables for %d class_labels" % (where, kind, len(tables), len(labels))
            )
        for number, table in enumerate(tables):
            place = "data['%s_tables'][%d]" % (kind, number)
            if not isinstance(table, list) or len(table) != len(thresholds):
                found = len(table) if isinstance(table, list) else "%.60r" % (table,)
                raise UserErrorException(
                    "%s: %s has %s rows for %d %s_thresholds" % (where, place, found, len(thresholds), kind)
                )
            for row in table:
                _numbers(where, place, row, len(_COUNTS), ", ".join(_COUNTS))


_Check = Callable[[str, Dict[str, Any]], None]
_TABLE = ["probability_tables", "probability_thresholds", "percentile_tables", "percentile_thresholds", "class_labels"]

CHARTS: Dict[str, Tuple[List[str], _Check]] = {
    "accuracy_table": (_TABLE, _accuracy_table),
    "confusion_matrix": (["class_labels", "matrix"], _confusion_matrix),
    "predictions": (["bin_averages", "bin_errors", "bin_counts", "bin_edges"], _predictions),
    "residuals": (["bin_edges", "bin_counts"], _residuals),
}
"""Kind of chart -> the lists that its data has, and what checks that they fit each other."""

_VERSIONS = {kind: "1.0.1" if kind == "accuracy_table" else "1.0.0" for kind in CHARTS}

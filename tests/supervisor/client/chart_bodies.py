"""Bodies of typed charts: the examples of SDK v1's own reference."""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["BODIES", "changed"]

BODIES: dict[str, dict[str, Any]] = {
    "confusion_matrix": {
        "schema_type": "confusion_matrix",
        "schema_version": "1.0.0",
        "data": {
            "class_labels": ["0", "1", "2", "3"],
            "matrix": [[3, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]],
        },
    },
    "accuracy_table": {
        "schema_type": "accuracy_table",
        "schema_version": "1.0.1",
        "data": {
            "probability_tables": [
                [[82, 118, 0, 0], [75, 31, 87, 7], [66, 9, 109, 16], [46, 2, 116, 36], [0, 0, 118, 82]],
                [[60, 140, 0, 0], [56, 20, 120, 4], [47, 4, 136, 13], [28, 0, 140, 32], [0, 0, 140, 60]],
            ],
            "percentile_tables": [
                [[82, 118, 0, 0], [82, 67, 51, 0], [75, 26, 92, 7], [48, 3, 115, 34], [3, 0, 118, 79]],
                [[60, 140, 0, 0], [60, 89, 51, 0], [60, 41, 99, 0], [46, 5, 135, 14], [3, 0, 140, 57]],
            ],
            "probability_thresholds": [0.0, 0.25, 0.5, 0.75, 1.0],
            "percentile_thresholds": [0.0, 0.01, 0.24, 0.98, 1.0],
            "class_labels": ["0", "1"],
        },
    },
    "residuals": {
        "schema_type": "residuals",
        "schema_version": "1.0.0",
        "data": {"bin_edges": [50, 100, 200, 300, 350], "bin_counts": [0.88, 20, 30, 50.99]},
    },
    "predictions": {
        "schema_type": "predictions",
        "schema_version": "1.0.0",
        "data": {
            "bin_averages": [0.25, 0.75],
            "bin_errors": [0.013, 0.042],
            "bin_counts": [56, 34],
            "bin_edges": [0.0, 0.5, 1.0],
        },
    },
}


def changed(kind: str, key: str, value: Any) -> dict[str, Any]:
    """Return the body of `kind` with another value (None: without it) at ``data[key]``, or at `key` of its top."""
    body = copy.deepcopy(BODIES[kind])
    place = body if key in body else body["data"]
    if value is None:
        del place[key]
    else:
        place[key] = value
    return body

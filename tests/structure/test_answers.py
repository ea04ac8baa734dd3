"""What the views make and what the HTTP API says that it answers have the same fields."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from aml_jupyter.jupyter.server import things
from aml_jupyter.views import (
    as_json,
    compute_rows,
    compute_view,
    experiment_rows,
    kinds_rows,
    run_rows,
    run_view,
    workspace_view,
)
from aml_jupyter.workspace import WorkspaceFolder, insert_run


def _first(view: Any) -> dict[str, Any]:
    shown = as_json(view)
    return dict(shown[0] if isinstance(shown, list) else shown)


@pytest.mark.parametrize("name", ["Run", "WholeRun", "Target", "WholeTarget", "Kind", "Experiment", "WorkspaceDetails"])
def test_fields_of_a_view_are_those_of_the_api(folder: WorkspaceFolder, name: str) -> None:
    with folder.store.transaction() as tx:
        insert_run(tx, {"id": "r1", "experiment": "e", "kind": "script"}, "Running", in_process=True)
    view = {
        "Run": lambda: run_rows(folder),
        "WholeRun": lambda: run_view(folder, "r1"),
        "Target": lambda: compute_rows(folder),
        "WholeTarget": lambda: compute_view(folder, "local"),
        "Kind": kinds_rows,
        "Experiment": lambda: experiment_rows(folder),
        "WorkspaceDetails": lambda: workspace_view(folder),
    }[name]()
    said = set(typing.get_type_hints(getattr(things, name)))
    assert set(_first(view)) == said, (
        "a view has another field: say so in aml_jupyter/jupyter/server/things.py, then "
        "python -m aml_jupyter.jupyter.server.openapi docs/openapi.json"
    )

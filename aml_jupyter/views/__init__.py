"""Own the one typed object for each thing that is shown, and the text, HTML, SVG and JSON made from it.

Views only read; none is needed for a run to end well. The names are imported when they are first used, so that a command
pays for nothing but what it shows.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aml_jupyter.views.children import ChildrenView, children_view
    from aml_jupyter.views.compare import RunComparison, run_comparison
    from aml_jupyter.views.compute import compute_rows, compute_view, kinds_rows
    from aml_jupyter.views.events import event_rows
    from aml_jupyter.views.experiments import experiment_rows, experiment_table
    from aml_jupyter.views.metrics import metric_series_view, metrics_view
    from aml_jupyter.views.models import model_rows, model_table, model_view
    from aml_jupyter.views.parts import RunDetails, SnapshotFiles, run_details, snapshot_files
    from aml_jupyter.views.run import RUN_TYPE, RunView, brief_run_view, log_path, run_view
    from aml_jupyter.views.run_configurations import run_configuration_rows
    from aml_jupyter.views.runs import RunRow, run_rows
    from aml_jupyter.views.snapshot import difference_view, snapshot_view
    from aml_jupyter.views.steering import SweepSettings, sweep_settings
    from aml_jupyter.views.view import TableView, View, as_html, as_json, as_text
    from aml_jupyter.views.workspace import (
        collected_rows,
        report_view,
        service_view,
        workspace_list_rows,
        workspace_view,
    )

__all__ = [
    "RUN_TYPE",
    "ChildrenView",
    "RunComparison",
    "RunDetails",
    "RunRow",
    "RunView",
    "SnapshotFiles",
    "SweepSettings",
    "TableView",
    "View",
    "as_html",
    "as_json",
    "as_text",
    "brief_run_view",
    "children_view",
    "collected_rows",
    "compute_rows",
    "compute_view",
    "difference_view",
    "event_rows",
    "experiment_rows",
    "experiment_table",
    "kinds_rows",
    "log_path",
    "metric_series_view",
    "metrics_view",
    "model_rows",
    "model_table",
    "model_view",
    "report_view",
    "run_comparison",
    "run_configuration_rows",
    "run_details",
    "run_rows",
    "run_view",
    "service_view",
    "snapshot_files",
    "snapshot_view",
    "sweep_settings",
    "workspace_list_rows",
    "workspace_view",
]

_MODULES = {
    "children": ("ChildrenView", "children_view"),
    "compare": ("RunComparison", "run_comparison"),
    "compute": ("compute_rows", "compute_view", "kinds_rows"),
    "events": ("event_rows",),
    "experiments": ("experiment_rows", "experiment_table"),
    "metrics": ("metric_series_view", "metrics_view"),
    "models": ("model_rows", "model_table", "model_view"),
    "parts": ("RunDetails", "SnapshotFiles", "run_details", "snapshot_files"),
    "run": ("RUN_TYPE", "RunView", "brief_run_view", "log_path", "run_view"),
    "run_configurations": ("run_configuration_rows",),
    "runs": ("RunRow", "run_rows"),
    "snapshot": ("difference_view", "snapshot_view"),
    "steering": ("SweepSettings", "sweep_settings"),
    "view": ("TableView", "View", "as_html", "as_json", "as_text"),
    "workspace": ("collected_rows", "report_view", "service_view", "workspace_list_rows", "workspace_view"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

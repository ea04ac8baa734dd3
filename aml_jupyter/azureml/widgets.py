"""Offer ``azureml.widgets.RunDetails``: what a run's handle shows, under SDK v1's name."""

from __future__ import annotations

from typing import Any

from aml_jupyter.sdk import Run

__all__ = ["RunDetails"]


class RunDetails:
    """Show a run in the notebook.

    Parameters
    ----------
    run_instance : Run
        The run to show.
    """

    def __init__(self, run_instance: Run) -> None:
        self.run = run_instance

    def show(self, render_lib: Any = None, widget_settings: Any = None) -> None:
        """Display the run, and keep what is shown up to date; both parameters are SDK v1's and change nothing."""
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        if get_ipython() is None:  # a plain script: there is no output to keep up to date
            display(self.run)
            return
        from aml_jupyter.jupyter.handle import RunHandle

        RunHandle(self.run.experiment.workspace.folder, self.run.id).display()

    def get_widget_data(self) -> dict[str, Any]:
        """Return what is shown, under SDK v1's names."""
        from aml_jupyter.views import run_view

        shown = run_view(self.run.experiment.workspace.folder, self.run.id).as_json()
        return {
            "status": shown["status"],
            "workbench_run_details_uri": None,
            "run_id": shown["id"],
            "run_properties": shown["properties"],
            "child_runs": shown["children"],
            "children_metrics": {},
            "run_metrics": shown["metrics"],
            "run_logs": "\n".join(shown["log_tail"]),
            "graph": {},
            "widget_settings": {},
        }

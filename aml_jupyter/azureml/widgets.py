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
        """Display the run's state, metrics and log as they are now; both parameters are SDK v1's and change nothing."""
        from IPython.display import display

        display(self.run)

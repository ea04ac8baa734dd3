"""Offer what scripts import beside ``azureml.core``: 2017's logger, and packages that only report or draw elsewhere."""

from typing import Any

from .run import Run
from .values import is_list

__all__ = ["AzureMLLogger", "RunDetails", "get_azureml_logger", "set_diagnostics_collection"]


class AzureMLLogger:
    """Be the logger of 2017's ``azureml.logging``: it logs to the run that this process belongs to."""

    def log(self, name: str, value: Any) -> None:
        """Log a scalar, or each item of a list, as values of the metric `name`."""
        run: Any = Run.get_context()
        if is_list(value) or isinstance(value, tuple) or (hasattr(value, "tolist") and hasattr(value, "__len__")):
            run.log_list(name, value)
        else:
            run.log(name, value)


def get_azureml_logger() -> AzureMLLogger:
    """Return the logger of this process's run (2017's function of ``azureml.logging``)."""
    return AzureMLLogger()


def set_diagnostics_collection(send_diagnostics: bool = True, *args: Any, **kwargs: Any) -> None:
    """Accept ``azureml.telemetry``'s switch, whatever it is set to: nothing is ever sent anywhere."""


class RunDetails:
    """Stand in for the widget of ``azureml.widgets`` inside a run, where nobody looks at a notebook.

    Parameters
    ----------
    run_instance : Run
        The run to show.
    """

    def __init__(self, run_instance: Any) -> None:
        self.run = run_instance

    def show(self, render_lib: Any = None, widget_settings: Any = None) -> None:
        """Print the run's id and state, and the command that shows it whole."""
        print("Run %s: %s (aml run show %s)" % (self.run.id, self.run.get_status(), self.run.id))

    def get_widget_data(self, widget_settings: Any = None) -> Any:
        """Return the run's details."""
        return self.run.get_details()

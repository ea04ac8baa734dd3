"""Own what a submit gives back in a notebook: a handle that shows itself and fetches the run's results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aml_jupyter.errors import ActivityFailedException, AmlError, ExperimentExecutionException
from aml_jupyter.sdk.outputs import load_outputs
from aml_jupyter.service import cancel_run, wait_for_run
from aml_jupyter.service.sweeps import KIND as SWEEP
from aml_jupyter.views import log_path, run_view
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_metrics, get_run
from aml_jupyter.workspace.states import FINAL

from .live import Bundle, LiveOutput, outputs
from .notebook import live_host, server_url

if TYPE_CHECKING:
    from aml_jupyter.sdk import Run

__all__ = ["RunFailed", "RunHandle", "has_front_end"]


class RunFailed(ActivityFailedException):
    """Report a failed run; a notebook shows the message alone, without the traceback of the waiting."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints in place of a traceback."""
        return [str(self)]


class RunHandle:
    """Stand for one submitted run: show it, wait for it, fetch what it made.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace that the run belongs to.
    run_id : str
        Its id.
    """

    def __init__(self, folder: WorkspaceFolder, run_id: str) -> None:
        self._folder = folder
        self.id = run_id

    @property
    def run(self) -> Run:
        """Return the run as the object that SDK v1's code knows."""
        from aml_jupyter.sdk import Run, Workspace

        return Run.get(Workspace(self._folder), self.id)

    @property
    def status(self) -> str:
        """Return the state the run is in now."""
        return self._record().status

    def wait(self, timeout: float | None = None) -> RunHandle:
        """Wait until the run is in a final state.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at the most.

        Raises
        ------
        RunFailed
            When the run failed or was canceled; the message ends with the end of its log, and the log's path.
        TimeoutError
            When `timeout` has passed and the run goes on.
        """
        record = wait_for_run(self._folder, self.id, timeout)
        if record.status not in FINAL:
            raise TimeoutError(f"Run {self.id} is {record.status} after {timeout:g} s; it goes on.")
        self.settle()
        if record.status != "Completed":
            raise RunFailed(_failure(record))
        return self

    def settle(self) -> None:
        """Bring the outputs of a run that has ended to their last state, before this returns."""
        if self.status in FINAL:
            outputs.settle(self.id)

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait for the run, and return the variables that ``-o`` names, by name; of a sweep, those of its best child.

        Raises
        ------
        RunFailed, TimeoutError
            As `wait` does.
        UserErrorException
            When the run was submitted without ``-o``.
        ExperimentExecutionException
            When the values are gone or are not what the run wrote.
        """
        self.wait(timeout)
        record = self._record()
        return load_outputs(self._folder, record if record.kind != SWEEP else self._best_child())

    def cancel(self) -> None:
        """Ask for the run's end; its process gets TERM within two seconds."""
        cancel_run(self._folder, self.id)

    def logs(self) -> str:
        """Return the run's log so far: standard output and standard error of its newest attempt."""
        path = log_path(self._folder, self._record())
        return path.read_text("utf-8", "replace") if path is not None and path.is_file() else ""

    def metrics(self) -> dict[str, Any]:
        """Return the run's metrics in the form of SDK v1's ``get_metrics``."""
        found: dict[str, Any] = get_metrics(self._folder.store.read(), self.id)
        return found

    def display(self) -> None:
        """Show the run here, and keep the output up to date until the run has ended."""
        from IPython.display import publish_display_data

        def send(bundle: Bundle, display_id: str) -> None:
            publish_display_data(bundle, transient={"display_id": display_id}, update=True)

        host = live_host()
        widget = self._widget() if host == "kernel" else {}
        output = LiveOutput(self._folder, self.id, lambda: self._bundle() | widget, send, is_live_anyway=host != "none")
        publish_display_data(output.render(), transient={"display_id": output.display_id})
        if has_front_end():
            outputs.follow(output)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return self._bundle()

    def _ipython_display_(self) -> None:
        self.display()

    def __getattr__(self, name: str) -> Any:
        """Return what the run has by that name: of a sweep, say, ``get_best_run_by_primary_metric``."""
        from aml_jupyter.sdk import HyperDriveRun, Run

        if not name.startswith("_") and (hasattr(Run, name) or hasattr(HyperDriveRun, name)):
            return getattr(self.run, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        try:
            of_the_run = dir(self.run)
        except AmlError:  # the workspace is gone; completion goes on
            of_the_run = []
        return sorted({*super().__dir__(), *(name for name in of_the_run if not name.startswith("_"))})

    def __repr__(self) -> str:
        return f"<RunHandle {self.id}: {self.status}>"

    def _bundle(self) -> Bundle:
        return run_view(self._folder, self.id).as_bundle(self._files_url())

    def _widget(self) -> Bundle:
        """Return the part of an output that is live where no server of ours is: what it asks, this kernel answers."""
        from .widget import run_widget

        return run_widget(self._folder, self.id)

    def _files_url(self) -> str | None:
        server = server_url()
        path = f"aml/api/workspaces/{self._folder.id}/runs/{quote(self.id)}/files/"
        return f"{server.rstrip('/')}/{path}" if server else None

    def _best_child(self) -> RunRecord:
        best = self.run.get_best_run_by_primary_metric()
        if best is None:
            raise ExperimentExecutionException(f"No child of the sweep {self.id} has logged its primary metric.")
        return get_run(self._folder.store.read(), best.id)

    def _record(self) -> RunRecord:
        return get_run(self._folder.store.read(), self.id)


def has_front_end() -> bool:
    """Tell whether outputs that were sent can be replaced: in a kernel they can, in a terminal they cannot."""
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def _failure(run: RunRecord) -> str:
    if run.status == "Canceled":
        return f"Run {run.id} was canceled" + (f": {run.reason}." if run.reason else ".")
    error = run.error or {}
    lines = [f"Run {run.id} failed: {error.get('message') or run.reason or 'no reason was given'}"]
    if error.get("log_tail"):
        lines.append(str(error["log_tail"]).rstrip())
    if error.get("log_path"):
        lines.append(f"The whole log: {error['log_path']}")
    return "\n".join(lines)

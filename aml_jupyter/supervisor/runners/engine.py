"""Drive papermill: kernels over IPC, progress by cell, one time limit, and a word on why a kernel died.

Imports papermill and nbclient, so only `notebook` imports it, in the run's own Python.
"""

import os
import resource
import shutil
import signal
import sys
import time
from importlib.util import find_spec
from typing import Any, List, Optional

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

from ..client.writer import EventsWriter
from ..faults import fault_point

__all__ = ["DeadKernel", "NoKernel", "TimeIsUp", "publish", "register"]

NAME = "aml"
NATIVE = "python3"


class DeadKernel(Exception):
    """Say that the kernel died, and of what, as far as that is known."""


class NoKernel(Exception):
    """Say that the run's Python has no kernel."""


class TimeIsUp(Exception):
    """Say that the notebook ran for as long as it may."""


def register(
    events: EventsWriter, folder: str, output: str, timeout: Optional[float], demanded: Optional[str] = None
) -> str:
    """Make an engine for one notebook known to papermill; return its name.

    Parameters
    ----------
    events : EventsWriter
        Where progress goes.
    folder : str
        A private folder with a short path, for the kernel's sockets and the notebook while it is written.
    output : str
        Where the notebook appears, replaced as a whole after each cell.
    timeout : float, optional
        Seconds for all cells together.
    demanded : str, optional
        The kernel that the submit names; it is not replaced by another one.
    """

    class Manager(NotebookExecutionManager):  # type: ignore[misc]
        def save(self, **kwargs: Any) -> None:
            self.nb.metadata.papermill["output_path"] = output
            super().save(**kwargs)
            publish(os.path.join(folder, "output.ipynb"), output)

        def cell_start(self, cell: Any, cell_index: Optional[int] = None, **kwargs: Any) -> None:
            super().cell_start(cell, cell_index, **kwargs)
            self._tell(cell, cell_index, 0)

        def cell_complete(self, cell: Any, cell_index: Optional[int] = None, **kwargs: Any) -> None:
            super().cell_complete(cell, cell_index, **kwargs)
            if not cell.metadata.papermill["exception"]:
                self._tell(cell, cell_index, 1)

        def _tell(self, cell: Any, index: Optional[int], ended: int) -> None:
            if cell.cell_type != "code" or index is None:
                return
            total = _code_cells(self.nb.cells)
            number = _code_cells(self.nb.cells[: index + 1])
            fields = {"v": number - 1 + ended, "of": total, "u": "cell", "m": "cell %d of %d" % (number, total)}
            events.event("progress", None, fields)

    class Engine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_notebook(cls, nb: Any, kernel_name: str, output_path: Optional[str] = None, **options: Any) -> Any:
            every = options.pop("autosave_cell_every", 30)
            manager = Manager(nb, output_path=output_path, progress_bar=False, autosave_cell_every=every)
            manager.notebook_start()
            try:
                for name in ("progress_bar", "log_output", "input_path", "start_timeout"):
                    options.pop(name, None)
                _Client(manager, folder, timeout, demanded, kernel_name=kernel_name, **options).execute()
            finally:
                manager.notebook_complete()
            return manager.nb

    papermill_engines.register(NAME, Engine)
    return NAME


def publish(written: str, output: str) -> None:
    """Put the notebook that papermill has written at its place, as a whole."""
    if not os.path.exists(written):
        return
    temporary = os.path.join(os.path.dirname(output), ".%s.part" % os.path.basename(output))
    with fault_point("notebook.publish"):
        shutil.copyfile(written, temporary)
        os.replace(temporary, output)


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    def __init__(
        self,
        manager: NotebookExecutionManager,
        folder: str,
        timeout: Optional[float],
        demanded: Optional[str],
        **options: Any,
    ) -> None:
        super().__init__(manager, startup_timeout=120, store_widget_state=False, **options)
        self._folder = folder
        self._demanded = demanded
        self._seconds = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._kernel_manager: Any = None
        if self._deadline is not None:
            self.timeout_func = self._seconds_left

    def _seconds_left(self, cell: Any) -> float:
        assert self._deadline is not None
        return max(0.01, self._deadline - time.monotonic())

    def create_kernel_manager(self) -> Any:
        manager = super().create_kernel_manager()
        manager.transport = "ipc"
        manager.connection_file = os.path.join(self._folder, "kernel.json")
        manager.kernel_spec_manager = _Kernels()
        manager.kernel_spec_manager.demanded = self._demanded
        self._kernel_manager = manager
        return manager

    def execute(self, **kwargs: Any) -> Any:
        try:
            return super().execute(**kwargs)
        except DeadKernelError as error:
            raise DeadKernel(self._cause_of_death()) from error
        except CellTimeoutError as error:
            raise TimeIsUp("the notebook ran for %g s, which is its limit" % (self._seconds or 0)) from error

    def _cause_of_death(self) -> str:
        provisioner = getattr(self._kernel_manager, "provisioner", None)
        process = getattr(provisioner, "process", None)
        code = process.poll() if process is not None else None
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
        if code is None or code == -signal.SIGKILL:
            cause = "the kernel died, likely out of memory"
        elif code < 0:
            cause = "the kernel died by %s" % signal.Signals(-code).name
        else:
            cause = "the kernel ended by itself with exit code %d" % code
        return "%s; its peak memory was %.0f MB" % (cause, peak / 1e6)


class _Kernels(KernelSpecManager):  # type: ignore[misc]
    """Find kernels, the plain Python one in this interpreter always.

    A ``python3`` that the user once installed for another interpreter must not take the run's place, and a notebook that
    was written with a kernel which only its author has runs with the run's Python. `demanded` is what the submit asks for.
    """

    demanded: Optional[str] = None

    def get_kernel_spec(self, kernel_name: str) -> Any:
        if kernel_name != NATIVE:
            try:
                return super().get_kernel_spec(kernel_name)
            except NoSuchKernel:
                if kernel_name == self.demanded:
                    known = ", ".join(sorted({NATIVE, *self.find_kernel_specs()}))
                    raise NoKernel("there is no kernel %r for this run; known: %s" % (kernel_name, known)) from None
                print("aml: there is no kernel %r here; the run's Python, %s, is used" % (kernel_name, sys.executable))
        if find_spec("ipykernel_launcher") is None:
            raise NoKernel(
                "a Python notebook needs ipykernel in the run's Python, %s, and it is not there. Install it "
                "(%s -m pip install ipykernel), or choose an interpreter that has it."
                % (sys.executable, sys.executable)
            )
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python", resource_dir="")


def _code_cells(cells: List[Any]) -> int:
    return sum(cell.cell_type == "code" for cell in cells)

"""Execute a parameterised notebook with papermill, and say how far it is.

``python <archive> notebook <control>`` reads ``control/notebook.json``::

    {"input": "<path relative to the working directory>", "output": "outputs/train.ipynb", "parameters": {..},
     "kernel": null or a kernel's name, "timeout": null or seconds for the whole notebook}

papermill and ipykernel come from the run's own Python. The output notebook is replaced as a whole after each cell.
"""

import os
import re
import signal
import sys
import tempfile
import traceback
from typing import Any, Dict, Optional

from ..client.writer import EventsWriter
from ..protocol import LAUNCH, read_json

__all__ = ["run_notebook"]

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run_notebook(control: str) -> int:
    """Execute the notebook of the control folder `control` in the current working directory; return the exit code."""
    # The zip stood first: a notebook's folder must not see its modules as top-level ones.
    sys.path.pop(0)
    events = EventsWriter(control)
    job = read_json(os.path.join(control, "notebook.json"))
    if job is None:
        return _fail(events, "ConfigurationError", "%s is missing" % os.path.join(control, "notebook.json"))
    try:
        import papermill

        from .engine import DeadKernel, NoKernel, TimeIsUp, register
    except ImportError as error:
        return _fail(events, "ImportError", _what_is_missing(error))
    # Cancel ends this process by TERM: as an exception, so that the kernel and its files go, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    os.environ["JPY_SESSION_NAME"] = os.path.abspath(job["input"])
    os.environ.setdefault("AML_RUN_ID", str((read_json(os.path.join(control, LAUNCH)) or {}).get("run_id", "")))
    output = os.path.abspath(job["output"])
    os.makedirs(os.path.dirname(output), exist_ok=True)
    # A short path: the kernel's sockets lie in here, and their names are limited to about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="aml-") as folder:
        engine = register(events, folder, output, job.get("timeout"), job.get("kernel"))
        try:
            papermill.execute_notebook(
                job["input"],
                os.path.join(folder, "output.ipynb"),
                parameters=job.get("parameters") or {},
                engine_name=engine,
                kernel_name=job.get("kernel"),
                progress_bar=False,
                log_output=False,
                stdout_file=sys.stdout,
                stderr_file=sys.stderr,
                autosave_cell_every=30,
            )
        except papermill.PapermillExecutionError as error:
            _publish(folder, output)
            return _report_cell(events, error)
        except (DeadKernel, NoKernel, TimeIsUp) as error:
            return _fail(events, type(error).__name__, str(error))
        except Exception as error:
            return _fail(events, type(error).__name__, _first_line(error), traceback.format_exc())
        _publish(folder, output)
    return 0


def _publish(folder: str, output: str) -> None:
    from .engine import publish

    publish(os.path.join(folder, "output.ipynb"), output)


def _what_is_missing(error: ImportError) -> str:
    return (
        "a notebook runs through papermill, which cannot be imported by this run's Python, %s: %s. Install it there "
        "(%s -m pip install papermill ipykernel), or choose an interpreter that has it."
        % (sys.executable, error, sys.executable)
    )


def _report_cell(events: EventsWriter, error: Any) -> int:
    trace = COLOURS.sub("", "\n".join(error.traceback))
    where = "cell %s of the notebook failed" % error.exec_count
    return _fail(events, error.ename, "%s: %s: %s" % (where, error.ename, error.evalue), trace)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return "%s: %s" % (type(error).__name__, lines[0] if lines else "no message")


def _fail(events: EventsWriter, kind: str, message: str, trace: Optional[str] = None) -> int:
    fields: Dict[str, Any] = {"type": kind, "m": message, "trace": trace or ""}
    sys.stdout.flush()
    sys.stderr.write("%saml: %s\n" % (trace.rstrip("\n") + "\n" if trace else "", message))
    sys.stderr.flush()
    events.event("error", None, fields)
    return 1

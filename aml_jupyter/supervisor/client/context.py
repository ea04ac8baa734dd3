"""Know which run this process belongs to."""

import os
import sys
import threading
from typing import Dict, Optional, Tuple

from .errors import RunEnvironmentException
from .offline import OfflineRun
from .own import SubmittedRun
from .requests import Requests
from .run import Run
from .workspace import Experiment

__all__ = ["current_requests", "get_context"]

_TWINS = ("aml_supervisor.client.context", "aml_jupyter.supervisor.client.context")

_lock = threading.Lock()
_runs: Dict[Tuple[str, str], Run] = {}  # (control folder, run id) -> the run; ("", "") is the offline run


def get_context(allow_offline: bool = True) -> Run:
    """Return the run that this process belongs to, one object per process and run.

    Parameters
    ----------
    allow_offline : bool
        Whether a process that is no submitted run gets the offline run.

    Raises
    ------
    RunEnvironmentException
        When the process is no submitted run and `allow_offline` is False.
    """
    control, run_id = os.environ.get("AML_CONTROL", ""), os.environ.get("AML_RUN_ID", "")
    submitted = bool(control and run_id)
    if not submitted and not allow_offline:
        raise RunEnvironmentException(
            "this process is not a submitted run: AML_CONTROL and AML_RUN_ID are not set. Submit the script with "
            "`aml submit`, %aml_submit or Experiment.submit, or call Run.get_context() for a run kept in memory"
        )
    key = (control, run_id) if submitted else ("", "")
    with _lock:
        run = _runs.get(key) or _of_twin(key)
        if run is None:
            run = _submitted(control, run_id) if submitted else OfflineRun()
        _runs[key] = run
    return run


def current_requests() -> Optional[Requests]:
    """Return the way to the service from inside a submitted run, or None outside one."""
    control = os.environ.get("AML_CONTROL")
    if not control or not os.environ.get("AML_RUN_ID"):
        return None
    return Requests(control)


def _submitted(control: str, run_id: str) -> SubmittedRun:
    name = os.environ.get("AML_EXPERIMENT")
    return SubmittedRun(Experiment(name=name) if name else None, run_id, control)


def _of_twin(key: Tuple[str, str]) -> Optional[Run]:
    """Return the run that the other copy of this module made: the installed package's, or the one that travels."""
    for name in _TWINS:
        twin = sys.modules.get(name)
        if twin is not None and name != __name__:
            found: Optional[Run] = twin.__dict__.get("_runs", {}).get(key)
            if found is not None:
                return found
    return None

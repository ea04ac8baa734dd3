"""Own how a sweep samples, what its policies stop, and what its controller does next: rows in, actions out.

Nothing here reads a clock, a file or a database. NumPy is imported when a sampler is made, SciPy when one needs it (Sobol and
Bayesian sampling; ``pip install 'aml-jupyter[hyperdrive]'``), Optuna when it was asked for.
"""

from __future__ import annotations

from aml_jupyter.hyperdrive.changes import Changed, check_added, check_limits, check_space, with_changes
from aml_jupyter.hyperdrive.controller import step
from aml_jupyter.hyperdrive.curves import Curve
from aml_jupyter.hyperdrive.ended import Ended, trial_of
from aml_jupyter.hyperdrive.policies import is_due, is_policy_reason, reason_to_stop, silence_reason
from aml_jupyter.hyperdrive.replay import Replay, Stop, replay
from aml_jupyter.hyperdrive.rows import (
    Action,
    Child,
    Chosen,
    FinishSweep,
    Judged,
    ReleaseChild,
    Say,
    StartChild,
    StopChild,
    Sweep,
)
from aml_jupyter.hyperdrive.sampler import Sampler
from aml_jupyter.hyperdrive.trial import Trial

__all__ = [
    "Action",
    "Changed",
    "Child",
    "Chosen",
    "Curve",
    "Ended",
    "FinishSweep",
    "Judged",
    "ReleaseChild",
    "Replay",
    "Sampler",
    "Say",
    "StartChild",
    "Stop",
    "StopChild",
    "Sweep",
    "Trial",
    "check_added",
    "check_limits",
    "check_space",
    "is_due",
    "is_policy_reason",
    "reason_to_stop",
    "replay",
    "silence_reason",
    "step",
    "trial_of",
    "with_changes",
]

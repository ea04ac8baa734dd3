"""Own what a person writes about a sweep: expressions, sampling, termination policies, `HyperDriveConfig` and ``hdconfig.yml``.

Data and YAML only: what samples, judges and runs is `aml_jupyter.hyperdrive` and the service.
"""

from __future__ import annotations

from aml_jupyter.config.sweeps.expressions import (
    choice,
    lognormal,
    loguniform,
    normal,
    qlognormal,
    qloguniform,
    qnormal,
    quniform,
    randint,
    uniform,
)
from aml_jupyter.config.sweeps.goal import PrimaryMetricGoal
from aml_jupyter.config.sweeps.hdconfig import find_hdconfig, read_hdconfig
from aml_jupyter.config.sweeps.hyperdrive_config import HyperDriveConfig
from aml_jupyter.config.sweeps.more_policies import AshaPolicy, HyperbandPolicy
from aml_jupyter.config.sweeps.policies import (
    BanditPolicy,
    EarlyTerminationPolicy,
    MedianStoppingPolicy,
    NoTerminationPolicy,
    TruncationSelectionPolicy,
)
from aml_jupyter.config.sweeps.sampling import (
    BayesianParameterSampling,
    GridParameterSampling,
    HyperParameterSampling,
    RandomParameterSampling,
    variable_names,
)

__all__ = [
    "AshaPolicy",
    "BanditPolicy",
    "BayesianParameterSampling",
    "EarlyTerminationPolicy",
    "GridParameterSampling",
    "HyperDriveConfig",
    "HyperParameterSampling",
    "HyperbandPolicy",
    "MedianStoppingPolicy",
    "NoTerminationPolicy",
    "PrimaryMetricGoal",
    "RandomParameterSampling",
    "TruncationSelectionPolicy",
    "choice",
    "find_hdconfig",
    "lognormal",
    "loguniform",
    "normal",
    "qlognormal",
    "qloguniform",
    "qnormal",
    "quniform",
    "randint",
    "read_hdconfig",
    "uniform",
    "variable_names",
]

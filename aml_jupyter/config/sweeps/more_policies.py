"""Define two policies beyond SDK v1's: successive halving that waits for nobody (ASHA), and Hyperband over it."""

from __future__ import annotations

from typing import Any

from aml_jupyter.config.reading import Place, read_number
from aml_jupyter.config.sweeps.policies import EarlyTerminationPolicy


class AshaPolicy(EarlyTerminationPolicy):
    """Stop a child at a rung unless it is among the best ``1 / reduction_factor`` (rounded up) that reached it.

    Rungs are the intervals ``grace * reduction_factor ** k``. After Li et al., "A System for Massively Parallel Hyperparameter
    Tuning" (MLSys 2020), in the form that stops instead of pausing.

    Parameters
    ----------
    reduction_factor : int
        At least 2.
    grace : int
        The first rung (intervals, at least 1).
    max_intervals : int, optional
        Rungs above it are left out.
    """

    POLICY_NAME = "Asha"
    _settings = ("grace", "max_intervals", "reduction_factor")

    def __init__(
        self, reduction_factor: int = 3, grace: int = 1, max_intervals: int | None = None, **guards: Any
    ) -> None:
        self.reduction_factor = read_number(reduction_factor, Place(keys=("reduction_factor",)), 2)
        self.grace = read_number(grace, Place(keys=("grace",)), 1)
        place = Place(keys=("max_intervals",))
        self.max_intervals = None if max_intervals is None else read_number(max_intervals, place, self.grace)
        settings = {"reduction_factor": self.reduction_factor, "grace": self.grace}
        if self.max_intervals is not None:
            settings["max_intervals"] = self.max_intervals
        super().__init__(self.POLICY_NAME, settings, **guards)


class HyperbandPolicy(EarlyTerminationPolicy):
    """Spread the children over brackets of ASHA whose first rungs lie one factor apart.

    After Li et al., "Hyperband" (JMLR 2018), in the form that stops instead of pausing. A child's bracket depends on its
    number only.

    Parameters
    ----------
    max_intervals : int
        How many values of the primary metric a whole child logs.
    reduction_factor : int
        At least 2.
    """

    POLICY_NAME = "Hyperband"
    _settings = ("max_intervals", "reduction_factor")

    def __init__(self, max_intervals: int, reduction_factor: int = 3, **guards: Any) -> None:
        self.reduction_factor = read_number(reduction_factor, Place(keys=("reduction_factor",)), 2)
        self.max_intervals = read_number(max_intervals, Place(keys=("max_intervals",)), 1)
        settings = {"max_intervals": self.max_intervals, "reduction_factor": self.reduction_factor}
        super().__init__(self.POLICY_NAME, settings, **guards)

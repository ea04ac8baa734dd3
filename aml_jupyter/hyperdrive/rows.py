"""Define the rows that a sweep's controller reads, and the actions that it answers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aml_jupyter.hyperdrive.curves import Curve
from aml_jupyter.hyperdrive.trial import Trial

if TYPE_CHECKING:
    from aml_jupyter.hyperdrive.ended import Ended

__all__ = [
    "Action",
    "Child",
    "Chosen",
    "FinishSweep",
    "Judged",
    "ReleaseChild",
    "Say",
    "StartChild",
    "StopChild",
    "Sweep",
]

FINAL = ("Completed", "Failed", "Canceled")


@dataclass(frozen=True)
class Child:
    """Hold one child, as its rows tell it.

    Parameters
    ----------
    number : int
        From 0, in order of creation.
    parameters : dict
        Its hyperparameters.
    status : str
        Its run's state.
    values : tuple of float
        What it has logged of the primary metric.
    started, ended, last_logged : float, optional
        Times (s).
    judged : int
        Up to which interval the policy has judged it.
    stop_reason : str, optional
        Why it was asked to stop, where it was.
    other_metrics : tuple of str
        Names that it has logged beside the primary metric.
    error : str
        What a failed one said last.
    is_by_hand : bool
        A person chose its parameters: it takes no place of the sampler's.
    """

    number: int
    parameters: Mapping[str, Any]
    status: str = "Queued"
    values: Sequence[float] = ()
    started: float | None = None
    ended: float | None = None
    last_logged: float | None = None
    judged: int = 0
    stop_reason: str | None = None
    other_metrics: Sequence[str] = ()
    error: str = ""
    is_by_hand: bool = False

    @property
    def is_final(self) -> bool:
        """Say whether its run has ended."""
        return self.status in FINAL

    @property
    def is_spare(self) -> bool:
        """Say whether it was made ahead, and waits for another one's end."""
        return self.status == "NotStarted"

    @cached_property
    def curve(self) -> Curve:
        """Return its values as policies look at them."""
        return Curve(self.number, self.values, not self.is_final)


@dataclass(frozen=True)
class Chosen:
    """Hold the parameters of a child that nobody samples.

    Parameters
    ----------
    parameters : dict
        Its hyperparameters.
    resume_from : str, optional
        The ended child that it goes on from; None where a person chose the parameters.
    """

    parameters: Mapping[str, Any]
    resume_from: str | None = None


@dataclass(frozen=True)
class Sweep:
    """Hold a sweep, as its rows tell it.

    Parameters
    ----------
    definition : dict
        As `HyperDriveConfig.to_dict` writes it, with the totals that hold now.
    open : sequence of Child
        Children that have not ended, in order of their numbers.
    ended : Ended
        What the others contribute.
    started : float
        When it began (s).
    is_paused : bool
        It starts no children for now.
    is_cancel_requested : bool
        It shall end.
    prior : sequence of Trial
        Children of the sweeps that it resumes from.
    prior_curves : sequence of Curve
        What these logged, for the policy; their numbers are below 0.
    said : tuple of str
        What was said about it.
    chosen : sequence of Chosen
        Children that are not sampled, in the order in which they are started: before all others.
    may_repeat : bool
        A grid starts from its first combination whatever `prior` has; otherwise what was tried is left out.
    spares : int
        How many children are made ahead where results do not matter for their parameters, so that the next one can start at once.
    """

    definition: Mapping[str, Any]
    open: Sequence[Child]
    ended: Ended
    started: float
    is_paused: bool = False
    is_cancel_requested: bool = False
    prior: Sequence[Trial] = ()
    prior_curves: Sequence[Curve] = ()
    said: Sequence[str] = field(default=())
    chosen: Sequence[Chosen] = ()
    may_repeat: bool = True
    spares: int = 0

    @property
    def count(self) -> int:
        """Return how many children there are."""
        return len(self.open) + self.ended.count

    @property
    def by_hand(self) -> int:
        """Return how many of them a person has chosen."""
        return self.ended.by_hand + sum(child.is_by_hand for child in self.open)

    @property
    def total(self) -> int:
        """Return how many children there shall be: those that a person added count besides."""
        by_hand = sum(each.resume_from is None for each in self.chosen)
        return int(self.definition["max_total_jobs"]) + by_hand


@dataclass(frozen=True)
class StartChild:
    """Create a child with these parameters, which were `chosen` where they were not sampled; a spare one waits."""

    number: int
    parameters: Mapping[str, Any]
    chosen: Chosen | None = None
    is_spare: bool = False


@dataclass(frozen=True)
class ReleaseChild:
    """Queue a spare child."""

    number: int


@dataclass(frozen=True)
class StopChild:
    """Ask a child to end, and write down why."""

    number: int
    reason: str


@dataclass(frozen=True)
class Judged:
    """Remember up to which interval the policy has judged a child."""

    number: int
    interval: int


@dataclass(frozen=True)
class Say:
    """Tell the person something about the sweep, once."""

    text: str


@dataclass(frozen=True)
class FinishSweep:
    """End the sweep."""

    status: str
    reason: str


Action = StartChild | ReleaseChild | StopChild | Judged | Say | FinishSweep

"""Define what every compute target can be asked, and the values that go in and out.

An engine only places the supervisor; the supervisor's files decide what happened (see `supervisor/protocol.py`). All acts are
idempotent: a second `stage` or `start` of the same handle finds the first one's work.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ["Capacity", "CheckReport", "Container", "Handle", "Launch", "Needs", "Observation", "Paths", "Target"]


@dataclass(frozen=True)
class Handle:
    """Describe one attempt of one run on one target: known before anything is started there."""

    target: str
    run_id: str
    attempt: int

    def as_dict(self) -> dict[str, Any]:
        """Return the handle as it is stored."""
        return {"target": self.target, "run_id": self.run_id, "attempt": self.attempt}


@dataclass(frozen=True)
class Needs:
    """Say what a run takes up while it runs: cores and GPUs (counts), memory (bytes), and the Docker engine it needs."""

    cores: int = 1
    gpus: int = 0
    memory: int = 0
    engine: str = ""


@dataclass(frozen=True)
class Container:
    """Say in which container an attempt runs; on whatever target that has a Docker engine.

    Parameters
    ----------
    image : str
        The id that the engine knows it by.
    engine : str
        The engine's address, as ``DOCKER_HOST`` has it.
    python : str
        The path of the image's Python; empty when it has none.
    version : str
        That Python's version, where it is known.
    shm_size : str
        Shared memory, such as ``2g``; the engine's default (64m) when empty.
    arguments : tuple of str
        Options of ``docker run``, see `container_options`.
    """

    image: str
    engine: str
    python: str = ""
    version: str = ""
    shm_size: str = ""
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paths:
    """Say where an attempt lies on its target, as the processes there see it."""

    work: str
    control: str
    archive: str
    site: str
    python: str = ""
    """The Python that runs there unless the run names another one; empty where that is the submitter's."""
    inputs: str = ""
    """Where the run's inputs lie there; empty where that is the workspace's folder."""
    environments: str = ""
    """Where environments are built there; empty where they are built here."""


@dataclass(frozen=True)
class Launch:
    """Everything that a target has to know to stage and start one attempt.

    `command` and `environment` are complete; relative paths in `command` are resolved from the working directory.
    `control_files` are JSON files that are put into the control folder (cell.json, notebook.json).
    """

    token: str
    epoch: int
    command: tuple[str, ...]
    environment: dict[str, str]
    snapshot: str | None
    needs: Needs
    max_seconds: float | None
    grace_seconds: float
    control_files: dict[str, dict[str, Any]] = field(default_factory=dict)
    container: Container | None = None
    python: str = ""
    """The interpreter of the run on another machine, which ``python`` is to mean there."""
    recipe: dict[str, Any] | None = None
    """What has to be built there before the run can start."""
    inputs_here: str = ""
    """The folder here with the values that were sent along, which may be missing."""

    @property
    def inputs(self) -> str | None:
        """Return the folder with the values sent to a cell, which the run reads; None for other runs."""
        cell = self.control_files.get("cell.json")
        return None if cell is None else str(cell["cloudpickle"])


@dataclass(frozen=True)
class Observation:
    """Say what a target saw of one attempt.

    ``absent``: nothing was started; ``running``: the supervisor lives; ``silent``: it lives but its heartbeat is old, or
    it cannot be judged from here; ``ended``: result.json is there; ``lost``: started, no result, and no supervisor any more.
    """

    state: Literal["absent", "running", "silent", "ended", "lost"]
    attempt: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    message: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    requests: tuple[str, ...] = ()
    explanation: str = ""
    """What an engine says of it, where there is one: never what decides."""


@dataclass(frozen=True)
class Capacity:
    """Say how much room a target has, and why not more."""

    total: int
    free: int
    explanation: str


@dataclass(frozen=True)
class CheckReport:
    """Say what a target is made of and what is wrong with it."""

    facts: dict[str, Any]
    problems: tuple[str, ...] = ()


class Target(Protocol):
    """Place supervisors on one compute target and read their files."""

    name: str
    is_remote: bool
    """True where an attempt's files lie on another machine until `collect`, and asking takes a link."""

    @property
    def max_parallel(self) -> int | None:
        """How many cores the runs of this target get at once; None where only the target knows."""

    def check(self) -> CheckReport:
        """Report what is there and what is wrong."""

    def capacity(self) -> Capacity:
        """Report what is free, and why not more."""

    def refusal(self, needs: Needs) -> str | None:
        """Return why `needs` can never be met here, or None."""

    def paths(self, handle: Handle) -> Paths:
        """Return where the attempt lies on the target."""

    def reserve(self, handle: Handle, needs: Needs) -> str | None:
        """Take room for `handle` and return None, or return what it has to wait for."""

    def release(self, handle: Handle) -> None:
        """Give back room that was reserved and not handed over by `start`."""

    def is_away(self, needs: Needs) -> bool:
        """Tell whether something is away that `needs` names, and other runs of the target may do without."""

    def withdraw(self, handle: Handle, needs: Needs) -> str | None:
        """Give back the room of an attempt whose place is away, and return what it waits for.

        None when the place is there, or the attempt may have started there.
        """

    def stage(self, handle: Handle, launch: Launch) -> None:
        """Put the snapshot and the launch file in place."""

    def start(self, handle: Handle, holds: Sequence[int] = ()) -> None:
        """Start the supervisor, which keeps the reserved room and the descriptors `holds` as long as it lives."""

    def start_at_once(self, handle: Handle) -> bool:
        """Start what was staged if that takes a moment only; False when nothing was done, and `start` has to be called."""

    def observe(self, handles: Sequence[Handle]) -> dict[Handle, Observation]:
        """Look at all `handles` in one round trip."""

    def read(self, handle: Handle, file: str, offset: int, size: int = ...) -> bytes:
        """Return up to `size` bytes of the control file `file` from `offset`."""

    def forbid(self, handle: Handle, reason: str) -> bool:
        """Make sure that an attempt that has not started never will; False when it has started."""

    def cancel(self, handle: Handle, grace_seconds: float, reason: str) -> None:
        """Ask the supervisor to end the run."""

    def bury(self, handle: Handle, reason: str, message: str) -> dict[str, Any]:
        """End what survived a lost supervisor, write the attempt's result unless there is one, and return it."""

    def deliver(self, handle: Handle, file: str) -> None:
        """Have a file that the service wrote into the control folder here reach the attempt."""

    def gather(self, handle: Handle, request: dict[str, Any]) -> None:
        """Bring here what a request of the attempt speaks of; may wait for it."""

    def collect(self, handle: Handle) -> None:
        """Bring outputs and logs into the workspace's copy of the attempt's folder."""

    def clean(self, handle: Handle) -> None:
        """Remove what the attempt left on the target outside the workspace."""

    def lend(self, handle: Handle, path: str) -> str:
        """Return where the attempt finds the workspace's file or folder `path`: absolute, or relative to control/."""

    def tidy(self, keep: Collection[Handle]) -> bool:
        """Remove, without waiting for it, what attempts other than `keep` left on the target; may be called often.

        Returns True while something is being removed.
        """

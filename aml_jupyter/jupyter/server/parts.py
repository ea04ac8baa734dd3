"""Define further things that answers of the HTTP API tell of: what the run view and the panel ask for on demand."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = [
    "Children",
    "Comparison",
    "Environment",
    "Match",
    "Model",
    "RunConfigurationEntry",
    "SnapshotFile",
    "SweepAxis",
    "SweepNow",
]


class Children(TypedDict):
    """The children of a run, oldest first: a list for each column. Times are Unix seconds."""

    id: list[str]
    name: list[str]
    status: list[str]
    reason: list[str]
    target: list[str]
    created: list[float]
    started: list[float | None]
    ended: list[float | None]
    parameters: dict[str, list[Any]]
    """A column for each."""
    metrics: dict[str, list[float | str | None]]
    """The last value; of a sweep's primary metric the best one."""
    positions: dict[str, list[float | None]]
    """Where each value of a sweep's parameter lies on its axis, from 0 to 1 by its expression; null where it is not on it."""
    metric: str | None
    """A sweep's primary metric."""
    goal: str | None


class SweepAxis(TypedDict):
    """A parameter of a sweep as an axis."""

    name: str
    expression: str
    low: str
    """What stands at its lower end."""
    high: str
    options: list[Any]
    """The values of a choice, if they are few."""
    centres: list[float]
    """Where they lie, from 0 to 1."""


class SweepNow(TypedDict):
    """A sweep's limits and parameters after all changes."""

    paused: bool
    open: bool
    """It has not ended."""
    added: int
    """How many children were added by hand; they count beside `max_total_runs`."""
    max_total_runs: int
    max_concurrent_runs: int
    max_duration_minutes: int
    axes: list[SweepAxis]


class Match(TypedDict):
    """A line of a log in which a text was found."""

    offset: int
    """First byte of the line."""
    line: str


class SnapshotFile(TypedDict):
    """A file of a snapshot."""

    name: str
    size: int


class Comparison(TypedDict):
    """Runs side by side: for each section, fields with a value for each run and whether they differ."""

    runs: list[str]
    run: dict[str, Any]
    arguments: dict[str, Any]
    parameters: dict[str, Any]
    environment: dict[str, Any]
    metrics: dict[str, Any]
    tags: dict[str, Any]
    properties: dict[str, Any]
    files: dict[str, Any]
    snapshot: list[dict[str, Any] | None]
    """Names that were added, removed and changed since the first run's."""


class Model(TypedDict):
    """A version of a registered model."""

    id: str
    name: str
    version: int
    created_time: str | None
    modified_time: str | None
    run_id: str | None
    experiment_name: str | None
    description: str | None
    framework: str | None
    framework_version: str | None
    tags: dict[str, str]
    properties: dict[str, str]
    root: str
    files: int
    size: int


class Environment(TypedDict):
    """An environment of a workspace, or a curated one."""

    id: str
    name: str
    version: str | None
    created_time: str | None
    autosaved: bool
    curated: bool
    kind: str
    title: str
    state: str
    asked_id: str | None
    resolved_id: str | None
    resolved_time: str | None
    size: int | None
    size_own: int | None
    last_used_time: str | None
    path: str | None
    image: str | None


class RunConfigurationEntry(TypedDict):
    """A run configuration of a project's folder; all but name and remark are null for one that cannot be read."""

    name: str
    target: str | None
    framework: str | None
    script: str | None
    environment: str | None
    remark: str | None
    """Why it cannot be read, or what was noticed in it."""
    readable: bool

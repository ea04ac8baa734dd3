"""Define what a client may send: one frozen dataclass for each JSON body and each query string.

The answers are the views' JSON (`aml_jupyter.views`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from .bounds import Between

__all__ = [
    "AttachTargetBody",
    "CancelBody",
    "ChildrenQuery",
    "CompareQuery",
    "CreateTargetBody",
    "DownloadQuery",
    "LogQuery",
    "MatchesQuery",
    "MetricQuery",
    "NoBody",
    "NoQuery",
    "RunConfigurationsQuery",
    "RunQuery",
    "RunsQuery",
    "SnapshotQuery",
    "SubmitBody",
    "SweepChildBody",
    "SweepLimitsBody",
    "TagsBody",
    "UpdateTargetBody",
]


@dataclass(frozen=True)
class NoQuery:
    """Describe a query string that has nothing in it."""


@dataclass(frozen=True)
class NoBody:
    """Describe a body that has nothing in it; it may be left out."""


@dataclass(frozen=True)
class RunsQuery:
    """Which runs to list, the newest first."""

    limit: Annotated[int, Between(1, 500)] = 50
    before: int | None = None
    """Only runs older than this `seq`: the ``next`` of the page before."""
    experiment: str | None = None
    status: str | None = None
    """One state, or several with commas between them."""
    target: str | None = None
    parent: str | None = None
    """Only children of this run; without it, children are left out unless `children` is true."""
    children: bool = False
    hidden: bool = False


@dataclass(frozen=True)
class RunQuery:
    """How much of a run to tell."""

    brief: bool = False
    """Leave out the end of the log, metrics, outputs and children: each has a page of its own."""


@dataclass(frozen=True)
class ChildrenQuery:
    """Which children of a run to list."""

    run: str | None = None
    """Id of one, or of several with commas between them; all if left out."""


@dataclass(frozen=True)
class SnapshotQuery:
    """Which run to compare a snapshot with."""

    other: str | None = None
    """Id of a run."""


@dataclass(frozen=True)
class CompareQuery:
    """Which runs to put side by side."""

    runs: str
    """Ids with commas between them, 2 to 20."""
    only_differences: bool = False


@dataclass(frozen=True)
class RunConfigurationsQuery:
    """Whose run configurations to list."""

    source_directory: str = ""
    """Folder: absolute or relative to the server's root directory, and inside it."""


@dataclass(frozen=True)
class SubmitBody:
    """Say what to run, where and how; exactly one of `script`, `notebook` and `command`."""

    source_directory: str = ""
    """Folder that is snapshotted: absolute or relative to the server's root directory, and inside it."""
    script: str | None = None
    notebook: str | None = None
    command: str | list[str] | None = None
    arguments: list[str | int | float] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    """Of a notebook: papermill's parameters."""
    target: str | None = None
    experiment: str | None = None
    """The name of the source directory if left out."""
    run_configuration: str | None = None
    """Name of a run configuration of the source directory."""
    environment: str | None = None
    """A registered environment, ``name`` or ``name:version``; the run configuration's if left out."""
    environment_variables: dict[str, str] = field(default_factory=dict)
    display_name: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    priority: int = 0
    cores: Annotated[int, Between(1)] = 1
    gpus: Annotated[int, Between(0)] = 0
    memory: Annotated[int, Between(0)] = 0
    """Bytes."""
    max_retries: Annotated[int, Between(0)] = 0
    max_run_duration_seconds: int | None = None
    grace_seconds: Annotated[float, Between(0)] = 10


@dataclass(frozen=True)
class CancelBody:
    """Why a run is to end."""

    reason: str = ""


@dataclass(frozen=True)
class SweepLimitsBody:
    """Say what a sweep may use up; null leaves a limit as it is."""

    max_total_runs: Annotated[int, Between(1)] | None = None
    """Children in all, with those that there are."""
    max_concurrent_runs: Annotated[int, Between(1)] | None = None
    max_duration_minutes: Annotated[int, Between(1)] | None = None
    """From its beginning."""


@dataclass(frozen=True)
class SweepChildBody:
    """Describe a child that is added to a sweep by hand."""

    parameters: dict[str, str | int | float | bool]
    """A value of each parameter of the sweep, also outside of its space."""


@dataclass(frozen=True)
class TagsBody:
    """Say which tags to set; null removes one."""

    tags: dict[str, str | None]


@dataclass(frozen=True)
class LogQuery:
    """Which part of a log to read."""

    offset: Annotated[int, Between(0)] = 0
    """First byte."""
    limit: Annotated[int, Between(1, 4 * 1024 * 1024)] = 256 * 1024
    """Bytes at the most."""
    end: Annotated[int, Between(0)] | None = None
    """Read the stretch that ends at this byte, from the beginning of a line, instead of the one that begins at `offset`; a
    number beyond the log's size means its end."""
    file: str | None = None
    """Name of a log file of the run; the standard output and error if left out."""
    attempt: Annotated[int, Between(1)] | None = None
    """Which attempt; the newest if left out."""


@dataclass(frozen=True)
class MatchesQuery:
    """What to look for in a log, and from where on."""

    text: str
    """Not empty; upper and lower case are the same."""
    offset: Annotated[int, Between(0)] = 0
    """First byte."""
    limit: Annotated[int, Between(1, 1000)] = 100
    """Matching lines at the most."""
    file: str | None = None
    attempt: Annotated[int, Between(1)] | None = None


@dataclass(frozen=True)
class MetricQuery:
    """Say how finely to draw a metric."""

    points: Annotated[int, Between(10, 10_000)] = 2000
    times: bool = False
    """Tell the points' times, too."""
    binary: bool = False
    """Send the points as little-endian float64, not as JSON: `series` says how."""


@dataclass(frozen=True)
class DownloadQuery:
    """Say how to serve a file."""

    download: bool = False
    """Let the browser save it instead of showing it."""


@dataclass(frozen=True)
class CreateTargetBody:
    """Describe a compute target to create."""

    name: str
    type: str = "computeinstance"
    settings: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AttachTargetBody:
    """Describe a machine to attach."""

    name: str
    type: str = "remote"
    settings: dict[str, Any] = field(default_factory=dict)
    """`address`, `username`, `ssh_key`, `fingerprint` and so on: see the kind's settings."""
    password: str | None = None
    """Kept among the workspace's secrets, and nowhere else."""
    passphrase: str | None = None
    """Of the key; kept like a password."""
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class UpdateTargetBody:
    """Say what to change about a compute target."""

    settings: dict[str, Any] = field(default_factory=dict)
    default: bool | None = None
    """True: submits that name no target go here from now on."""

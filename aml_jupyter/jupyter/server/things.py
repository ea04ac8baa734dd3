"""Define the things that answers of the HTTP API tell of: the JSON of the views (`aml_jupyter.views`), typed.

What pages show on demand is in `parts`. The tests hold these types against what the views make. Times are ISO 8601 in
UTC. A number that JSON has no word for is ``"NaN"``, ``"Infinity"`` or ``"-Infinity"``.
"""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = [
    "Attempt",
    "Change",
    "Chart",
    "Experiment",
    "Host",
    "Kind",
    "Metric",
    "Output",
    "Run",
    "RunFile",
    "ServiceLooks",
    "ServiceOfWorkspace",
    "Target",
    "WholeRun",
    "WholeTarget",
    "WorkspaceDetails",
    "WorkspaceEntry",
]


class Run(TypedDict):
    """A run in a list."""

    id: str
    parent: str | None
    experiment: str
    status: str
    target: str
    attempt: int
    exit_code: int | None
    start_time: str | None
    end_time: str | None
    metrics: dict[str, Any]
    parameters: dict[str, Any]
    snapshot: str | None
    error: dict[str, Any] | None
    display_name: str
    number: int
    kind: str
    reason: str
    place_in_line: int | None
    progress: dict[str, Any] | None
    priority: int
    cores: int
    gpus: int
    memory: int
    """Bytes."""
    created_time: str | None
    queued_time: str | None
    cancel_requested_time: str | None
    script: str | None
    command: str | list[str] | None
    arguments: list[str]
    source_directory: str | None
    max_retries: int
    tags: dict[str, str]
    properties: dict[str, str]
    hidden: bool
    seq: int
    """Its place in the order of all runs: the `before` of a next page."""


class Output(TypedDict):
    """A file that a run made."""

    name: str
    size: int
    modified: str | None


class Attempt(TypedDict):
    """One start of a run."""

    number: int
    node: str | None
    start_time: str | None
    end_time: str | None
    exit_code: int | None
    signal: int | str | None
    reason: str | None
    peak_memory: int | None
    cpu_time: float | None


class Change(TypedDict):
    """A change of a run's state."""

    time: str | None
    attempt: int
    before: str | None
    after: str
    reason: str


class SweepChild(TypedDict):
    """A child of a sweep, with what it was given and what it reached."""

    id: str
    number: int
    status: str
    hyperparameters: dict[str, Any]
    best: float | None
    last: float | None
    count: int
    start_time: str | None
    end_time: str | None
    duration: float | None
    stopped: bool
    remark: str


class Sweep(TypedDict):
    """What a sweep samples, and what its children reached: the best first, those that have not ended last."""

    primary_metric: str
    goal: str
    definition: dict[str, Any]
    paused: bool
    total: int
    best: str | None
    best_value: float | None
    importances: dict[str, float]
    saved_seconds: float | None
    saved_share: float | None
    children: list[SweepChild]
    curves: dict[str, list[float | str]]


class WholeRun(Run):
    """A run with everything that is known of it."""

    as_of: str
    workspace: str
    node: str | None
    gpu_list: list[str]
    python: str | None
    log_path: str | None
    log_tail: list[str]
    outputs: list[Output]
    children: list[str]
    """Their ids; left out of a brief answer."""
    child_count: int
    sweep: Sweep | None
    attempts: list[Attempt]
    timeline: list[Change]


class Metric(TypedDict):
    """A metric, summarised."""

    name: str
    kind: str
    count: int
    last: Any
    minimum: float | str | None
    maximum: float | str | None
    has_steps: bool
    value: Any


class Chart(TypedDict):
    """The points of a metric; least and greatest value of each stretch are kept."""

    x: list[float | str | None]
    y: list[float | str | None]
    low: list[float | str | None]
    high: list[float | str | None]
    count: int
    time: list[float]
    """Unix seconds; empty unless it was asked for."""


class RunFile(TypedDict):
    """A file of a run."""

    name: str
    size: int
    attempt: int
    modified: str | None
    target: str | None
    """The compute target on whose machine it stayed; null when it is here."""
    sha256: str | None
    """Of a file that stayed there."""
    command: str | None
    """What brings a file here that stayed there."""


class Target(TypedDict):
    """A compute target in a list."""

    name: str
    type: str
    provisioning_state: str
    provisioning_errors: list[Any]
    default: bool
    running: int
    queued: int
    settings: dict[str, Any]
    attached: bool
    tags: dict[str, str]
    description: str
    created_time: str | None
    modified_time: str | None


class WholeTarget(Target):
    """A compute target with what is there and what is free."""

    machine: dict[str, Any] | None
    problems: list[str]
    slots: int | None
    free_slots: int | None


class Experiment(TypedDict):
    """A named series of runs."""

    name: str
    id: str | int
    run_count: int
    created_time: str | None


Kind = TypedDict(
    "Kind",
    {
        "type": str,
        "title": str,
        "class": str,
        "built": bool,
        "plain_runs": bool,
        "pipelines": str,
        "sweeps": bool,
        "gpu": bool,
        "several_nodes": bool,
        "frameworks": list[str],
        "verbs": list[str],
        "lifted": list[str],
        "aliases": list[str],
        "settings": dict[str, Any],
        "note": str,
    },
)
Kind.__doc__ = "A kind of compute targets, and what it can do."


class ServiceOfWorkspace(TypedDict):
    """Who drives a workspace's runs, as its page shows it."""

    state: str
    pid: int | None
    host: str | None
    epoch: int | None
    version: str | None
    start_time: str | None


class WorkspaceDetails(TypedDict):
    """A workspace."""

    id: str
    name: str
    root: str
    location: str
    resource_group: str
    subscription_id: str
    default_target: str
    targets: list[str]
    experiments: int
    runs: dict[str, int]
    service: ServiceOfWorkspace


class WorkspaceEntry(TypedDict):
    """A workspace in the list."""

    id: str
    name: str
    root: str
    exists: bool


class ServiceLooks(TypedDict, total=False):
    """The process that drives the runs; only `alive` and `open_runs` where none was ever seen."""

    pid: int
    host: str
    epoch: int
    version: str
    started: float
    alive: bool
    answers: bool
    left: bool
    open_runs: int


class Host(TypedDict):
    """What this server has done for the service."""

    starts: int
    last_start: float | None
    last_check: float | None
    error: str
    pause: float

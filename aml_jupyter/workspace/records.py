"""Define the rows of the store as frozen dataclasses: what is read from a workspace and passed on.

Times are Unix seconds (float). JSON columns arrive as plain Python values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "ArtifactRecord",
    "AttemptRecord",
    "EventRecord",
    "ExperimentRecord",
    "MetricRecord",
    "ModelRecord",
    "RunRecord",
    "TargetRecord",
    "TransitionRecord",
]


@dataclass(frozen=True)
class ExperimentRecord:
    """Describe a named series of runs."""

    id: int
    name: str
    created: float
    run_count: int = 0


@dataclass(frozen=True)
class RunRecord:
    """Describe one run as it stands now.

    `definition` is the content of ``run.json`` (see `docs/structure.md`); `error` is None or
    ``{"type", "message", "log_tail", "log_path"}``; `progress` is None or ``{"done", "total", "unit", "message"}``.
    """

    id: str
    seq: int
    number: int
    experiment: str
    parent: str | None
    display_name: str
    kind: str
    status: str
    reason: str
    target: str
    attempt: int
    priority: int
    cores: int
    definition: dict[str, Any]
    snapshot: str | None
    max_retries: int
    created: float
    queued: float | None = None
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    error: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    cancel_requested: float | None = None
    hidden: bool = False
    in_process: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AttemptRecord:
    """Describe the n-th start of a run."""

    run: str
    number: int
    epoch: int
    handle: dict[str, Any]
    created: float
    started: float | None
    ended: float | None
    exit_code: int | None
    signal: int | None
    reason: str | None
    peak_memory: int | None
    cpu_time: float | None
    node: str | None


@dataclass(frozen=True)
class TransitionRecord:
    """Describe one change of a run's state."""

    id: int
    run: str
    time: float
    attempt: int
    before: str | None
    after: str
    reason: str


@dataclass(frozen=True)
class TargetRecord:
    """Describe a compute target of the workspace.

    `settings` depends on the type, for example ``{"max_parallel": 2}`` for a compute instance.
    """

    name: str
    type: str
    settings: dict[str, Any]
    provisioning_state: str
    provisioning_errors: list[dict[str, Any]]
    created: float
    modified: float
    attached: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True)
class MetricRecord:
    """Describe one metric of a run, summarised.

    `kind` is scalar, list, row, table, image or chart. For numeric series `count`, `last`, `minimum` and `maximum` are
    filled; `value` holds the value of metrics that are not numeric series (SDK v1's `get_metrics` shape).
    """

    run: str
    name: str
    kind: str
    count: int
    last: float | str | bool | None
    minimum: float | None
    maximum: float | None
    has_steps: bool
    value: Any = None


@dataclass(frozen=True)
class ArtifactRecord:
    """Describe one file of a run: its name as users see it, and where it lies relative to the run's folder.

    `target` and `sha256` are set where it stayed on the machine of that target.
    """

    run: str
    name: str
    location: str
    size: int
    attempt: int
    modified: float
    target: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class ModelRecord:
    """Describe one version of a registered model.

    `root` is the file or folder that it is downloaded as, in the version's folder; `size` is in bytes.
    """

    name: str
    version: int
    created: float
    modified: float
    run: str | None
    experiment: str | None
    description: str
    framework: str
    framework_version: str | None
    tags: dict[str, str]
    properties: dict[str, str]
    root: str
    files: int
    size: int

    @property
    def id(self) -> str:
        """SDK v1's id: ``name:version``."""
        return f"{self.name}:{self.version}"


@dataclass(frozen=True)
class EnvironmentRecord:
    """Describe one version of a registered environment.

    `digest` is equal for equal definitions, `autosaved` tells that a submit has saved it.
    """

    name: str
    version: str
    created: float
    autosaved: bool
    digest: str

    @property
    def id(self) -> str:
        """Name and version: ``name:version``."""
        return f"{self.name}:{self.version}"


@dataclass(frozen=True)
class EventRecord:
    """Describe one row of the durable event stream that views resume from."""

    id: int
    time: float
    kind: str
    subject: str
    data: dict[str, Any]

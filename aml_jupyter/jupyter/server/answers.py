"""Define what the server answers: one typed dictionary for each answer. What they tell of is in `things`."""

from __future__ import annotations

from typing import Any, TypedDict

from .parts import Children, Comparison, Environment, Match, Model, RunConfigurationEntry, SnapshotFile, SweepNow
from .things import (
    Chart,
    Experiment,
    Host,
    Kind,
    Metric,
    Run,
    RunFile,
    ServiceLooks,
    Target,
    WholeRun,
    WholeTarget,
    WorkspaceDetails,
    WorkspaceEntry,
)

__all__ = [
    "ChartAnswer",
    "ChildrenAnswer",
    "ComparisonAnswer",
    "DeletedAnswer",
    "DetailsAnswer",
    "EnvironmentsAnswer",
    "ExperimentsAnswer",
    "FilesAnswer",
    "HealthAnswer",
    "KindsAnswer",
    "LogAnswer",
    "MatchesAnswer",
    "MetricsAnswer",
    "ModelsAnswer",
    "OpenApiAnswer",
    "PageAnswer",
    "Refusal",
    "RunAnswer",
    "RunConfigurationsAnswer",
    "RunsAnswer",
    "ServiceAnswer",
    "SnapshotAnswer",
    "SubmittedAnswer",
    "SweepAnswer",
    "TargetAnswer",
    "TargetsAnswer",
    "WorkspaceAnswer",
    "WorkspacesAnswer",
]


class Refusal(TypedDict):
    """Why something was not done."""

    api_version: int
    message: str
    """What happened, why, and what to do."""
    field: str | None
    """The field that is to blame."""
    reason: str


class Answer(TypedDict):
    """What every answer has."""

    api_version: int
    workspace: str | None
    """Id of the workspace that the answer speaks of."""


class RunsAnswer(Answer):
    """A page of runs, the newest first."""

    runs: list[Run]
    next: int | None
    """The `before` of the next page."""


class RunAnswer(Answer):
    """One run."""

    run: WholeRun


class SubmittedAnswer(RunAnswer):
    """The run that was queued."""

    notes: list[str]
    """What the one who submitted it should know."""


class LogAnswer(Answer):
    """A stretch of a log."""

    run: str
    file: str
    attempt: int
    text: str
    offset: int
    next_offset: int
    size: int
    complete: bool
    """True when no more will come."""


class MatchesAnswer(Answer):
    """Lines of a log in which a text was found."""

    run: str
    file: str
    matches: list[Match]
    next_offset: int
    """Where the search goes on."""
    size: int
    complete: bool
    """True when the whole log was searched."""


class ChildrenAnswer(Answer):
    """The children of a run."""

    run: str
    children: Children


class DetailsAnswer(Answer):
    """What a run was told to do."""

    run: str
    definition: dict[str, Any]
    """The content of run.json; no secret, and of variables only their names."""
    environment_lock: str | None


class PageAnswer(Answer):
    """A sweep as a page."""

    run: str
    html: str
    """One element without scripts; empty for a run that is no sweep."""


class SweepAnswer(Answer):
    """A sweep as it is now."""

    run: str
    sweep: SweepNow


class SnapshotAnswer(Answer):
    """The files of a run's snapshot."""

    run: str
    snapshot: str | None
    files: list[SnapshotFile]
    """The first 2,000."""
    total: int
    other: str | None
    added: list[str]
    """Since the other run's snapshot."""
    removed: list[str]
    changed: list[str]


class ComparisonAnswer(Answer):
    """Runs side by side."""

    comparison: Comparison


class ModelsAnswer(Answer):
    """The registered models, each version."""

    models: list[Model]


class EnvironmentsAnswer(Answer):
    """The environments: the newest version of each registered one, then the curated ones."""

    environments: list[Environment]


class RunConfigurationsAnswer(Answer):
    """The run configurations of a folder."""

    source_directory: str
    run_configurations: list[RunConfigurationEntry]


class MetricsAnswer(Answer):
    """The metrics of a run."""

    run: str
    metrics: list[Metric]


class ChartAnswer(Answer):
    """One metric with its chart."""

    run: str
    metric: Metric
    chart: Chart


class FilesAnswer(Answer):
    """The files of a run."""

    run: str
    files: list[RunFile]


class TargetsAnswer(Answer):
    """The compute targets of a workspace."""

    compute: list[Target]


class TargetAnswer(Answer):
    """One compute target."""

    target: WholeTarget


class DeletedAnswer(Answer):
    """The target that is being deleted; it is gone when its runs have ended."""

    deleted: str


class ExperimentsAnswer(Answer):
    """The experiments of a workspace."""

    experiments: list[Experiment]


class KindsAnswer(Answer):
    """The kinds of compute targets."""

    kinds: list[Kind]


class WorkspaceAnswer(Answer):
    """One workspace."""

    details: WorkspaceDetails


class WorkspacesAnswer(Answer):
    """The registered workspaces."""

    workspaces: list[WorkspaceEntry]
    default: str
    """Id of the server's own."""


class ServiceAnswer(Answer):
    """The service of a workspace."""

    service: ServiceLooks
    host: Host | None


class HealthAnswer(Answer):
    """That the extension is there."""

    status: str
    version: str
    minimum_client_version: int


class OpenApiAnswer(TypedDict):
    """This document."""

    openapi: str
    info: dict[str, Any]
    servers: list[Any]
    paths: dict[str, Any]
    components: dict[str, Any]
    security: list[Any]

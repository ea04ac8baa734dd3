"""List every URL of the API and who answers it."""

from __future__ import annotations

from typing import Any

from .base import Unknown
from .compute import AttachedCompute, Compute, ComputeAction, ComputeDetail
from .events import EventStream
from .logs import RunLogMatches, RunLogs
from .overview import Experiments, Health, Kinds, OpenApi, Service, Workspace, Workspaces
from .registry import Environments, Models, RunConfigurations
from .run_data import RunFile, RunFiles, RunMetric, RunMetrics
from .run_parts import Compare, RunChildren, RunDetails, RunPage, RunSnapshot
from .runs import RunCancel, RunDetail, RunResubmit, Runs, RunTags
from .sweeps import SweepChildren, SweepLimits, SweepPause, SweepSettings

__all__ = ["ROUTES"]

_API = "/aml/api"
_WORKSPACE = rf"{_API}/workspaces/([^/]+)"
_RUN = rf"{_WORKSPACE}/runs/([^/]+)"
_TARGET = rf"{_WORKSPACE}/compute/([^/]+)"

ROUTES: list[tuple[str, Any]] = [
    (rf"{_API}/health", Health),
    (rf"{_API}/openapi\.json", OpenApi),
    (rf"{_API}/workspaces", Workspaces),
    (_WORKSPACE, Workspace),
    (rf"{_WORKSPACE}/runs", Runs),
    (_RUN, RunDetail),
    (rf"{_RUN}/cancel", RunCancel),
    (rf"{_RUN}/resubmit", RunResubmit),
    (rf"{_RUN}/tags", RunTags),
    (rf"{_RUN}/logs", RunLogs),
    (rf"{_RUN}/logs/matches", RunLogMatches),
    (rf"{_RUN}/children", RunChildren),
    (rf"{_RUN}/details", RunDetails),
    (rf"{_RUN}/page", RunPage),
    (rf"{_RUN}/snapshot", RunSnapshot),
    (rf"{_RUN}/sweep", SweepSettings),
    (rf"{_RUN}/sweep/(pause|resume)", SweepPause),
    (rf"{_RUN}/sweep/limits", SweepLimits),
    (rf"{_RUN}/sweep/children", SweepChildren),
    (rf"{_RUN}/metrics", RunMetrics),
    (rf"{_RUN}/metrics/(.+)", RunMetric),
    (rf"{_RUN}/files", RunFiles),
    (rf"{_RUN}/files/(.+)", RunFile),
    (rf"{_WORKSPACE}/attached", AttachedCompute),
    (rf"{_WORKSPACE}/compute", Compute),
    (_TARGET, ComputeDetail),
    (rf"{_TARGET}/(start|stop|restart|test)", ComputeAction),
    (rf"{_WORKSPACE}/compare", Compare),
    (rf"{_WORKSPACE}/environments", Environments),
    (rf"{_WORKSPACE}/experiments", Experiments),
    (rf"{_WORKSPACE}/kinds", Kinds),
    (rf"{_WORKSPACE}/models", Models),
    (rf"{_WORKSPACE}/run_configurations", RunConfigurations),
    (rf"{_WORKSPACE}/service", Service),
    (rf"{_WORKSPACE}/events", EventStream),
    (rf"{_API}/.*", Unknown),
]

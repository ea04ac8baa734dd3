"""Remember everything about a workspace: store, snapshots, artifacts, metrics, journal, secrets, list of workspaces.

The names below are imported when they are first used (PEP 562): who reads a list of runs does not pay for the rest.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # `typing` would take a good part of the time that a completion has
if TYPE_CHECKING:
    from typing import Any

    from .artifacts import (
        artifact_path,
        index_files,
        list_artifacts,
    )
    from .children import child_number, children_values, count_children
    from .compute import (
        default_target,
        delete_target,
        find_target,
        get_target,
        insert_target,
        list_targets,
        set_default_target,
        update_target,
    )
    from .definitions import read_definition, write_definition
    from .environments import (
        check_environment_name,
        delete_environment,
        environment_digest,
        find_environment,
        find_same_environment,
        get_environment,
        list_environments,
        read_environment,
        save_environment,
    )
    from .events import (
        events_since,
        latest_event,
        record_event,
    )
    from .experiments import (
        check_experiment_name,
        create_experiment,
        find_experiment,
        get_experiment,
        list_experiments,
    )
    from .folder import WorkspaceFolder
    from .git import git_properties
    from .history import (
        attempts,
        new_attempt,
        repeat_attempt,
        take_back_attempt,
        taken_back,
        transitions,
        update_attempt,
    )
    from .ids import check_run_id, new_run_id
    from .ingest import (
        cursor,
        ingest_events,
        report_shrunken,
    )
    from .journal import append_change, append_journal
    from .labels import add_properties, set_tags
    from .layout import (
        AttemptFolder,
        Layout,
        RunFolder,
    )
    from .lease import current_lease, take_epoch
    from .metrics import (
        Chart,
        get_metrics,
        list_metrics,
        metric_chart,
        metric_ranges,
        metric_values,
    )
    from .model_files import download_model, files_of_path, model_folder
    from .models import (
        check_model_name,
        delete_model,
        find_model,
        get_model,
        list_models,
        register_model,
        update_model,
    )
    from .rebuild import rebuild_workspace
    from .records import (
        ArtifactRecord,
        AttemptRecord,
        EnvironmentRecord,
        EventRecord,
        ExperimentRecord,
        MetricRecord,
        ModelRecord,
        RunRecord,
        TargetRecord,
        TransitionRecord,
    )
    from .registry import (
        WorkspaceEntry,
        find_workspace,
        list_workspaces,
        runtime_folder,
        user_data_folder,
        workspace_by_name,
    )
    from .report import Report
    from .runs import (
        count_runs,
        find_run,
        find_runs,
        get_run,
        insert_run,
        open_runs,
        place_in_line,
        places_in_line,
        transition,
        update_run,
    )
    from .secrets import (
        check_secret_name,
        delete_secret,
        get_secret,
        set_secret,
    )
    from .snapshots import (
        Snapshot,
        diff_snapshots,
        materialise,
        preview_snapshot,
        read_blob,
        read_tree,
        take_snapshot,
    )
    from .store import Store
    from .sweeps import add_sweep_change, sweep_changes
    from .verify import verify_workspace

__all__ = [
    "ArtifactRecord",
    "AttemptFolder",
    "AttemptRecord",
    "Chart",
    "EnvironmentRecord",
    "EventRecord",
    "ExperimentRecord",
    "Layout",
    "MetricRecord",
    "ModelRecord",
    "Report",
    "RunFolder",
    "RunRecord",
    "Snapshot",
    "Store",
    "TargetRecord",
    "TransitionRecord",
    "WorkspaceEntry",
    "WorkspaceFolder",
    "add_properties",
    "add_sweep_change",
    "append_change",
    "append_journal",
    "artifact_path",
    "attempts",
    "check_environment_name",
    "check_experiment_name",
    "check_model_name",
    "check_run_id",
    "check_secret_name",
    "child_number",
    "children_values",
    "count_children",
    "count_runs",
    "create_experiment",
    "current_lease",
    "cursor",
    "default_target",
    "delete_environment",
    "delete_model",
    "delete_secret",
    "delete_target",
    "diff_snapshots",
    "download_model",
    "environment_digest",
    "events_since",
    "files_of_path",
    "find_environment",
    "find_experiment",
    "find_model",
    "find_run",
    "find_runs",
    "find_same_environment",
    "find_target",
    "find_workspace",
    "get_environment",
    "get_experiment",
    "get_metrics",
    "get_model",
    "get_run",
    "get_secret",
    "get_target",
    "git_properties",
    "index_files",
    "ingest_events",
    "insert_run",
    "insert_target",
    "latest_event",
    "list_artifacts",
    "list_environments",
    "list_experiments",
    "list_metrics",
    "list_models",
    "list_targets",
    "list_workspaces",
    "materialise",
    "metric_chart",
    "metric_ranges",
    "metric_values",
    "model_folder",
    "new_attempt",
    "new_run_id",
    "open_runs",
    "place_in_line",
    "places_in_line",
    "preview_snapshot",
    "read_blob",
    "read_definition",
    "read_environment",
    "read_tree",
    "rebuild_workspace",
    "record_event",
    "register_model",
    "repeat_attempt",
    "report_shrunken",
    "runtime_folder",
    "save_environment",
    "set_default_target",
    "set_secret",
    "set_tags",
    "sweep_changes",
    "take_back_attempt",
    "take_epoch",
    "take_snapshot",
    "taken_back",
    "transition",
    "transitions",
    "update_attempt",
    "update_model",
    "update_run",
    "update_target",
    "user_data_folder",
    "verify_workspace",
    "workspace_by_name",
    "write_definition",
]

_MODULES = {
    "artifacts": "artifact_path index_files list_artifacts",
    "children": "child_number children_values count_children",
    "compute": "default_target delete_target find_target get_target insert_target list_targets set_default_target "
    "update_target",
    "definitions": "read_definition write_definition",
    "environments": "check_environment_name delete_environment environment_digest find_environment find_same_environment "
    "get_environment list_environments read_environment save_environment",
    "events": "events_since latest_event record_event",
    "experiments": "check_experiment_name create_experiment find_experiment get_experiment list_experiments",
    "folder": "WorkspaceFolder",
    "git": "git_properties",
    "history": "attempts new_attempt repeat_attempt take_back_attempt taken_back transitions update_attempt",
    "ids": "check_run_id new_run_id",
    "ingest": "cursor ingest_events report_shrunken",
    "journal": "append_change append_journal",
    "labels": "add_properties set_tags",
    "layout": "AttemptFolder Layout RunFolder",
    "lease": "current_lease take_epoch",
    "metrics": "Chart get_metrics list_metrics metric_chart metric_ranges metric_values",
    "model_files": "download_model files_of_path model_folder",
    "models": "check_model_name delete_model find_model get_model list_models register_model update_model",
    "rebuild": "rebuild_workspace",
    "records": "ArtifactRecord AttemptRecord EnvironmentRecord EventRecord ExperimentRecord MetricRecord ModelRecord RunRecord "
    "TargetRecord TransitionRecord",
    "registry": "WorkspaceEntry find_workspace list_workspaces runtime_folder user_data_folder workspace_by_name",
    "report": "Report",
    "runs": "count_runs find_run find_runs get_run insert_run open_runs place_in_line places_in_line transition update_run",
    "secrets": "check_secret_name delete_secret get_secret set_secret",
    "snapshots": "Snapshot diff_snapshots materialise preview_snapshot read_blob read_tree take_snapshot",
    "store": "Store",
    "sweeps": "add_sweep_change sweep_changes",
    "verify": "verify_workspace",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Make SDK v1's dictionaries of a run's details."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from aml_jupyter.errors import UserErrorException, nearest
from aml_jupyter.sdk.run_files import log_files
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, place_in_line
from aml_jupyter.workspace.states import RUN_STATES

__all__ = ["detailed_status", "details", "known_status", "matches", "run_type", "with_logs"]

SDK_STATES = ("Pausing", "Unapproved")
"""States of SDK v1 that no run is ever in here."""


def known_status(status: str | None) -> str | None:
    """Return a state as runs have it, whatever its case; those of SDK v1 that no run here is in are known, too.

    Raises
    ------
    UserErrorException
        When it is no state of a run.
    """
    if status is None:
        return None
    states = {name.lower(): name for name in (*RUN_STATES, *SDK_STATES)}
    if not isinstance(status, str) or status.lower() not in states:
        hint = nearest(str(status), sorted(states.values()))
        raise UserErrorException(f"status {status!r} is not a state of a run; {hint}.", "status")
    return states[status.lower()]


def run_type(record: RunRecord) -> str:
    """Return what kind of run it is, in SDK v1's words."""
    return str(
        record.properties.get("azureml.runsource") or ("experiment" if record.in_process else "azureml.scriptrun")
    )


def detailed_status(folder: WorkspaceFolder, record: RunRecord) -> dict[str, Any]:
    """Return ``{"status", "details"}``; the details say why, and the place in line of a queued run."""
    place = place_in_line(folder.store.read(), record.id) if record.status == "Queued" else None
    explained = record.reason + (f" ({place} in line)" if place else "")
    return {"status": record.status, "details": {"message": explained.strip()} if explained else {}}


def details(folder: WorkspaceFolder, record: RunRecord) -> dict[str, Any]:
    """Return what is known about a run, under the keys of SDK v1's ``get_details``."""
    definition = record.definition
    found: dict[str, Any] = {
        "runId": record.id,
        "target": record.target,
        "status": record.status,
        "startTimeUtc": _utc(record.started),
        "endTimeUtc": _utc(record.ended),
        "services": {},
        "properties": dict(record.properties),
        "inputDatasets": [],
        "outputDatasets": [],
        "runDefinition": {
            **(definition.get("run_config") or {}),
            "script": definition.get("script"),
            "command": definition.get("command") or "",
            "arguments": definition.get("arguments") or [],
            "target": record.target,
        },
        "logFiles": {name: str(path) for name, path in log_files(folder, record.id).items()},
        "submittedBy": (definition.get("submitter") or {}).get("user", ""),
    }
    if record.error:
        found["error"] = {
            "error": {"code": record.error.get("type", "RunError"), "message": record.error.get("message", "")},
            "time": _utc(record.ended),
        }
    return found


def with_logs(found: dict[str, Any]) -> dict[str, Any]:
    """Return the details with the text of each log in place of its path."""
    texts = {name: Path(path).read_text("utf-8", "replace") for name, path in found["logFiles"].items()}
    return {**found, "logFiles": texts}


def matches(
    record: RunRecord,
    type_name: str | None,
    tags: str | Mapping[str, str] | None,
    properties: str | Mapping[str, str] | None,
) -> bool:
    """Tell whether a run passes SDK v1's filters."""
    if type_name is not None and run_type(record) != type_name:
        return False
    for wanted, have in ((tags, record.tags), (properties, record.properties)):
        if isinstance(wanted, str) and wanted not in have:
            return False
        if isinstance(wanted, Mapping) and any(have.get(key) != value for key, value in wanted.items()):
            return False
    return True


def _utc(moment: float | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")

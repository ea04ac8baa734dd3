"""Create, change, start, stop and delete compute targets, by the table of provisioning states."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any

from aml_jupyter.config.sizes import bytes_of
from aml_jupyter.errors import ComputeTargetException, nearest
from aml_jupyter.service.actions import request_end
from aml_jupyter.service.client import ensure_service
from aml_jupyter.targets import TargetKind, check_name, engine_for, gpu_names, kind_of, target_secret
from aml_jupyter.workspace import (
    TargetRecord,
    WorkspaceFolder,
    append_journal,
    default_target,
    delete_secret,
    find_runs,
    get_target,
    insert_target,
    list_targets,
    set_default_target,
)
from aml_jupyter.workspace import delete_target as delete_row
from aml_jupyter.workspace import update_target as update_fields
from aml_jupyter.workspace.states import ACTIVE, PROVISIONING_TRANSITIONS, WAITING

__all__ = [
    "checked_settings",
    "create_target",
    "delete_target",
    "detach_target",
    "note_target",
    "restart_target",
    "set_default",
    "settle_targets",
    "start_target",
    "stop_target",
    "update_target",
]


def create_target(
    folder: WorkspaceFolder,
    name: str,
    type: str,  # noqa: A002
    settings: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    description: str = "",
) -> TargetRecord:
    """Create a compute target, or return the one that is there with the same settings.

    Raises
    ------
    ComputeTargetException
        When the name breaks the rules or is taken, the type cannot be created, or a setting is wrong.
    """
    kind = kind_of(type)
    if not kind.creatable:
        attach = f"aml compute attach {name} --type {kind.type} --address HOST --username USER --ssh-key FILE"
        why = f"is attached, not created: {attach}" if kind.attachable else f"is not created: {kind.note or kind.title}"
        raise ComputeTargetException(f"A target of type {kind.type!r} {why}.", "type")
    if not kind.built:
        raise ComputeTargetException(
            f"Targets of type {kind.type!r} cannot be created in this version; computeinstance can.", "type"
        )
    check_name(name, kind)
    checked = checked_settings(kind, settings or {})
    if kind.type == "docker":
        checked["engine"] = engine_for(str(checked.get("engine") or ""))
    now = time.time()
    with folder.store.transaction() as tx:
        for other in list_targets(tx):
            if other.name.lower() != name.lower():
                continue
            _refuse_dying(other)
            if (other.type, {**kind.settings, **other.settings}) == (kind.type, checked):
                return other
            raise ComputeTargetException(
                f"A compute target named {other.name!r} is there already, with other settings "
                f"(type {other.type}, {other.settings}). Use aml compute update, or choose another name.",
                "name",
            )
        record = TargetRecord(name, kind.type, checked, "Creating", [], now, now, False, dict(tags or {}), description)
        insert_target(tx, record)
        record = update_row(tx, name, provisioning_state="Running" if kind.type == "computeinstance" else "Succeeded")
        note_target(folder, record)
    return record


def update_target(folder: WorkspaceFolder, name: str, settings: Mapping[str, Any]) -> TargetRecord:
    """Change settings of a target; runs that have started keep what they have."""
    with folder.store.transaction() as tx:
        record = get_target(tx, name)
        _refuse_dying(record)
        kind = kind_of(record.type)
        record = update_row(tx, name, settings={**record.settings, **checked_settings(kind, settings, partial=True)})
        note_target(folder, record)
    ensure_service(folder)
    return record


def start_target(folder: WorkspaceFolder, name: str) -> TargetRecord:
    """Start a compute instance that is stopped, or is stopping while runs end on it; its waiting runs go on."""
    return _turn(folder, name, lambda tx: ("Stopped", "Starting", "Running"), already="Running")


def stop_target(folder: WorkspaceFolder, name: str) -> TargetRecord:
    """Stop a compute instance: queued runs wait until it is started again, running ones end by themselves.

    The state is ``Stopping`` while something still runs there, then ``Stopped``.
    """

    def states(tx: sqlite3.Connection) -> tuple[str, ...]:
        return ("Stopping",) if _is_busy(tx, name) else ("Stopping", "Stopped")

    return _turn(folder, name, states, already="Stopped")


def restart_target(folder: WorkspaceFolder, name: str) -> TargetRecord:
    """Stop a compute instance if it runs, and start it again; running runs are not ended."""
    record = get_target(folder.store.read(), name)
    if record.provisioning_state == "Running":
        _turn(folder, name, lambda tx: ("Stopping", "Stopped"), already="Stopped")
    return start_target(folder, name)


def delete_target(folder: WorkspaceFolder, name: str) -> TargetRecord:
    """Delete a created target: its queued runs are canceled, its running ones asked to end, then its row goes.

    Raises
    ------
    ComputeTargetException
        When it is attached (detach it), is `local`, or is unknown.
    """
    return _remove(folder, name, attached=False)


def detach_target(folder: WorkspaceFolder, name: str) -> TargetRecord:
    """Forget an attached target; what becomes of its runs is as with `delete_target`."""
    return _remove(folder, name, attached=True)


def set_default(folder: WorkspaceFolder, name: str) -> TargetRecord:
    """Make `name` the target of submits that name none."""
    with folder.store.transaction() as tx:
        record = get_target(tx, name)
        _refuse_dying(record)
        set_default_target(tx, record.name)
        append_journal(folder, {"op": "default", "name": record.name})
    return record


def settle_targets(folder: WorkspaceFolder, epoch: int) -> bool:
    """Finish what waits for the last run of a target to end, ``Stopping`` and ``Deleting``; tell whether it did."""
    settled = False
    waiting = [
        record for record in list_targets(folder.store.read()) if record.provisioning_state in ("Stopping", "Deleting")
    ]
    for record in waiting:
        with folder.store.transaction(epoch=epoch) as tx:
            if _is_busy(tx, record.name):
                continue
            if record.provisioning_state == "Stopping":
                note_target(folder, update_row(tx, record.name, provisioning_state="Stopped"))
            else:
                _drop_row(folder, tx, record)
            settled = True
    return settled


def _is_busy(tx: sqlite3.Connection, name: str) -> bool:
    """Tell whether a run works on the target."""
    return bool(find_runs(tx, target=name, status=ACTIVE, include_hidden=True, children=True, last=1))


def _refuse_dying(record: TargetRecord) -> None:
    if record.provisioning_state == "Deleting":
        raise ComputeTargetException(
            f"{record.name!r} is being deleted: it goes when its last runs have ended. Try again then, or choose another "
            "name.",
            "name",
        )


def _turn(
    folder: WorkspaceFolder, name: str, states: Callable[[sqlite3.Connection], tuple[str, ...]], already: str
) -> TargetRecord:
    """Walk a compute instance through what `states` returns, from where it stands."""
    with folder.store.transaction() as tx:
        record = get_target(tx, name)
        if record.type != "computeinstance":
            raise ComputeTargetException(
                f"{record.name!r} is of type {record.type!r}; only a compute instance is started and stopped.", "name"
            )
        if record.provisioning_state == already:
            return record
        for state in states(tx):
            if state == record.provisioning_state:
                continue
            if state not in PROVISIONING_TRANSITIONS[record.provisioning_state]:
                raise ComputeTargetException(
                    f"{record.name!r} is {record.provisioning_state}; it cannot go to {state} from there.", "name"
                )
            record = update_row(tx, record.name, provisioning_state=state)
        note_target(folder, record)
    ensure_service(folder)
    return record


def _remove(folder: WorkspaceFolder, name: str, attached: bool) -> TargetRecord:
    verb, past = ("detach", "detached") if attached else ("delete", "deleted")
    with folder.store.transaction() as tx:
        record = get_target(tx, name)
        if record.type == "local":
            raise ComputeTargetException("The target 'local' belongs to the workspace; it cannot be removed.", "name")
        if record.attached != attached:
            other = "delete" if attached else "detach"
            raise ComputeTargetException(
                f"{record.name!r} was {'created' if attached else 'attached'}: use {other}, not {verb}.", "name"
            )
        reason = f"compute target {record.name} was {past}"
        for run in find_runs(tx, target=record.name, status=WAITING | ACTIVE, include_hidden=True, children=True):
            request_end(folder, tx, run, reason)
        active = _is_busy(tx, record.name)
        if default_target(tx) == record.name:
            set_default_target(tx, "local")
        record = update_row(tx, record.name, provisioning_state="Deleting")
        if not active:
            _drop_row(folder, tx, record)
    if active:
        ensure_service(folder)
    return record


def checked_settings(kind: TargetKind, settings: Mapping[str, Any], partial: bool = False) -> dict[str, Any]:
    """Return the settings with defaults; refuse unknown ones and numbers that make no sense."""
    checked: dict[str, Any] = {} if partial else dict(kind.settings)
    for key, value in settings.items():
        if key not in kind.settings:
            raise ComputeTargetException(
                f"A target of type {kind.type!r} has no setting {key!r}; {nearest(key, list(kind.settings))}", key
            )
        if key in ("max_parallel", "runs_per_gpu") and value is not None:
            value = _count(key, value)
        elif key == "largest_output" and value:
            value = str(value)
            bytes_of(value, key)
        elif key == "gpus" and value is not None:
            gpu_names(key, value)
            value = int(str(value)) if str(value).strip().isdecimal() else str(value)
        elif isinstance(kind.settings[key], bool) and not isinstance(value, bool):
            raise ComputeTargetException(f"{key} is {value!r}; true or false was expected.", key)
        elif isinstance(kind.settings[key], str) and not isinstance(value, str):
            raise ComputeTargetException(f"{key} is {value!r}; a text was expected.", key)
        checked[key] = value
    return checked


def _count(key: str, value: object) -> int:
    """Return a number from 1 to 1024, which may be written as a text."""
    text = str(value).strip()
    if isinstance(value, int | str) and text.isdecimal() and 1 <= int(text) <= 1024:
        return int(text)
    raise ComputeTargetException(f"{key} is {value!r}; a whole number from 1 to 1024 was expected.", key)


def update_row(tx: sqlite3.Connection, name: str, **fields: Any) -> TargetRecord:
    """Set columns of a target's row and return it as it is then."""
    update_fields(tx, name, **fields)
    return get_target(tx, name)


def _drop_row(folder: WorkspaceFolder, tx: sqlite3.Connection, record: TargetRecord) -> None:
    """Remove a target's row, and note it for a rebuild."""
    delete_row(tx, record.name)
    if record.attached:
        for what in ("password", "passphrase"):
            delete_secret(folder, target_secret(record.name, what))
    append_journal(folder, {"op": "target_deleted", "name": record.name})


def note_target(folder: WorkspaceFolder, record: TargetRecord) -> None:
    """Note the target's row in the journal, from which the database can be rebuilt."""
    append_journal(folder, {"op": "target", "target": record})

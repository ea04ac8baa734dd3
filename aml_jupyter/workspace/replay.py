"""Write into an empty database what the files of a workspace say: its journal, and each run's folder."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aml_jupyter.errors import AmlError
from aml_jupyter.supervisor import protocol

from .artifacts import index_files
from .compute import delete_target, find_target, insert_target, set_default_target
from .experiments import create_experiment
from .folder import WorkspaceFolder
from .history import update_attempt
from .ingest import ingest_events
from .journal import read_lines
from .labels import add_properties, set_tags
from .layout import AttemptFolder, RunFolder
from .outcome import failure, outcome, watched_folders
from .records import RunRecord, TargetRecord
from .runs import get_run, insert_run, transition, update_run
from .states import FINAL, RUN_TRANSITIONS

__all__ = ["replay_journal", "replay_run"]

_PORTION = 16 * 2**20


def replay_journal(tx: sqlite3.Connection, entries: list[dict[str, Any]]) -> list[str]:
    """Write experiments, targets and the default target; return a phrase for each entry that could not be taken."""
    wrong = []
    for entry in entries:
        act = str(entry.get("op"))
        at = float(entry.get("time") or time.time())
        try:
            if act == "experiment":
                create_experiment(tx, str(entry["name"]), at)
            elif act == "target":
                _replace_target(tx, entry["target"], at)
            elif act == "target_deleted":
                if find_target(tx, str(entry["name"])):
                    delete_target(tx, str(entry["name"]))
            elif act == "default":
                set_default_target(tx, str(entry["name"]))
            else:
                wrong.append(f"the journal has an entry of an unknown kind: {act}")
        except (AmlError, KeyError, TypeError, ValueError) as error:
            wrong.append(f"the journal's entry {act} could not be taken: {error}")
    return wrong


def _replace_target(tx: sqlite3.Connection, fields: Mapping[str, Any], at: float) -> None:
    known = {"provisioning_errors": [], "modified": at, "created": at, **fields}
    tx.execute("DELETE FROM targets WHERE name = ?", (known["name"],))
    insert_target(tx, TargetRecord(**known))


def replay_run(folder: WorkspaceFolder, definition: dict[str, Any]) -> list[str]:
    """Write one run: its row, its attempts, what its processes logged, its files, and its state.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace, with the new database as its store.
    definition : dict
        The run's ``run.json``.

    Returns
    -------
    list of str
        What could not be made out.
    """
    run_id = str(definition["id"])
    place = folder.layout.run(run_id)
    changes = list(read_lines(place.changes))
    interactive = "process" in definition
    created = float(definition.get("created") or time.time())
    with folder.store.transaction(durable=False) as tx:
        insert_run(tx, definition, status="Running" if interactive else "Queued", in_process=interactive)
        tx.execute("UPDATE transitions SET time = ? WHERE run = ?", (created, run_id))
        if not interactive:
            update_run(tx, run_id, queued=created)
        _apply_labels(tx, run_id, changes)
    numbers = _attempt_numbers(place)
    notes: list[str] = []
    for number in numbers:
        notes += _replay_attempt(folder, run_id, number, not interactive, is_last=number == numbers[-1])
    with folder.store.transaction(durable=False) as tx:
        _apply_changes(tx, run_id, changes)
    return notes


def _attempt_numbers(place: RunFolder) -> list[int]:
    if not place.attempts.is_dir():
        return []
    return sorted(int(path.name) for path in place.attempts.iterdir() if path.name.isdigit())


def _replay_attempt(
    folder: WorkspaceFolder, run_id: str, number: int, started_by_service: bool, is_last: bool
) -> list[str]:
    place = folder.layout.run(run_id).attempt(number)
    notes: list[str] = []
    attempt = _read(place.control / protocol.ATTEMPT, notes)
    result = _read(place.control / protocol.RESULT, notes)
    if started_by_service:
        with folder.store.transaction(durable=False) as tx:
            _begin(tx, run_id, number, place, attempt)
    _ingest(folder, run_id, number, place)
    definition = get_run(folder.store.read(), run_id).definition
    index_files(folder, run_id, number, watch=watched_folders(definition))
    if started_by_service:
        with folder.store.transaction(durable=False) as tx:
            _end(tx, get_run(tx, run_id), number, place, attempt, result, is_last)
    return notes


def _read(path: Path, notes: list[str]) -> dict[str, Any]:
    try:
        return protocol.read_json(str(path)) or {}
    except (OSError, ValueError) as error:
        notes.append(f"{path} cannot be read: {error}")
        return {}


def _begin(tx: sqlite3.Connection, run_id: str, number: int, place: AttemptFolder, attempt: dict[str, Any]) -> None:
    run = get_run(tx, run_id)
    launch = _read(place.control / protocol.LAUNCH, [])
    began = float(attempt.get("started") or _changed(place.path))
    epoch = int(attempt.get("epoch") or launch.get("epoch") or 0)
    tx.execute("UPDATE runs SET attempt = ? WHERE id = ?", (number, run_id))
    tx.execute(
        "INSERT INTO attempts (run, number, epoch, handle, created) VALUES (?, ?, ?, json(?), ?)",
        (run_id, number, epoch, "{}", began),
    )
    handle = {"target": run.target, "run_id": run_id, "attempt": number}
    update_attempt(tx, run_id, number, handle=handle)
    transition(tx, run_id, "Preparing", "", at=began)
    transition(tx, run_id, "Starting", "", at=began)
    if "process" in attempt:
        transition(tx, run_id, "Running", "", at=began, started=began)
        update_attempt(tx, run_id, number, started=began, node=attempt.get("host"))


def _end(
    tx: sqlite3.Connection,
    run: RunRecord,
    number: int,
    place: AttemptFolder,
    attempt: dict[str, Any],
    result: dict[str, Any],
    is_last: bool,
) -> None:
    if "refused" in attempt:
        after = "Canceled" if attempt["refused"] == "canceled" else "Failed"
        error = None if after == "Canceled" else {"type": "StartFailed", "message": attempt["refused"]}
        transition(
            tx, run.id, after, str(attempt["refused"]), at=_changed(place.control / protocol.ATTEMPT), error=error
        )
        return
    if not result:
        if not is_last:
            transition(tx, run.id, "Queued", "its attempt was given up", at=_changed(place.path))
        return
    ended = float(result.get("ended") or _changed(place.control / protocol.RESULT))
    kept = ("exit_code", "signal", "reason", "peak_memory", "cpu_time")
    update_attempt(
        tx, run.id, number, started=result.get("started"), ended=ended, **{name: result.get(name) for name in kept}
    )
    if run.status == "Starting" and result["reason"] != "start failed":
        transition(tx, run.id, "Running", "", at=ended, started=result.get("started"))
    transition(tx, run.id, "Finalizing", "", at=ended)
    after, reason = outcome(result, _cancel_reason(place))
    if not is_last or (after == "Failed" and number <= run.max_retries):
        again = f"attempt {number} of {run.max_retries + 1} ended: {reason}; trying again"
        transition(tx, run.id, "Queued", again, at=ended)
        return
    error = failure(place, result, reason) if after == "Failed" else None
    started = run.started or result.get("started")
    transition(tx, run.id, after, reason, at=ended, started=started, exit_code=result.get("exit_code"), error=error)


def _cancel_reason(place: AttemptFolder) -> str:
    return str(_read(place.control / protocol.CANCEL, []).get("reason") or "")


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()


def _ingest(folder: WorkspaceFolder, run_id: str, number: int, place: AttemptFolder) -> None:
    for name in protocol.events_files(str(place.control)):
        portion, offset = _PORTION, 0
        with open(place.control / protocol.EVENTS / name, "rb") as stream:
            while True:
                stream.seek(offset)
                data = stream.read(portion)
                after = ingest_events(folder.store, run_id, number, name, offset, data)
                if after == offset and len(data) < portion:
                    break
                portion = portion * 2 if after == offset else _PORTION
                offset = after


def _apply_labels(tx: sqlite3.Connection, run_id: str, changes: list[dict[str, Any]]) -> None:
    """Write what is independent of the run's end; a tag's own time decides between it and the script's."""
    for change in changes:
        act = change.get("op")
        if act == "tags":
            set_tags(tx, run_id, change["tags"], at=float(change["time"]))
        elif act == "properties":
            add_properties(tx, run_id, change["properties"])
        elif act == "priority":
            update_run(tx, run_id, priority=int(change["priority"]))
        elif act == "cancel":
            update_run(tx, run_id, cancel_requested=float(change["time"]))


def _apply_changes(tx: sqlite3.Connection, run_id: str, changes: list[dict[str, Any]]) -> None:
    """Write the display name, and the ends that no result explains."""
    for change in changes:
        act, at = change.get("op"), float(change["time"])
        run = get_run(tx, run_id)
        if act == "name":
            update_run(tx, run_id, display_name=str(change["display_name"]))
        elif act == "end" and change["status"] in FINAL and change["status"] in RUN_TRANSITIONS[run.status]:
            known = {
                name: change[name]
                for name in ("error", "exit_code", "started", "ended")
                if change.get(name) is not None
            }
            transition(tx, run_id, change["status"], str(change.get("reason") or ""), at=at, **known)
        elif act == "cancel" and run.status not in FINAL:
            reason = str(change.get("reason") or "")
            if run.status in ("NotStarted", "Queued", "Paused") or run.in_process:
                transition(tx, run_id, "Canceled", reason, at=at)
            elif "CancelRequested" in RUN_TRANSITIONS[run.status]:
                transition(tx, run_id, "CancelRequested", reason, at=at)
    run = get_run(tx, run_id)
    if run.status == "Queued" and find_target(tx, run.target) is None:
        transition(tx, run_id, "Canceled", f"compute target {run.target} was deleted")

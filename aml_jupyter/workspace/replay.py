"""Write into an empty database what the files of a workspace say: its journal, and each run's folder."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aml_jupyter.errors import AmlError
from aml_jupyter.supervisor import protocol

from .apply import start_child
from .artifacts import index_files
from .compute import delete_target, find_target, insert_target, set_default_target
from .environments import write_environment
from .experiments import create_experiment
from .folder import WorkspaceFolder
from .history import update_attempt
from .ingest import ingest_events
from .journal import read_lines
from .labels import add_properties, set_tags
from .layout import AttemptFolder, RunFolder
from .models import write_model
from .outcome import failure, outcome, watched_folders
from .records import EnvironmentRecord, ModelRecord, RunRecord, TargetRecord
from .runs import find_run, get_run, insert_run, transition, update_run
from .states import FINAL, RUN_TRANSITIONS
from .sweeps import add_sweep_change

__all__ = ["Birth", "bear", "births", "replay_journal", "replay_run"]

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
            elif act == "model":
                write_model(tx, ModelRecord(**entry["model"]))
            elif act == "model_deleted":
                deleted = (str(entry["name"]), int(entry["version"]))
                tx.execute("DELETE FROM models WHERE name = ? AND version = ?", deleted)
            elif act == "environment":
                write_environment(tx, EnvironmentRecord(**entry["environment"]))
            elif act == "environment_deleted":
                gone = (str(entry["name"]), str(entry["version"]))
                tx.execute("DELETE FROM environments WHERE name = ? AND version = ?", gone)
            elif act == "default":
                set_default_target(tx, str(entry["name"]))
            elif act != "run_removed":
                wrong.append(f"the journal has an entry of an unknown kind: {act}")
        except (AmlError, KeyError, TypeError, ValueError) as error:
            wrong.append(f"the journal's entry {act} could not be taken: {error}")
    return wrong


def _replace_target(tx: sqlite3.Connection, fields: Mapping[str, Any], at: float) -> None:
    known = {"provisioning_errors": [], "modified": at, "created": at, **fields}
    tx.execute("DELETE FROM targets WHERE name = ?", (known["name"],))
    insert_target(tx, TargetRecord(**known))


@dataclass(frozen=True)
class Birth:
    """Describe the beginning of a run: a submitted one's definition, or what the process said that started it."""

    time: float
    run: str
    definition: dict[str, Any] | None = None
    owner: str = ""
    attempt: int = 0
    parent: str | None = None
    name: str | None = None


def births(folder: WorkspaceFolder, definition: dict[str, Any]) -> list[Birth]:
    """Return the beginnings of a submitted run and of those inside its processes."""
    run_id = str(definition["id"])
    found = [Birth(float(definition.get("created") or 0), run_id, definition)]
    place = folder.layout.run(run_id)
    for number in _attempt_numbers(place):
        control = place.attempt(number).control
        for name in protocol.events_files(str(control)):
            with open(control / protocol.EVENTS / name, "rb") as stream:
                found += [
                    birth for line in stream if b'"child"' in line for birth in _inner_birth(run_id, number, line)
                ]
    return found


def _inner_birth(owner: str, attempt: int, line: bytes) -> Iterator[Birth]:
    try:
        event = json.loads(line)
        if line.endswith(b"\n") and event["e"] == "child" and event["op"] == "start":
            yield Birth(float(event["t"]), event["id"], None, owner, attempt, event.get("r"), event.get("n"))
    except (ValueError, KeyError, TypeError):
        return  # it is told when the file is taken in


def bear(tx: sqlite3.Connection, birth: Birth, number: int) -> None:
    """Add the row of a run, with its number in the experiment."""
    if birth.definition is None:
        owner = find_run(tx, birth.owner)
        if owner is not None:
            parent = birth.parent or birth.owner
            start_child(tx, owner, birth.attempt, birth.run, parent, birth.name, birth.time, number)
        return
    interactive = "process" in birth.definition or birth.definition["kind"] == "hyperdrive"
    status, reason = ("Running", "in this process") if interactive else ("Queued", "")
    insert_run(tx, birth.definition, status=status, reason=reason, in_process=interactive, number=number)
    tx.execute("UPDATE transitions SET time = ? WHERE run = ?", (birth.time, birth.run))
    if not interactive:
        update_run(tx, birth.run, queued=birth.time)


def replay_run(folder: WorkspaceFolder, definition: dict[str, Any]) -> list[str]:
    """Write what a run, whose row is there already, went through: attempts, what its processes logged, files, states.

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
    with folder.store.transaction(durable=False) as tx:
        _apply_labels(tx, run_id, changes)
    numbers = _attempt_numbers(place)
    notes: list[str] = []
    for number in numbers:
        started_by_service = "process" not in definition
        notes += _replay_attempt(folder, run_id, number, started_by_service, is_last=number == numbers[-1])
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
    is_untouched = not attempt and not result and not notes and not (place.control / protocol.LOG).exists()
    if started_by_service and is_last and is_untouched:
        return notes  # its files were put in place ahead of its turn: the run is still in the queue
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
    if is_last and run.cancel_requested is not None and run.status == "Running":
        transition(tx, run.id, "CancelRequested", _cancel_reason(place), at=run.cancel_requested)
    transition(tx, run.id, "Finalizing", "", at=ended)
    after, reason = outcome(result, _cancel_reason(place))
    if not is_last or (after == "Failed" and number <= run.max_retries):
        again = f"attempt {number} of {run.max_retries + 1} ended: {reason}; trying again"
        transition(tx, run.id, "Queued", again, at=ended, error=None)
        return
    error = failure(place, result, reason, run.error, run.definition) if after == "Failed" else None
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
        elif act == "sweep":
            add_sweep_change(tx, run_id, change["change"])


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
            transition(
                tx, run_id, change["status"], str(change.get("reason") or ""), at=known.get("ended", at), **known
            )
        elif act == "cancel" and run.status not in FINAL:
            reason = str(change.get("reason") or "")
            if run.status in ("NotStarted", "Queued", "Paused") or run.in_process:
                transition(tx, run_id, "Canceled", reason, at=at)
            elif "CancelRequested" in RUN_TRANSITIONS[run.status]:
                transition(tx, run_id, "CancelRequested", reason, at=at)
    run = get_run(tx, run_id)
    if run.status == "Queued" and find_target(tx, run.target) is None:
        transition(tx, run_id, "Canceled", f"compute target {run.target} was deleted")

"""Own the rows of runs: what a run is, which state it is in, and which runs there are.

Attempts, tags and properties are in `history` and `labels`.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aml_jupyter.errors import UserErrorException, WorkspaceException, nearest

from .definitions import without_values
from .events import record_event
from .experiments import check_experiment_name
from .ids import check_run_id
from .labels import add_properties, set_tags
from .numbers import give_number
from .records import RunRecord
from .rows import OPEN, load_runs, to_json
from .states import FINAL, RUN_STATES, RUN_TRANSITIONS

__all__ = [
    "count_runs",
    "end_inner_runs",
    "find_run",
    "find_runs",
    "get_run",
    "insert_run",
    "open_runs",
    "place_in_line",
    "places_in_line",
    "transition",
    "update_run",
]

_JSON_COLUMNS: Final = frozenset({"error", "progress"})
_COLUMNS: Final = _JSON_COLUMNS | {
    "attempt", "cancel_requested", "cores", "display_name", "ended", "exit_code", "hidden", "priority", "queued",
    "reason", "snapshot", "started", "target",
}  # fmt: skip
_EVENT_OF: Final = {"progress": "run.progress", "display_name": "run.name"}


def insert_run(
    tx: sqlite3.Connection,
    definition: dict[str, Any],
    status: str = "Queued",
    reason: str = "",
    in_process: bool = False,
    number: int | None = None,
    run_config: Mapping[str, Any] | None = None,
) -> RunRecord:
    """Add a run, and give it its place in the global order and its number in the experiment.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    definition : dict
        The content of ``run.json``; ``id``, ``experiment`` and ``kind`` are required.
    status, reason : str
        The first state, and why.
    in_process : bool
        True for a run that lives inside a process that something else started: the service never starts it.
    number : int, optional
        Its number in the experiment where it has had one before; else the next one.
    run_config : mapping, optional
        Its run configuration without values, where that was worked out before (`without_values`).

    Returns
    -------
    RunRecord
        The run; when its id is there already, that one, unchanged.

    Raises
    ------
    UserErrorException
        When the id or the experiment's name cannot be used.
    """
    run_id = str(definition["id"])
    found = find_run(tx, run_id)
    if found is not None:
        return found
    check_run_id(run_id)
    if status not in RUN_TRANSITIONS:
        raise UserErrorException(f"{status!r} is not a state of a run. {nearest(status, list(RUN_STATES))}", "status")
    experiment = str(definition["experiment"])
    check_experiment_name(experiment)
    now = time.time()
    created = float(definition.get("created") or now)
    attempt = int(definition.get("attempt") or (1 if in_process else 0))
    started = created if status == "Running" else None
    row = {
        "id": run_id,
        "number": give_number(tx, run_id, experiment, created, number),
        "experiment": experiment,
        "parent": definition.get("parent"),
        "display_name": definition.get("display_name") or run_id,
        "kind": definition["kind"],
        "status": status,
        "reason": reason,
        "target": definition.get("target") or "local",
        "attempt": attempt,
        "priority": int(definition.get("priority") or 0),
        "cores": int(definition.get("cores") or 1),
        "snapshot": definition.get("snapshot"),
        "max_retries": int(definition.get("max_retries") or 0),
        "created": created,
        "queued": now if status == "Queued" else None,
        "started": started,
        "ended": now if status in FINAL else None,
        "hidden": bool(definition.get("hidden")),
        "in_process": in_process,
    }
    columns = ", ".join(row)
    tx.execute(f"INSERT INTO runs ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    tx.execute(
        "INSERT INTO definitions (run, value) VALUES (?, ?)",
        (run_id, json.dumps(without_values(definition, run_config))),
    )
    tx.execute(
        "INSERT INTO transitions (run, time, attempt, before, after, reason) VALUES (?, ?, ?, NULL, ?, ?)",
        (run_id, now, attempt, status, reason),
    )
    set_tags(tx, run_id, definition.get("tags") or {}, at=created, announce=False)
    add_properties(tx, run_id, definition.get("properties") or {}, announce=False)
    record_event(tx, "run.state", run_id, {"before": None, "status": status, "reason": reason})
    return get_run(tx, run_id)


def find_run(db: sqlite3.Connection, run_id: str) -> RunRecord | None:
    """Return the run with this id, or None."""
    found = load_runs(db, "WHERE r.id = ?", (run_id,))
    return found[0] if found else None


def get_run(db: sqlite3.Connection, run_id: str) -> RunRecord:
    """Return the run with this id.

    Raises
    ------
    UserErrorException
        When there is none; names the nearest of the newest runs.
    """
    found = find_run(db, run_id)
    if found is None:
        newest = [row[0] for row in db.execute("SELECT id FROM runs ORDER BY seq DESC LIMIT 200")]
        known = nearest(run_id, newest) if newest else "It has no run yet."
        raise UserErrorException(f"There is no run {run_id!r} in this workspace. {known}", "run")
    return found


def find_runs(
    db: sqlite3.Connection,
    experiment: str | None = None,
    status: str | Iterable[str] | None = None,
    target: str | None = None,
    parent: str | None = None,
    tags: Mapping[str, str | None] | None = None,
    include_hidden: bool = False,
    children: bool = False,
    last: int | None = None,
    before_seq: int | None = None,
) -> list[RunRecord]:
    """Return the runs that match everything given, newest first.

    Parameters
    ----------
    db : sqlite3.Connection
        A read connection or an open transaction.
    experiment, target : str, optional
        Exact names.
    status : str or iterable of str, optional
        One state, or any of several.
    parent : str, optional
        Only the children of this run; otherwise children are left out unless `children` is true.
    tags : mapping, optional
        Tags that the run must have; the value None means any value.
    include_hidden : bool
        Whether hidden runs are listed.
    children : bool
        Whether runs that have a parent are listed, too.
    last : int, optional
        How many at the most.
    before_seq : int, optional
        Only runs with a smaller `seq`: the next page.
    """
    terms: list[str] = []
    values: list[Any] = []
    for term, value in (("r.experiment = ?", experiment), ("r.target = ?", target), ("r.seq < ?", before_seq)):
        if value is not None:
            terms.append(term)
            values.append(value)
    if parent is not None:
        terms.append("r.parent = ?")
        values.append(parent)
    elif not children:
        terms.append("r.parent IS NULL")
    if status is not None:
        states = [status] if isinstance(status, str) else list(status)
        terms.append(f"r.status IN ({','.join('?' * len(states))})")
        values.extend(states)
    if not include_hidden:
        terms.append("r.hidden = 0")
    for key, wanted in (tags or {}).items():
        match = "t.value IS NOT NULL" if wanted is None else "t.value = ?"
        terms.append(f"r.id IN (SELECT t.run FROM tags AS t WHERE t.key = ? AND {match})")
        values.extend([key] if wanted is None else [key, wanted])
    where = f"WHERE {' AND '.join(terms)} " if terms else ""
    values.append(-1 if last is None else last)
    return load_runs(db, f"{where}ORDER BY r.seq DESC LIMIT ?", values)


def open_runs(db: sqlite3.Connection) -> list[RunRecord]:
    """Return the runs that have not ended, in the order they were submitted. No others are read."""
    return load_runs(db, f"WHERE {OPEN} ORDER BY r.seq")


def count_runs(db: sqlite3.Connection, target: str | None = None) -> dict[str, int]:
    """Return how many runs are in which state, on one target or on all; child runs and hidden ones included."""
    where, values = ("WHERE target = ? ", (target,)) if target is not None else ("", ())
    rows = dict(db.execute(f"SELECT status, count(*) FROM runs {where}GROUP BY status", values))
    return {state: int(rows[state]) for state in RUN_STATES if state in rows}


def place_in_line(db: sqlite3.Connection, run_id: str) -> int | None:
    """Return the place of a queued run among those of its target, counted from 1; None when it is not queued.

    Higher priority comes first, then what was submitted first.
    """
    row = db.execute("SELECT target, priority, seq FROM runs WHERE id = ? AND status = 'Queued'", (run_id,)).fetchone()
    if row is None:
        return None
    target, priority, seq = row
    ahead = db.execute(
        "SELECT count(*) FROM runs WHERE status = 'Queued' AND target = ? "
        "AND (priority > ? OR (priority = ? AND seq < ?))",
        (target, priority, priority, seq),
    ).fetchone()[0]
    return int(ahead) + 1


def places_in_line(db: sqlite3.Connection) -> dict[str, int]:
    """Return the place of every queued run among those of its target, as `place_in_line` counts it."""
    places: dict[str, int] = {}
    lines: dict[str, int] = {}
    for run_id, target in db.execute("SELECT id, target FROM runs WHERE status = 'Queued' ORDER BY priority DESC, seq"):
        places[run_id] = lines[target] = lines.get(target, 0) + 1
    return places


def transition(
    tx: sqlite3.Connection, run: str | RunRecord, after: str, reason: str, at: float | None = None, **fields: Any
) -> RunRecord:
    """Bring a run into another state, and record when and why.

    The times `queued`, `started` and `ended` are kept by themselves. When a run ends or goes back into the queue, the
    runs inside its process end with it.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    run : str or RunRecord
        The run's id, or the run as it was read before: it is read again unless its state is still the same.
    after, reason : str
        The new state, and why.
    at : float, optional
        When it happened, in Unix seconds; now when it is not given.
    **fields
        Other columns to set (see `update_run`).

    Raises
    ------
    UserErrorException
        When there is no such run.
    WorkspaceException
        When the new state may not follow the present one.
    """
    run_id = run if isinstance(run, str) else run.id
    if isinstance(run, str) or not _is_unchanged(tx, run):
        run = get_run(tx, run_id)
    if after not in RUN_TRANSITIONS[run.status]:
        allowed = ", ".join(sorted(RUN_TRANSITIONS[run.status])) or "nothing, it is final"
        raise WorkspaceException(
            f"Run {run_id} is {run.status} and cannot become {after} ({reason or 'no reason given'}). What may "
            f"follow: {allowed}.",
            "status",
        )
    now = time.time() if at is None else at
    kept: dict[str, Any] = {}
    if after == "Queued":
        kept = {"queued": now, "started": None, "ended": None, "exit_code": None, "progress": None}
    elif after == "Running" and run.started is None:
        kept = {"started": now}
    elif after in FINAL:
        kept = {"ended": now}
    changed = {**kept, **fields, "status": after, "reason": reason}
    _write(tx, run_id, changed)
    tx.execute(
        "INSERT INTO transitions (run, time, attempt, before, after, reason) VALUES (?, ?, ?, ?, ?, ?)",
        (run_id, now, fields.get("attempt", run.attempt), run.status, after, reason),
    )
    record_event(tx, "run.state", run_id, {"before": run.status, "status": after, "reason": reason})
    if after in FINAL or after == "Queued":
        end_inner_runs(tx, run, after, at)
    return dataclasses.replace(run, **changed)


def _is_unchanged(tx: sqlite3.Connection, run: RunRecord) -> bool:
    """Tell whether the row still has the state, attempt and cancel request of `run`."""
    row = tx.execute("SELECT status, attempt, cancel_requested FROM runs WHERE id = ?", (run.id,)).fetchone()
    return row is not None and tuple(row) == (run.status, run.attempt, run.cancel_requested)


def end_inner_runs(tx: sqlite3.Connection, parent: RunRecord, after: str, at: float | None = None) -> None:
    """End the runs that lived inside the process of `parent`, which is not there any more."""
    inner = load_runs(
        tx,
        f"WHERE r.parent = ? AND r.in_process = 1 AND r.attempt <= ? AND {OPEN} ORDER BY r.seq",
        (parent.id, parent.attempt),
    )
    for child in inner:
        ending = after if after in FINAL else "Failed"
        if ending not in RUN_TRANSITIONS[child.status]:
            ending = "Canceled"
        why = (
            f"its parent ended ({after})" if after in FINAL else f"attempt {parent.attempt} of its parent was given up"
        )
        transition(tx, child.id, ending, why, at=at)


def update_run(tx: sqlite3.Connection, run_id: str, **fields: Any) -> None:
    """Set columns of a run that are not its state; what does not change anything is not written and tells nobody.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    run_id : str
        The run.
    **fields
        Any of attempt, cancel_requested, cores, display_name, ended, error, exit_code, hidden, priority, progress,
        queued, reason, snapshot, started, target.

    Raises
    ------
    TypeError
        For another name; the state is changed by `transition`.
    UserErrorException
        When there is no such run.
    """
    unknown = set(fields) - _COLUMNS
    if unknown:
        raise TypeError(f"a run has no column {', '.join(sorted(unknown))}; known: {', '.join(sorted(_COLUMNS))}")
    run = get_run(tx, run_id)
    changed = {name: value for name, value in fields.items() if getattr(run, name) != value}
    if not changed:
        return
    _write(tx, run_id, changed)
    for kind in dict.fromkeys(_EVENT_OF.get(name, "run.state") for name in changed):
        told = {name: value for name, value in changed.items() if _EVENT_OF.get(name, "run.state") == kind}
        if kind == "run.state":
            told = {"before": run.status, "status": run.status, **told}
        record_event(tx, kind, run_id, told)


def _write(tx: sqlite3.Connection, run_id: str, fields: dict[str, Any]) -> None:
    unknown = set(fields) - _COLUMNS - {"status"}
    if unknown:
        raise TypeError(f"a run has no column {', '.join(sorted(unknown))}; known: {', '.join(sorted(_COLUMNS))}")
    values = [to_json(value) if name in _JSON_COLUMNS else value for name, value in fields.items()]
    tx.execute(f"UPDATE runs SET {', '.join(f'{name} = ?' for name in fields)} WHERE id = ?", (*values, run_id))

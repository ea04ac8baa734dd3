"""Change a run from outside: cancel, resubmit, tag, rename, reprioritise, wait.

A change is noted in the run's ``changes.jsonl`` (so that the database can be rebuilt), committed, and then carried
out by the service.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping

from aml_jupyter.errors import UserErrorException
from aml_jupyter.service.client import ensure_service
from aml_jupyter.service.launch import values_sent
from aml_jupyter.service.submission import LONGEST_NAME, Submission, check_priority, queue_again
from aml_jupyter.service.sweep_children import CHOSEN, KIND
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    add_properties,
    append_change,
    get_run,
    read_definition,
    set_tags,
    transition,
    update_run,
)
from aml_jupyter.workspace.outcome import check_snapshot_kept
from aml_jupyter.workspace.states import FINAL, RUN_TRANSITIONS, WAITING

__all__ = [
    "cancel_run",
    "describe_run",
    "rename_run",
    "request_end",
    "resubmit_run",
    "set_priority",
    "tag_run",
    "wait_for_run",
]


def cancel_run(folder: WorkspaceFolder, run_id: str, reason: str = "") -> RunRecord:
    """End a run: one that waits at once, one that runs through its supervisor. A finished run stays as it is.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    run_id : str
        The run.
    reason : str
        Why; shown in the run's history.

    Returns
    -------
    RunRecord
        The run as it stands after the request: ``Canceled``, ``CancelRequested``, or as it was when it had ended.

    Raises
    ------
    UserErrorException
        When there is no such run, or it lives in a process that is not ours to end (``start_logging``).
    """
    reason = reason or "canceled by the user"
    with folder.store.transaction() as tx:
        run = request_end(folder, tx, get_run(tx, run_id), reason)
    if run.status not in FINAL:
        ensure_service(folder)
    return run


def request_end(folder: WorkspaceFolder, tx: sqlite3.Connection, run: RunRecord, reason: str) -> RunRecord:
    """End a run that waits, and mark one that runs as to be ended; return it as it stands then."""
    if run.status in FINAL or run.status == "CancelRequested":
        return run
    now = time.time()
    if run.status in WAITING or run.in_process:
        run = transition(tx, run.id, "Canceled", reason, cancel_requested=now, ended=now)
    elif "CancelRequested" in RUN_TRANSITIONS[run.status]:
        run = transition(tx, run.id, "CancelRequested", reason, cancel_requested=now)
    elif run.attempt <= run.max_retries and run.cancel_requested is None:
        # Its process has ended already; it is not started again.
        update_run(tx, run.id, cancel_requested=now)
        run = get_run(tx, run.id)
    else:
        return run
    append_change(folder, run.id, {"op": "cancel", "reason": reason, "time": now})
    if run.status in FINAL:
        append_change(folder, run.id, {"op": "end", "status": run.status, "reason": reason, "ended": now})
    return run


def resubmit_run(folder: WorkspaceFolder, run_id: str) -> Submission:
    """Queue a new run with the same definition and snapshot; of a sweep's child, one that does not belong to the sweep.

    Raises
    ------
    UserErrorException
        When the run has no snapshot or definition to start from.
    """
    run = get_run(folder.store.read(), run_id)
    check_snapshot_kept(run)
    whole = read_definition(folder.layout, run_id)
    values = values_sent(folder, whole)
    whole.pop("values_of", None)  # it gets a copy of its own
    definition = {**whole, "tags": dict(run.tags), "properties": dict(whole.get("properties") or {})}
    definition["properties"]["aml.resubmitted_from"] = run_id
    if run.parent is not None and get_run(folder.store.read(), run.parent).kind == KIND:
        definition["parent"] = None
        definition["properties"].pop(CHOSEN, None)
    return queue_again(folder, definition, values)


def tag_run(folder: WorkspaceFolder, run_id: str, tags: Mapping[str, str | None]) -> RunRecord:
    """Set the tags in `tags`; a value of None removes the tag."""
    clean = {str(key): None if value is None else str(value) for key, value in tags.items()}
    with folder.store.transaction() as tx:
        set_tags(tx, run_id, clean)
        append_change(folder, run_id, {"op": "tags", "tags": clean})
        run = get_run(tx, run_id)
    return run


def describe_run(folder: WorkspaceFolder, run_id: str, properties: Mapping[str, str]) -> None:
    """Add properties; one that the run has stays as it is for ever.

    Raises
    ------
    UserErrorException
        When one is there with another value.
    """
    with folder.store.transaction() as tx:
        kept = get_run(tx, run_id).properties
        for name in properties:
            if kept.get(name, properties[name]) != properties[name]:
                raise UserErrorException(
                    f"property {name!r} is {kept[name]!r} and cannot be changed to {properties[name]!r}: properties are "
                    "immutable. Use a tag.",
                    "properties",
                )
        add_properties(tx, run_id, properties)
        append_change(folder, run_id, {"op": "properties", "properties": dict(properties)})


def rename_run(folder: WorkspaceFolder, run_id: str, name: str) -> RunRecord:
    """Give the run another display name.

    Raises
    ------
    UserErrorException
        When the name is empty or longer than 256 characters.
    """
    if not 0 < len(name) <= LONGEST_NAME:
        raise UserErrorException(
            f"A display name has 1 to {LONGEST_NAME} characters; this one has {len(name)}.", "display_name"
        )
    with folder.store.transaction() as tx:
        update_run(tx, run_id, display_name=name)
        append_change(folder, run_id, {"op": "name", "display_name": name})
        run = get_run(tx, run_id)
    return run


def set_priority(folder: WorkspaceFolder, run_id: str, priority: int) -> RunRecord:
    """Move a waiting run: a higher number goes first."""
    check_priority(priority)
    with folder.store.transaction() as tx:
        run = get_run(tx, run_id)
        if run.status not in WAITING:
            raise UserErrorException(f"Run {run_id} is {run.status}; only a waiting run can be moved.", "priority")
        update_run(tx, run_id, priority=priority)
        append_change(folder, run_id, {"op": "priority", "priority": priority})
        run = get_run(tx, run_id)
    ensure_service(folder)
    return run


def wait_for_run(
    folder: WorkspaceFolder,
    run_id: str,
    timeout: float | None = None,
    on_change: Callable[[RunRecord], None] | None = None,
    poll_seconds: float = 0.03,
) -> RunRecord:
    """Block until the run is final, or `timeout` seconds have passed, and return it as it stands.

    Parameters
    ----------
    on_change : callable, optional
        Called with the run whenever something in the workspace changed, and at least once a second.
    poll_seconds : float
        How often to look whether the database changed (a look costs microseconds).

    Notes
    -----
    The waiter also keeps the service alive: should it have died, it is started again.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    seen: int | None = None
    looked = checked = time.monotonic()
    while True:
        version = folder.store.data_version()
        now = time.monotonic()
        if version != seen or now - looked >= 1:
            seen, looked = version, now
            run = get_run(folder.store.read(), run_id)
            if on_change is not None:
                on_change(run)
            if run.status in FINAL:
                return run
        if now - checked >= 3:
            checked = now
            ensure_service(folder)
        if deadline is not None and now >= deadline:
            return get_run(folder.store.read(), run_id)
        time.sleep(poll_seconds)

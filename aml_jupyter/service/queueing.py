"""Put a checked definition into the queue: the run's folder first, then the acknowledging commit, then the service is woken."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aml_jupyter.errors import ComputeTargetException, UserErrorException
from aml_jupyter.service.client import ensure_service
from aml_jupyter.supervisor import durable
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.targets import kind_of
from aml_jupyter.workspace import (
    RunRecord,
    Snapshot,
    TargetRecord,
    WorkspaceFolder,
    add_properties,
    default_target,
    find_run,
    get_run,
    get_target,
    insert_run,
    list_targets,
    new_run_id,
    read_definition,
    write_definition,
)
from aml_jupyter.workspace.filelock import exclusive
from aml_jupyter.workspace.snapshots.store import store_errors

__all__ = ["Submission", "queue", "queue_again", "target_for_runs"]


@dataclass(frozen=True)
class Submission:
    """Say what a submit made: the run in the queue, its snapshot, and what the user should know."""

    run: RunRecord
    snapshot: Snapshot | None
    notes: tuple[str, ...] = ()


def queue_again(
    folder: WorkspaceFolder, definition: dict[str, Any], inputs: bytes | None, run_id: str | None = None
) -> Submission:
    """Queue a new run with the definition of an earlier one: same snapshot, same settings, a new id."""
    again = {**definition, "id": run_id or new_run_id(definition["experiment"]), "created": time.time(), "number": None}
    if definition["display_name"] == f"run_{definition['id']}":
        again["display_name"] = f"run_{again['id']}"
    return queue(folder, again, None, inputs)


def queue(
    folder: WorkspaceFolder,
    definition: dict[str, Any],
    snapshot: Snapshot | None,
    inputs: bytes | None,
    notes: Sequence[str] = (),
    run_id: str | None = None,
) -> Submission:
    """Write the run's folder, then the acknowledging commit, then wake the service."""
    place = folder.layout.run(definition["id"])
    chosen = nullcontext() if run_id is None else _one_at_a_time(place.path)
    with chosen:
        standing = None if run_id is None else find_run(folder.store.read(), run_id)
        if standing is not None:
            return Submission(_same_run(folder, standing, definition), snapshot, tuple(notes))
        return _write_and_commit(folder, definition, snapshot, inputs, notes)


_SAME: Final = (
    "experiment",
    "parent",
    "kind",
    "target",
    "snapshot",
    "script",
    "command",
    "arguments",
    "parameters",
    "run_config",
)


def _same_run(folder: WorkspaceFolder, standing: RunRecord, definition: Mapping[str, Any]) -> RunRecord:
    """Return the run that has the chosen id already, when it was submitted as this one is.

    Raises
    ------
    UserErrorException
        When it is another run.
    """
    before = read_definition(folder.layout, standing.id)
    for name in _SAME:
        if before.get(name) != definition.get(name):
            raise UserErrorException(
                f"The run id {standing.id} is taken by another run ({name} differs). Choose another id, or none.",
                "run_id",
            )
    return standing


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Let one submit of a chosen id go on at a time; the lock ends with its process."""
    with store_errors(str(path)):
        path.mkdir(parents=True, exist_ok=True)
    with exclusive(path / ".submit"):
        yield


def _write_and_commit(
    folder: WorkspaceFolder,
    definition: dict[str, Any],
    snapshot: Snapshot | None,
    inputs: bytes | None,
    notes: Sequence[str],
) -> Submission:
    place = folder.layout.run(definition["id"])
    try:
        with store_errors(str(place.path)):
            place.path.mkdir(parents=True, exist_ok=True)  # a submit of the same id that was killed may have left it
            if inputs is not None:
                _write_inputs(place.inputs, inputs)
            write_definition(folder.layout, definition)
            durable.sync_folder(str(place.path.parent))
        with folder.store.transaction() as tx:
            target_for_runs(tx, definition["target"])  # it may have been deleted while the snapshot was taken
            if "sweep" in definition:
                insert_run(tx, definition, status="Running", reason="", in_process=True)
            else:
                insert_run(tx, definition, status="Queued", reason="")
            if definition["properties"]:
                add_properties(tx, definition["id"], definition["properties"])
        ensure_service(folder)
    except BaseException as error:
        if find_run(folder.store.read(), definition["id"]) is None:
            with fault_point("submit.undo"):
                shutil.rmtree(place.path, ignore_errors=True)
        elif isinstance(error, KeyboardInterrupt):  # it came after the commit
            error.args = (f"run {definition['id']} is in the queue already",)
        raise
    said = (*notes, *(snapshot.notes if snapshot else ()))
    return Submission(get_run(folder.store.read(), definition["id"]), snapshot, said)


def _write_inputs(inputs: Path, values: bytes) -> None:
    """Put the pickled values beside a copy of the cloudpickle that can read them."""
    import cloudpickle

    inputs.mkdir(exist_ok=True, mode=0o700)
    with fault_point("submit.inputs"), open(inputs / "values.pkl", "wb") as stream:
        stream.write(values)
        stream.flush()
        os.fsync(stream.fileno())
    shutil.copytree(
        Path(cloudpickle.__file__).parent,
        inputs / "cloudpickle",
        ignore=shutil.ignore_patterns("__pycache__"),
        dirs_exist_ok=True,
    )


def target_for_runs(db: sqlite3.Connection, name: str | None) -> TargetRecord:
    """Return the compute target called `name` (None: the workspace's default), ready to take runs.

    Raises
    ------
    ComputeTargetException
        When it is unknown, is being deleted, or its type cannot take plain runs.
    """
    record = get_target(db, name or default_target(db))
    kind = kind_of(record.type)
    if not kind.plain_runs:
        able = ", ".join(entry.name for entry in list_targets(db) if kind_of(entry.type).plain_runs)
        raise ComputeTargetException(
            f"{record.name!r} is of type {kind.type!r}, which runs only pipeline steps. Targets for plain runs: {able}.",
            "target",
        )
    if record.provisioning_state in ("Deleting", "Failed"):
        raise ComputeTargetException(
            f"{record.name!r} takes no runs: its provisioning state is {record.provisioning_state}.", "target"
        )
    return record

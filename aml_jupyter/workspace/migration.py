"""Create a workspace's database, and bring an older one to this package's schema, after a backup.

Only who creates the workspace or holds its service lock migrates: an older service that runs keeps its schema.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from aml_jupyter.errors import WorkspaceException
from aml_jupyter.supervisor.faults import fault_point

from .database import Connection, connect_for_reading, connect_for_writing, is_writable
from .filelock import exclusive, try_exclusive
from .filesystem import is_network
from .layout import Layout
from .schema import CURRENT, check_readable, migrate, schema_number

__all__ = ["fill_database", "make_folders", "prepare_database"]

_FOLDERS: Final = ("content", "runs", "logs")


def prepare_database(layout: Layout, workspace_id: str) -> None:
    """Make sure that the database is there and that this package can read it.

    Raises
    ------
    WorkspaceException
        When the database is missing although there are runs, is damaged, needs a newer package, or is older and a
        service is using it.
    """
    if not layout.database.exists() or layout.database.stat().st_size == 0:
        if layout.runs.is_dir() and any(layout.runs.iterdir()):
            raise WorkspaceException(
                f"The workspace {layout.root} has runs but no database. Restore it from the runs' files with: "
                f"aml workspace rebuild --workspace {layout.root}"
            )
        _create(layout, workspace_id)
        return
    db = connect_for_reading(layout.database)
    try:
        number = schema_number(db)
        if number:
            check_readable(db)
    finally:
        db.close()
    if number < CURRENT:
        _upgrade(layout, workspace_id, number)


def make_folders(layout: Layout) -> None:
    """Make the folders that every workspace has.

    Raises
    ------
    WorkspaceException
        When they cannot be made.
    """
    try:
        for name in _FOLDERS:
            (layout.root / name).mkdir(exist_ok=True)
    except OSError as error:
        raise WorkspaceException(
            f"The workspace {layout.root} cannot be written: {error.strerror}. Free some space, make the folder "
            "writable, or name another one."
        ) from error


def fill_database(path: Path, workspace_id: str) -> None:
    """Bring the database at `path` to the current schema; when it is not there, it is created.

    Raises
    ------
    WorkspaceException
        When it cannot be written; the migration is then not there at all.
    """
    connection = connect_for_writing(path, is_network(path.parent), durable=True)
    try:
        connection.execute("BEGIN IMMEDIATE")
        if schema_number(connection) < CURRENT:
            migrate(connection, workspace_id)
        with fault_point("store.migrate"):
            connection.execute("COMMIT")
    finally:
        connection.close()  # rolls back what was not committed


def _create(layout: Layout, workspace_id: str) -> None:
    """Create the database, whoever else tries the same at this moment; nothing half-written is left."""
    make_folders(layout)
    with exclusive(layout.creation_lock):
        try:
            fill_database(layout.database, workspace_id)
        except BaseException:
            _discard_unfinished(layout.database)
            raise


def _discard_unfinished(path: Path) -> None:
    """Remove a database that never got its tables."""
    try:
        db = connect_for_reading(path)
    except WorkspaceException:
        number = 0
    else:
        number = schema_number(db)
        db.close()
    if number == 0:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with fault_point("store.discard"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)


def _upgrade(layout: Layout, workspace_id: str, number: int) -> None:
    """Back the database up and migrate it, unless a service is using it."""
    if not is_writable(layout.database):
        raise WorkspaceException(
            f"The workspace {layout.root} was written by an older aml-jupyter (format {number}, now {CURRENT}) and is "
            "read-only for this user, so that it cannot be brought up to date. Open it once as a user who may write "
            "it."
        )
    with exclusive(layout.creation_lock), try_exclusive(layout.service_lock) as free:
        if not free:
            raise WorkspaceException(
                f"The workspace {layout.root} is served by an older aml-jupyter (format {number}, now {CURRENT}). Let "
                "it finish, or end it with that version's 'aml serve --stop'; then this version brings the workspace "
                "up to date."
            )
        for left in layout.root.glob("aml.db.format-*.partial"):
            with fault_point("store.discard"):
                left.unlink()
        source = connect_for_reading(layout.database)
        try:
            _back_up(source, layout.root / f"aml.db.format-{number}.{int(time.time())}.backup")
        finally:
            source.close()
        fill_database(layout.database, workspace_id)


def _back_up(source: Connection, destination: Path) -> None:
    partial = destination.with_name(destination.name + ".partial")
    try:
        copy = sqlite3.connect(partial)
        try:
            source.backup(copy)
        finally:
            copy.close()
        with fault_point("store.backup"):
            descriptor = os.open(partial, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(partial, destination)
    except (sqlite3.Error, OSError) as error:
        with fault_point("store.discard"):
            partial.unlink(missing_ok=True)
        raise WorkspaceException(
            f"The workspace {destination.parent} could not be backed up before its database is brought up to date: "
            f"{error}. Nothing was changed. Free some space and try again."
        ) from error

"""Open SQLite connections, and say in words what SQLite says in codes. Knows nothing of the tables."""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aml_jupyter.errors import UserErrorException, WorkspaceException

__all__ = ["Connection", "connect_for_reading", "connect_for_writing", "explain", "is_writable"]

BUSY_SECONDS = 30.0


class Connection(sqlite3.Connection):
    """Run statements; raise a WorkspaceException that names the file and what to do when one fails."""

    path: Path

    def __del__(self) -> None:
        """Close what nobody uses any more: SDK v1's objects, which hold connections, have no method for it."""
        with suppress(sqlite3.Error):
            self.close()

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run one statement.

        Raises
        ------
        WorkspaceException
            When the disk is full, the file read-only, locked, damaged or gone.
        """
        try:
            return super().execute(sql, parameters)
        except sqlite3.DatabaseError as error:
            raise explain(error, self.path) from error
        except (sqlite3.InterfaceError, UnicodeEncodeError, OverflowError) as error:
            raise _no_value(error) from error

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Run one statement for each of `parameters`; raises as `execute` does."""
        try:
            return super().executemany(sql, parameters)
        except sqlite3.DatabaseError as error:
            raise explain(error, self.path) from error
        except (sqlite3.InterfaceError, UnicodeEncodeError, OverflowError) as error:
            raise _no_value(error) from error


def explain(error: sqlite3.DatabaseError, path: Path) -> Exception:
    """Return the exception that tells a person what `error` means for the database at `path`.

    A mistake in our own SQL, or a broken constraint, comes back as it is.
    """
    text = str(error).lower()
    if "binding parameter" in text:
        return _no_value(error)
    if "disk is full" in text or ("disk i/o error" in text and _is_full(path)):
        return WorkspaceException(
            f"The workspace database {path} cannot be written: no space is left on its disk. Nothing was changed. "
            "Free some space and try again."
        )
    if "readonly" in text or "read-only" in text:
        return _read_only(path)
    if "locked" in text:
        return WorkspaceException(
            f"The workspace database {path} was locked by another process for more than {BUSY_SECONDS:.0f} s. Nothing "
            "was changed. Try again, or end the process that holds it."
        )
    if "not a database" in text or "malformed" in text:
        return WorkspaceException(
            f"The workspace database {path} is damaged ({error}). Restore it from the runs' files with: "
            f"aml workspace rebuild --workspace {path.parent}"
        )
    if "unable to open" in text:
        return WorkspaceException(
            f"The workspace database {path} cannot be opened. Check that the folder exists and that this user may read "
            "it."
        )
    if "disk i/o error" in text:
        return WorkspaceException(
            f"The workspace database {path} could not be read or written (disk I/O error). Nothing was changed. Check "
            "the disk."
        )
    return error


def _no_value(error: Exception) -> UserErrorException:
    """Return the error for a value that came from outside and that no table can hold."""
    return UserErrorException(
        f"A value is none that the workspace can look up or keep: {error}. Give a text or a number."
    )


def _read_only(path: Path) -> WorkspaceException:
    return WorkspaceException(
        f"The workspace database {path} is read-only for this user. Nothing was changed. Make the file and its folder "
        "writable, or choose another workspace with --workspace or AML_WORKSPACE."
    )


def is_writable(path: Path) -> bool:
    """Tell whether this user may write the database at `path`: the file, when it is there, and its folder."""
    return os.access(path.parent, os.W_OK) and (os.access(path, os.W_OK) or not path.exists())


def _is_full(path: Path) -> bool:
    """Tell whether the file system of `path` has no room for another page."""
    try:
        free = os.statvfs(path.parent)
    except (OSError, AttributeError):
        return False
    return free.f_bavail * free.f_frsize < 65536


def _open(target: str, path: Path, uri: bool) -> Connection:
    try:
        connection = sqlite3.connect(
            target, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, factory=Connection, uri=uri
        )
    except sqlite3.DatabaseError as error:
        raise explain(error, path) from error
    connection.path = path
    return connection


def connect_for_writing(path: Path, network: bool, durable: bool) -> Connection:
    """Open the database for writing.

    Parameters
    ----------
    path : Path
        The file; it is created when it is not there.
    network : bool
        Whether it lies on a network file system: no WAL there.
    durable : bool
        Whether a commit is on the disk when it returns, or may wait for the next one that is.

    Raises
    ------
    WorkspaceException
        When this user may not write it, or it cannot be opened.
    """
    if not is_writable(path):
        raise _read_only(path)
    connection = _open(str(path), path, uri=False)
    try:
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        wanted = "delete" if network else "wal"
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
            connection.execute(f"PRAGMA journal_mode={wanted}")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA journal_size_limit=67108864")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_for_reading(path: Path) -> Connection:
    """Open the database for reading, also in a folder that this user may not write.

    Raises
    ------
    WorkspaceException
        When the file is not there or cannot be read.
    """
    quoted = urllib.parse.quote(str(path))
    connection = _open(f"file:{quoted}?mode=ro", path, uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except WorkspaceException:
        connection.close()
        log = path.with_name(path.name + "-wal")
        if not path.exists() or os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
            raise
        # SQLite cannot make the WAL's index in a folder that is read-only; no log means that the file is all there is
        connection = _open(f"file:{quoted}?immutable=1", path, uri=True)
    connection.execute("PRAGMA query_only=ON")
    return connection

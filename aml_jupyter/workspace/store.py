"""Own the connections to a workspace's database, its transactions, and the check of the service's epoch.

What the tables hold is the business of the modules named after the nouns (`runs`, `metrics`, ...).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aml_jupyter.errors import LeaseLost, WorkspaceException
from aml_jupyter.supervisor.faults import fault_point

from .database import Connection, connect_for_reading, connect_for_writing, is_writable
from .events import record_event
from .filesystem import is_network
from .hosts import check_host, claim_host
from .schema import check_writable

__all__ = ["Store", "record_event"]


class _Thread:
    """Hold the connections of one thread of one process to one file."""

    def __init__(self, file: tuple[int, int]) -> None:
        self.process = os.getpid()
        self.file = file
        self.thread = threading.current_thread()
        self.connections: dict[str, Connection] = {}
        self.writes = False

    def close(self) -> None:
        # the readers first: only a writer that is the last to go brings the log into the main file
        for kind in sorted(self.connections, key=lambda kind: kind != "read"):
            self.connections[kind].close()
        self.connections.clear()

    def let_go(self) -> None:
        """Close what is not in use; a connection that its thread is just using is closed when it has done so."""
        if self.thread is threading.current_thread() or not self.thread.is_alive():
            self.close()
        else:  # SQLite crashes when a connection is closed under the feet of another thread
            for kind in sorted(self.connections, key=lambda kind: kind != "read"):
                self.connections.pop(kind, None)


class Store:
    """Give each thread its connections to the database at `path`.

    Parameters
    ----------
    path : Path
        The database; it must exist.
    """

    record_event = staticmethod(record_event)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.network = is_network(path.parent)
        self._local = threading.local()
        self._all: list[_Thread] = []
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._process = os.getpid()

    @property
    def writable(self) -> bool:
        """Tell whether this user may write the database and the folder that holds it."""
        return is_writable(self.path)

    @property
    def generation(self) -> str:
        """Return a text that changes when the database is built anew: event ids of another generation mean nothing."""
        row = self.read().execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
        return str(row[0])

    def read(self) -> Connection:
        """Return this thread's connection for reading. Each statement sees the newest committed state.

        Raises
        ------
        WorkspaceException
            When the database is gone, cannot be read or is damaged.
        """
        return self._connection("read")

    def data_version(self) -> int:
        """Return a number that differs from the last one asked for in this thread when anything was committed since."""
        return int(self.read().execute("PRAGMA data_version").fetchone()[0])

    def version_by_others(self) -> int:
        """Return a number that differs from the last one when anybody but this thread's durable transactions committed."""
        connection = self._connection("durable")
        return int(connection.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def transaction(self, durable: bool = True, epoch: int | None = None, moving: bool = False) -> Iterator[Connection]:
        """Run the block as one transaction: all of it is committed when the block ends, nothing when it raises.

        Parameters
        ----------
        durable : bool
            True: it is on the disk when this returns. False: it is atomic, but the newest ones may be lost when the
            machine (not the process) goes down.
        epoch : int, optional
            The service's epoch; when another service has taken a higher one, nothing is written.
        moving : bool
            Write though another machine owns the workspace: for `aml workspace takeover`, which makes this one the owner.

        Raises
        ------
        LeaseLost
            When `epoch` is no longer the current one.
        WorkspaceException
            When the disk is full, the workspace read-only, locked, damaged, only writable by a newer package, or on a
            network file system and written by another machine.
        """
        with self._my_turn():
            tx = self._begin("durable" if durable else "quick")
            mine: _Thread = self._local.mine
            mine.writes = True
            try:
                check_writable(tx)
                if epoch is not None:
                    _check_epoch(tx, epoch)
                if self.network and not moving:
                    claim_host(tx, self.path.parent)
                yield tx
                with fault_point("store.commit"):
                    tx.execute("COMMIT")
            except BaseException:
                self._roll_back(tx)
                raise
            finally:
                mine.writes = False

    def check_host(self) -> None:
        """Refuse, before anything is written, a workspace on a network file system that another machine writes."""
        if self.network:
            check_host(self.read(), self.path.parent)

    def close(self) -> None:
        """Close the connections of every thread."""
        with self._lock:
            everyone, self._all = self._all, []
        for each in everyone:
            if each.process == os.getpid():
                each.let_go()
        self._local = threading.local()

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        """Let the threads of this process write one after the other, without SQLite's polling."""
        mine: _Thread | None = getattr(self._local, "mine", None)
        if mine is not None and mine.writes and mine.process == os.getpid():
            raise RuntimeError("a transaction is open in this thread already; pass its connection on instead")
        if self._process != os.getpid():  # forked: the lock may have been held by a thread that is not here
            self._process, self._turn, self._lock = os.getpid(), threading.Lock(), threading.Lock()
        with self._turn:
            yield

    def _begin(self, kind: str) -> Connection:
        while True:
            tx = self._connection(kind)
            tx.execute("BEGIN IMMEDIATE")
            if self._file() == self._local.mine.file:
                return tx
            tx.execute("ROLLBACK")  # a rebuild has put another database in the file's place while this one waited

    def _roll_back(self, tx: Connection) -> None:
        if not tx.in_transaction:
            return
        with suppress(WorkspaceException, sqlite3.Error):
            tx.execute("ROLLBACK")
        if tx.in_transaction:  # it could not even be rolled back: closing does
            mine: _Thread = self._local.mine
            mine.connections = {kind: held for kind, held in mine.connections.items() if held is not tx}
            tx.close()

    def _file(self) -> tuple[int, int]:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            raise WorkspaceException(
                f"The workspace database {self.path} is gone. Restore it from the runs' files with: "
                f"aml workspace rebuild --workspace {self.path.parent}"
            ) from None
        except OSError as error:
            raise WorkspaceException(
                f"The workspace database {self.path} cannot be reached: {error.strerror}."
            ) from error
        return found.st_dev, found.st_ino

    def _connection(self, kind: str) -> Connection:
        """Return this thread's connection of one kind: read, durable or quick."""
        file = self._file()
        mine: _Thread | None = getattr(self._local, "mine", None)
        if mine is not None and mine.process == os.getpid() and mine.file != file and not mine.writes:
            mine.close()
            mine.file = file
        if mine is None or mine.process != os.getpid():  # a connection must not cross a fork
            mine = self._local.mine = _Thread(file)
            self._remember(mine)
        connection = mine.connections.get(kind)
        if connection is None:
            if kind == "read":
                connection = connect_for_reading(self.path)
            else:
                connection = connect_for_writing(self.path, self.network, durable=kind == "durable")
            mine.connections[kind] = connection
        return connection

    def _remember(self, mine: _Thread) -> None:
        """Keep `mine` for `close`, and close what threads that have ended left open."""
        with self._lock:
            # those of the process that this one was forked from stay referenced: they are not ours to close
            ended = [each for each in self._all if each.process == mine.process and not each.thread.is_alive()]
            self._all = [each for each in self._all if each not in ended] + [mine]
        for each in ended:
            each.close()


def _check_epoch(tx: Connection, epoch: int) -> None:
    row = tx.execute("SELECT epoch, holder FROM lease").fetchone()
    if row is None or row[0] != epoch:
        raise LeaseLost(
            f"Another service owns the workspace {tx.path.parent} now (epoch {row[0] if row else 0}, this one had "
            f"{epoch}). This service ends; nothing is lost."
        )

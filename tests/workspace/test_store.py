"""Transactions: all or nothing, one writer at a time, and words for what goes wrong."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from workspace_support import Definition, as_user

from aml_jupyter.errors import LeaseLost, WorkspaceException
from aml_jupyter.workspace import (
    WorkspaceFolder,
    current_lease,
    events_since,
    find_runs,
    insert_run,
    latest_event,
    take_epoch,
)
from aml_jupyter.workspace.events import KEPT, record_event, subjects_since

WRITER = """
import sys
from aml_jupyter.workspace import WorkspaceFolder, insert_run
folder = WorkspaceFolder.open(sys.argv[1])
for place in range(int(sys.argv[3])):
    with folder.store.transaction(durable=False) as tx:
        insert_run(tx, {"id": f"{sys.argv[2]}-{place}", "experiment": "e", "kind": "script", "target": "local"})
folder.close()
"""


def test_an_error_undoes_the_whole_block(folder: WorkspaceFolder, definition: Definition) -> None:
    with pytest.raises(ZeroDivisionError):
        with folder.store.transaction() as tx:
            insert_run(tx, definition())
            1 / 0
    assert find_runs(folder.store.read()) == [] and latest_event(folder.store.read()) == 0


def test_a_second_transaction_in_a_thread_is_a_mistake(folder: WorkspaceFolder) -> None:
    with pytest.raises(RuntimeError, match="open in this thread already"):
        with folder.store.transaction():
            with folder.store.transaction(durable=False):
                pass
    with folder.store.transaction():
        pass


def test_readers_see_what_is_committed(folder: WorkspaceFolder, definition: Definition) -> None:
    store = folder.store
    before = store.data_version()
    assert store.data_version() == before
    with store.transaction() as tx:
        insert_run(tx, definition())
        assert find_runs(store.read()) == []
    assert store.data_version() != before and len(find_runs(store.read())) == 1


def test_reading_cannot_write(folder: WorkspaceFolder) -> None:
    with pytest.raises(WorkspaceException, match="read-only"):
        folder.store.read().execute("DELETE FROM runs")


def test_who_lost_the_lease_writes_nothing(folder: WorkspaceFolder, definition: Definition) -> None:
    with pytest.raises(LeaseLost):
        with folder.store.transaction(epoch=1):
            pass
    with folder.store.transaction() as tx:
        first = take_epoch(tx, {"pid": 1})
    with folder.store.transaction(epoch=first) as tx:
        insert_run(tx, definition())
        second = take_epoch(tx, {"pid": 2, "host": "here"})
    with pytest.raises(LeaseLost, match="epoch 2, this one had 1"):
        with folder.store.transaction(epoch=first) as tx:
            insert_run(tx, definition())
    lease = current_lease(folder.store.read())
    assert second == first + 1 and lease is not None and (lease["pid"], lease["epoch"]) == (2, second)
    assert len(find_runs(folder.store.read())) == 1


def test_processes_and_threads_write_side_by_side(folder: WorkspaceFolder, definition: Definition) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(folder.root), f"p{number}", "40"]) for number in range(3)
    ]

    def write() -> None:
        for _ in range(40):
            with folder.store.transaction(durable=False) as tx:
                insert_run(tx, definition("e"))

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    runs = find_runs(folder.store.read())
    assert sorted(run.number for run in runs) == list(range(1, 201)) == sorted(run.seq for run in runs)


def test_many_processes_may_create_the_same_workspace(tmp_path: Path) -> None:
    code = "import sys; from aml_jupyter.workspace import *; f = WorkspaceFolder.open(sys.argv[1], create=True); print(f.id)"
    code = code.replace("import *", "import WorkspaceFolder") + "; f.store.read(); f.close()"
    found = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "w")], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    ids = {each.communicate()[0] for each in found}
    assert len(ids) == 1 and all(each.returncode == 0 for each in found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_uses_connections_of_its_own(folder: WorkspaceFolder, definition: Definition) -> None:
    with folder.store.transaction() as tx:
        insert_run(tx, definition())
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with folder.store.transaction() as tx:
                insert_run(tx, definition())
            code = 0 if len(find_runs(folder.store.read())) == 2 else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert len(find_runs(folder.store.read())) == 2


def test_threads_that_ended_leave_no_connections(folder: WorkspaceFolder) -> None:
    def count() -> int:
        return len([name for name in os.listdir("/proc/self/fd") if _target(name) == str(folder.layout.database)])

    for _ in range(20):
        thread = threading.Thread(target=folder.store.read)
        thread.start()
        thread.join()
    assert count() <= 3
    folder.close()
    assert count() == 0


def _target(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def test_the_newest_events_are_kept(folder: WorkspaceFolder) -> None:
    with folder.store.transaction(durable=False) as tx:
        tx.execute("INSERT INTO events (id, time, kind, subject, data) VALUES (?, 0, 'run.state', 'x', '{}')", (5,))
        tx.execute(
            "INSERT INTO events (id, time, kind, subject, data) VALUES (?, 0, 'run.state', 'x', '{}')", (KEPT + 1998,)
        )
        assert record_event(tx, "run.state", "y", {"a": 1}) == KEPT + 1999
        record_event(tx, "run.state", "y", {})
    kept = events_since(folder.store.read(), 0)
    assert [event.id for event in kept] == [KEPT + 1998, KEPT + 1999, KEPT + 2000]
    assert [event.id for event in events_since(folder.store.read(), KEPT + 1998, limit=1)] == [KEPT + 1999]
    newest, subjects = subjects_since(folder.store.read(), KEPT + 1997)
    assert newest == KEPT + 2000 and subjects is not None and "y" in subjects
    assert subjects_since(folder.store.read(), KEPT + 2000) == (KEPT + 2000, frozenset())
    assert subjects_since(folder.store.read(), KEPT) == (KEPT + 2000, None)  # some of them are not kept any more


def test_a_full_disk_is_said_and_work_goes_on_when_there_is_room(small_disk: Path, definition: Definition) -> None:
    folder = WorkspaceFolder.open(small_disk / "w", create=True)
    big = {"padding": "x" * 40_000}
    written = 0
    with pytest.raises(WorkspaceException, match="no space is left") as caught:
        for _ in range(100):
            with folder.store.transaction() as tx:
                insert_run(tx, definition(**big))
            written += 1
    assert str(folder.layout.database) in caught.value.message
    assert len(find_runs(folder.store.read())) == written > 3
    assert folder.store.read().execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    with folder.store.transaction() as tx:
        insert_run(tx, definition(**big))
    assert len(find_runs(folder.store.read())) == written + 1
    folder.close()


def test_a_workspace_that_does_not_fit_leaves_nothing_behind(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as stream, pytest.raises(OSError):
        while True:
            stream.write(b"x" * 4096)
    with pytest.raises(WorkspaceException, match=r"No space left|no space is left"):
        WorkspaceFolder.open(small_disk / "w", create=True)
    assert not (small_disk / "w" / "aml.db").exists()
    filler.unlink()
    WorkspaceFolder.open(small_disk / "w", create=True).close()


def test_a_read_only_mount_can_be_read(folder: WorkspaceFolder, definition: Definition, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a bind mount needs root")
    with folder.store.transaction() as tx:
        run = insert_run(tx, definition())
    folder.close()
    place = tmp_path / "read-only"
    place.mkdir()
    if subprocess.run(["mount", "--bind", str(folder.root), str(place)], check=False).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        said = _read_but_not_write(place, run.id)
        assert said.startswith(f"True False The workspace database {place}/aml.db is read-only for this user"), said
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_workspace_that_nobody_uses_any_more_is_closed(folder: WorkspaceFolder) -> None:
    forgotten = WorkspaceFolder.open(folder.root)
    assert find_runs(forgotten.store.read()) == []
    before = _open_files(folder.root)
    del forgotten
    gc.collect()  # from Python 3.13 on, SQLite warns of a connection that is not closed, and warnings are errors here
    assert len(_open_files(folder.root)) < len(before)


def test_a_workspace_is_closed_while_other_threads_read_it(folder: WorkspaceFolder) -> None:
    """Python ends with a segmentation fault when a connection is closed in the middle of another thread's statement."""
    begun, ended = threading.Barrier(4), threading.Event()

    def read() -> None:
        begun.wait(10)
        while not ended.is_set():
            opened.store.read().execute(
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n LIMIT 20000) SELECT max(x) FROM n"
            )

    opened = WorkspaceFolder.open(folder.root)
    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    for _ in range(200):
        opened.close()
        find_runs(folder.store.read())
    ended.set()
    for thread in threads:
        thread.join(10)
    opened.close()


def _open_files(root: Path) -> list[str]:
    links = [Path(entry) for entry in Path("/proc/self/fd").iterdir()]
    return [os.readlink(link) for link in links if link.is_symlink() and os.readlink(link).startswith(f"{root}/aml.db")]


def test_another_user_enters_only_where_the_owner_lets_it_and_then_may_not_write(definition: Definition) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    import tempfile

    with tempfile.TemporaryDirectory(prefix="aml-t-", dir="/tmp") as place:  # tmp_path is root's alone
        os.chmod(place, 0o755)
        folder = WorkspaceFolder.open(Path(place) / "w", create=True)
        with folder.store.transaction() as tx:
            run = insert_run(tx, definition())
        refused = as_user(65534, lambda: _read_but_not_write(folder.root, run.id))
        assert "cannot be read" in refused and "True" not in refused
        os.chmod(folder.root, 0o755)  # what its owner may decide
        beside = as_user(65534, lambda: _read_but_not_write(folder.root, run.id))
        folder.close()
        alone = as_user(65534, lambda: _read_but_not_write(folder.root, run.id))
        for said in (beside, alone):
            assert said.startswith(f"True False The workspace database {folder.root}/aml.db is read-only"), said


def _read_but_not_write(root: Path, run_id: str) -> str:
    """Return what was seen, whether writing is said to work, and what trying it says."""
    folder = WorkspaceFolder.open(root)
    try:
        seen = [run.id for run in find_runs(folder.store.read())] == [run_id]
        try:
            with folder.store.transaction():
                said = "written"
        except WorkspaceException as error:
            said = error.message
        return f"{seen} {folder.store.writable} {said}"
    finally:
        folder.close()


@pytest.mark.parametrize("content", [b"this is not a database" * 100, b"SQLite format 3\0" + b"\x01" * 4096])
def test_a_damaged_database_is_said(folder: WorkspaceFolder, content: bytes) -> None:
    folder.close()
    for suffix in ("-wal", "-shm"):
        folder.layout.database.with_name("aml.db" + suffix).unlink(missing_ok=True)
    folder.layout.database.write_bytes(content)
    with pytest.raises(WorkspaceException, match="aml workspace rebuild"):
        WorkspaceFolder.open(folder.root)


def test_a_missing_database_is_said_where_there_are_runs(folder: WorkspaceFolder) -> None:
    folder.layout.run("some-run").path.mkdir(parents=True)
    folder.close()
    folder.layout.database.unlink()
    with pytest.raises(WorkspaceException, match=r"gone.*aml workspace rebuild"):
        folder.store.read()
    with pytest.raises(WorkspaceException, match=r"runs but no database.*aml workspace rebuild"):
        WorkspaceFolder.open(folder.root)


def test_a_locked_database_is_said(folder: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aml_jupyter.workspace.database.BUSY_SECONDS", 0.1)
    other = sqlite3.connect(folder.layout.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(WorkspaceException, match="was locked by another process"):
            with folder.store.transaction():
                pass
    finally:
        other.close()


def test_a_network_file_system_has_no_wal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AML_WORKSPACE_FS", "network")
    folder = WorkspaceFolder.open(tmp_path / "n", create=True)
    with folder.store.transaction() as tx:
        assert tx.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    assert not (folder.root / "aml.db-wal").exists()
    folder.close()


def test_durability_is_chosen(folder: WorkspaceFolder) -> None:
    with folder.store.transaction() as tx:
        assert tx.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert tx.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    with folder.store.transaction(durable=False) as tx:
        assert tx.execute("PRAGMA synchronous").fetchone()[0] == 1

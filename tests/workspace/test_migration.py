"""An older database is brought up to date after a backup; an older package refuses what it does not know.

The newer package is a copy of this one with one more migration, run in a process of its own.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from workspace_support import Definition

import aml_jupyter
from aml_jupyter.errors import WorkspaceException
from aml_jupyter.workspace import WorkspaceFolder, find_runs, insert_run
from aml_jupyter.workspace.schema import CURRENT

USE = """
import sys
from aml_jupyter.errors import WorkspaceException
from aml_jupyter.workspace import WorkspaceFolder, find_runs
try:
    folder = WorkspaceFolder.open(sys.argv[1])
    with folder.store.transaction() as tx:
        tx.execute("UPDATE runs SET mood = 'good'")
    print([run.id for run in find_runs(folder.store.read())])
except WorkspaceException as error:
    print(error)
"""


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A copy of the package that knows one migration more, and lets only itself write."""
    place = tmp_path / "newer"
    source = Path(aml_jupyter.__file__).parent
    for name in ("__init__.py", "errors.py", "supervisor", "workspace"):
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        (place / "aml_jupyter").mkdir(parents=True, exist_ok=True)
        copy(source / name, place / "aml_jupyter" / name)
    change(place, "__init__.py", '__version__ = "0.1.0"', '__version__ = "9.0"')
    path = place / "aml_jupyter" / "workspace" / "schema.py"
    text, count = re.subn(
        r"= \((_FIRST, [^)]*)\)", r'= (\1, "ALTER TABLE runs ADD COLUMN mood TEXT")', path.read_text()
    )
    assert count == 1
    path.write_text(text)
    change(place, "workspace/schema.py", "_WRITES_FROM: Final = 1", f"_WRITES_FROM: Final = {CURRENT + 1}")
    return place


def change(place: Path, name: str, old: str, new: str) -> None:
    path = place / "aml_jupyter" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def run_newer(newer: Path, root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", USE, str(root)],
        env={**os.environ, "PYTHONPATH": str(newer), **environment},
        cwd=newer,
        capture_output=True,
        text=True,
        check=False,
    )


def use(newer: Path, root: Path) -> str:
    done = run_newer(newer, root)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_older_database_is_backed_up_and_brought_up_to_date(
    folder: WorkspaceFolder, definition: Definition, newer: Path
) -> None:
    with folder.store.transaction() as tx:
        run = insert_run(tx, definition())
    assert use(newer, folder.root) == f"['{run.id}']"
    (backup,) = folder.root.glob(f"aml.db.format-{CURRENT}.*.backup")
    old = sqlite3.connect(backup)
    assert old.execute("SELECT id FROM runs").fetchall() == [(run.id,)]
    assert old.execute("PRAGMA user_version").fetchone() == (CURRENT,)
    old.close()
    assert use(newer, folder.root) == f"['{run.id}']"
    assert len(list(folder.root.glob("*.backup"))) == 1


def test_an_older_package_reads_and_refuses_to_write(
    folder: WorkspaceFolder, definition: Definition, newer: Path
) -> None:
    with folder.store.transaction() as tx:
        run = insert_run(tx, definition())
    use(newer, folder.root)
    for each in (folder, WorkspaceFolder.open(folder.root)):  # one that was open before, one opened after
        assert [found.id for found in find_runs(each.store.read())] == [run.id]
        with pytest.raises(WorkspaceException, match=r"only be written by aml-jupyter 9\.0 .* pip install -U"):
            with each.store.transaction() as tx:
                insert_run(tx, definition())
        each.close()


def test_an_older_package_refuses_to_open_what_it_cannot_read(folder: WorkspaceFolder, newer: Path) -> None:
    change(newer, "workspace/schema.py", "_READS_FROM: Final = 1", f"_READS_FROM: Final = {CURRENT + 1}")
    use(newer, folder.root)
    with pytest.raises(
        WorkspaceException, match=rf"only be read by aml-jupyter 9\.0 .* format {CURRENT + 1}, .* with format {CURRENT}"
    ):
        WorkspaceFolder.open(folder.root)


def test_nothing_is_migrated_under_an_older_service(folder: WorkspaceFolder, newer: Path) -> None:
    with open(folder.layout.service_lock, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert f"is served by an older aml-jupyter (format {CURRENT}, now {CURRENT + 1})" in use(newer, folder.root)
        with folder.store.transaction():
            pass
    assert use(newer, folder.root) == "[]"


@pytest.mark.faults
@pytest.mark.parametrize("point", ["store.backup", "store.migrate"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_migration_that_was_killed_is_done_again(
    folder: WorkspaceFolder, definition: Definition, newer: Path, tmp_path: Path, point: str, side: str
) -> None:
    with folder.store.transaction() as tx:
        run = insert_run(tx, definition())
    token = tmp_path / "token"
    token.write_text("")
    killed = run_newer(newer, folder.root, AML_FAULT_POINT=point, AML_FAULT_SIDE=side, AML_FAULT_TOKEN=str(token))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [found.id for found in find_runs(folder.store.read())] == [run.id]
    assert use(newer, folder.root) == f"['{run.id}']"
    assert list(folder.root.glob(f"aml.db.format-{CURRENT}.*.backup")) and not list(folder.root.glob("*.partial"))


def test_a_migration_without_room_for_its_backup_changes_nothing(
    small_disk: Path, definition: Definition, newer: Path
) -> None:
    folder = WorkspaceFolder.open(small_disk / "w", create=True)
    with folder.store.transaction() as tx:
        insert_run(tx, definition(padding="x" * 300_000))
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    filler.write_bytes(b"x" * (free.f_bavail * free.f_frsize - 200_000))
    assert "could not be backed up" in use(newer, folder.root)
    assert list(folder.root.glob("*.backup*")) == []
    with folder.store.transaction():
        pass
    filler.unlink()
    assert use(newer, folder.root).startswith("['")
    folder.close()

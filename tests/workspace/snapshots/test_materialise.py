"""Writing a snapshot out: whole or not at all, once, and never shared with the store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from source_folders import content_of, write_files

from aml_jupyter.errors import WorkspaceException
from aml_jupyter.workspace import WorkspaceFolder, materialise, read_blob, read_tree, take_snapshot
from aml_jupyter.workspace.snapshots import verify_content


def test_a_second_call_changes_nothing(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    snapshot = take_snapshot(folder, source)
    work = tmp_path / "runs" / "r1" / "work"
    materialise(folder, snapshot.id, work)
    write_files(work, {"train.py": b"changed by the run", "outputs/m.bin": b"1"})
    materialise(folder, snapshot.id, work)
    assert (work / "train.py").read_bytes() == b"changed by the run"
    assert os.listdir(work.parent) == ["work"]


def test_an_empty_destination_is_filled(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    materialise(folder, take_snapshot(folder, source).id, tmp_path / "work")
    assert content_of(tmp_path / "work") == content_of(source)


def test_a_destination_that_is_a_file_is_refused(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    (tmp_path / "work").touch()
    with pytest.raises(WorkspaceException, match="work cannot be used"):
        materialise(folder, take_snapshot(folder, source).id, tmp_path / "work")


def test_what_a_run_writes_never_reaches_the_store(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    write_files(source, {"big.bin": os.urandom(3 << 20)})
    snapshot = take_snapshot(folder, source)
    materialise(folder, snapshot.id, tmp_path / "one")
    for path in ("big.bin", "train.py"):
        assert (tmp_path / "one" / path).stat().st_nlink == 1
        with open(tmp_path / "one" / path, "r+b") as file:
            file.write(b"overwritten")
    assert verify_content(folder) == []
    materialise(folder, snapshot.id, tmp_path / "two")
    assert content_of(tmp_path / "two") == content_of(source)
    assert read_blob(folder, read_tree(folder, snapshot.id)["train.py"].hash) == b"print('hello')\n"


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_makes_is_not(
    folder: WorkspaceFolder, source: Path, tmp_path: Path
) -> None:
    snapshot = take_snapshot(folder, source)
    write_files(tmp_path / "r", {".aml-work-dead.tmp/half.py": b""})
    program = (
        "import sys; from aml_jupyter.workspace.snapshots.temporary import create_temporary_folder as create;"
        " print(create(sys.argv[1], '.aml-work-')[1], flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", program, tmp_path / "r"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        assert living.stdout is not None and living.stdin is not None
        made = Path(living.stdout.readline().strip())
        materialise(folder, snapshot.id, tmp_path / "r" / "work")
        assert sorted(os.listdir(tmp_path / "r")) == [made.name, "work"]
        living.stdin.close()


def test_processes_that_race_for_one_destination_all_succeed(
    folder: WorkspaceFolder, source: Path, tmp_path: Path
) -> None:
    write_files(source, {f"many/{number}": b"%d" % number for number in range(300)})
    snapshot = take_snapshot(folder, source)
    program = (
        "import sys; from aml_jupyter.workspace import *; materialise(WorkspaceFolder.open(sys.argv[1]), *sys.argv[2:])"
    )
    program = program.replace("import *", "import WorkspaceFolder, materialise")
    arguments = [sys.executable, "-c", program, folder.root, snapshot.id, tmp_path / "r" / "work"]
    started = [subprocess.Popen(arguments) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert content_of(tmp_path / "r" / "work") == content_of(source)
    assert os.listdir(tmp_path / "r") == ["work"]

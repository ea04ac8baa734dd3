"""Taking a snapshot: what is stored, what is found unchanged, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from source_folders import content_of, write_files

from aml_jupyter.errors import SnapshotException
from aml_jupyter.workspace import WorkspaceFolder, materialise, read_blob, read_tree, take_snapshot
from aml_jupyter.workspace.snapshots import verify_content
from aml_jupyter.workspace.snapshots.source import look_at
from aml_jupyter.workspace.snapshots.store import open_store
from aml_jupyter.workspace.snapshots.take import hash_pending


def test_a_folder_comes_back_as_it_was(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    write_files(source, {"run.sh": b"#!/bin/sh\n", "empty/inner/": b"", "big.bin": os.urandom(5 << 20), "nothing": b""})
    (source / "run.sh").chmod(0o750)
    snapshot = take_snapshot(folder, source)
    materialise(folder, snapshot.id, tmp_path / "out")
    assert content_of(tmp_path / "out") == content_of(source)
    assert os.access(tmp_path / "out" / "run.sh", os.X_OK)
    assert not (tmp_path / "out" / "train.py").stat().st_mode & 0o111
    assert (snapshot.files, snapshot.new_files) == (6, 6)
    assert snapshot.size == sum(len(data) for data in content_of(source).values() if data is not None)
    assert snapshot.notes == ()


def test_the_same_content_has_the_same_id_and_is_stored_once(
    folder: WorkspaceFolder, source: Path, tmp_path: Path
) -> None:
    first = take_snapshot(folder, source)
    write_files(tmp_path / "copy", {name: data for name, data in content_of(source).items() if data is not None})
    second = take_snapshot(folder, tmp_path / "copy")
    assert second.id == first.id
    assert second.new_bytes == 0 and first.new_bytes > 0
    assert second.new_files == 3


def test_an_unchanged_folder_adds_nothing(folder: WorkspaceFolder, source: Path) -> None:
    first = take_snapshot(folder, source)
    packs = os.listdir(folder.layout.content / "packs")
    second = take_snapshot(folder, source)
    assert (second.id, second.new_files, second.new_bytes) == (first.id, 0, 0)
    assert os.listdir(folder.layout.content / "packs") == packs


def test_a_change_that_keeps_size_and_modification_time_is_seen(folder: WorkspaceFolder, source: Path) -> None:
    first = take_snapshot(folder, source)
    path = source / "train.py"
    before = path.stat()
    path.write_bytes(b"print('HELLO')\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = take_snapshot(folder, source)
    assert second.id != first.id and second.new_files == 1
    assert read_blob(folder, read_tree(folder, second.id)["train.py"].hash) == b"print('HELLO')\n"


def test_changes_in_quick_succession_are_all_seen(folder: WorkspaceFolder, source: Path) -> None:
    ids = set()
    for number in range(30):
        with open(source / "train.py", "r+b") as file:
            file.write(b"print('%05d')" % number)
        ids.add(take_snapshot(folder, source).id)
    assert len(ids) == 30


def test_an_added_a_removed_and_an_executable_file_change_the_id(folder: WorkspaceFolder, source: Path) -> None:
    ids = [take_snapshot(folder, source).id]
    write_files(source, {"src/deep/new.py": b""})
    ids.append(take_snapshot(folder, source).id)
    (source / "src/deep/new.py").unlink()
    ids.append(take_snapshot(folder, source).id)
    (source / "train.py").chmod(0o755)
    ids.append(take_snapshot(folder, source).id)
    (source / "data" / "a.csv").unlink()
    ids.append(take_snapshot(folder, source).id)
    (source / "data").rmdir()
    ids.append(take_snapshot(folder, source).id)
    assert len(set(ids)) == 6
    assert read_tree(folder, ids[2])["src/deep"].kind == "folder"


def test_overlay_files_join_without_touching_the_folder(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    plain = take_snapshot(folder, source)
    before = content_of(source)
    overlay = {"cell.py": b"1", "src/model.py": b"x = 2\n", "new/deep/a.txt": b"!"}
    snapshot = take_snapshot(folder, source, overlay=overlay)
    assert content_of(source) == before
    materialise(folder, snapshot.id, tmp_path / "out")
    assert content_of(tmp_path / "out") == before | overlay | {"new": None, "new/deep": None}
    assert snapshot.files == plain.files + 2
    assert snapshot.size == plain.size + 2
    assert take_snapshot(folder, source).id == plain.id


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../b", "", "src", "train.py/x", "a//b"])
def test_an_overlay_path_outside_or_in_the_way_is_refused(folder: WorkspaceFolder, source: Path, path: str) -> None:
    with pytest.raises(SnapshotException):
        take_snapshot(folder, source, overlay={path: b""})
    assert os.listdir(folder.layout.content / "tmp") == []


def test_an_empty_folder_has_a_snapshot(folder: WorkspaceFolder, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    snapshot = take_snapshot(folder, tmp_path / "empty")
    assert (snapshot.files, snapshot.size) == (0, 0)
    materialise(folder, snapshot.id, tmp_path / "out")
    assert content_of(tmp_path / "out") == {}
    assert take_snapshot(folder, tmp_path / "empty", overlay={"cell.py": b"1"}).files == 1


def test_an_empty_name_is_the_current_folder(
    folder: WorkspaceFolder, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source)
    assert take_snapshot(folder, "").id == take_snapshot(folder, source).id


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("projct", "does not exist. did you mean project"),
        ("project/train.py", "is a file. Give the folder that holds it"),
    ],
)
def test_a_source_that_is_no_folder_is_refused(folder: WorkspaceFolder, source: Path, name: str, said: str) -> None:
    with pytest.raises(SnapshotException, match=said) as caught:
        take_snapshot(folder, source.parent / name)
    assert caught.value.field == "source_directory"
    assert not (folder.layout.content / "packs").exists()


def test_progress_reaches_the_end(folder: WorkspaceFolder, source: Path) -> None:
    write_files(source, {"big.bin": bytes(6 << 20)})
    seen: list[tuple[int, int]] = []
    take_snapshot(folder, source, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == (6 << 20) + 25
    assert len(seen) > 4 and seen == sorted(seen)


@pytest.mark.parametrize("size", [3 << 20, 8 << 20])
def test_a_file_that_changes_all_the_time_is_refused(folder: WorkspaceFolder, source: Path, size: int) -> None:
    path = source / "growing.log"
    path.write_bytes(bytes(size))
    program = (
        "import sys\nwith open(sys.argv[1], 'ab', buffering=0) as f:\n print(flush=True)\n while True: f.write(b'x')"
    )
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        try:
            # on a busy machine the writer may rest just while the file is read
            with pytest.raises(SnapshotException, match=r"growing\.log changed each of the 3 times"):
                for _ in range(500):
                    take_snapshot(folder, source)
        finally:
            writer.kill()
    assert os.listdir(folder.layout.content / "tmp") == []
    assert verify_content(folder) == []
    assert take_snapshot(folder, source).files == 4


def test_a_file_that_disappears_or_becomes_a_pipe_is_left_out(folder: WorkspaceFolder, source: Path) -> None:
    scan = look_at(folder, open_store(folder), source)
    (source / "train.py").unlink()
    (source / "data" / "a.csv").unlink()
    os.mkfifo(source / "data" / "a.csv")
    assert [item.path for item, _ in hash_pending(scan)] == ["src/model.py"]
    assert scan.notes.lines() == (
        "data/a.csv cannot be read: left out (is no plain file any more)",
        "train.py disappeared while the snapshot was taken: left out",
    )


def test_a_lost_or_torn_cache_does_no_harm(folder: WorkspaceFolder, source: Path) -> None:
    first = take_snapshot(folder, source)
    (scan,) = (folder.layout.content / "scans").iterdir()
    for content in (b"", b"abc", scan.read_bytes()[:-1], b"\0" * 400):
        scan.write_bytes(content)
        second = take_snapshot(folder, source)
        assert (second.id, second.new_bytes) == (first.id, 0)


def test_lost_content_is_stored_again(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    first = take_snapshot(folder, source)
    for pack in (folder.layout.content / "packs").iterdir():
        pack.unlink()
    assert take_snapshot(folder, source).id == first.id
    materialise(folder, first.id, tmp_path / "out")
    assert content_of(tmp_path / "out") == content_of(source)

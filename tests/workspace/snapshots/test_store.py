"""The content store: several processes, many packs, damage, a full disk, a read-only workspace."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_folders import content_of, write_files
from support import sized_disk

from aml_jupyter.errors import SnapshotException, WorkspaceException
from aml_jupyter.workspace import WorkspaceFolder, materialise, read_blob, read_tree, take_snapshot
from aml_jupyter.workspace.snapshots import verify_content
from aml_jupyter.workspace.snapshots.store import ContentStore, open_store

_RUN = """
import sys
from aml_jupyter.workspace import WorkspaceFolder, take_snapshot, materialise
folder = WorkspaceFolder.open(sys.argv[1])
for number in range(15):
    print(take_snapshot(folder, sys.argv[2], overlay={"n.txt": str(number).encode() * 999}).id)
materialise(folder, take_snapshot(folder, sys.argv[2]).id, sys.argv[3])
"""


def test_several_processes_may_snapshot_at_once(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    write_files(source, {f"many/{number}.bin": random.Random(number).randbytes(20_000) for number in range(60)})
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _RUN, folder.root, source, tmp_path / f"out{number}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    printed = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert len(set(printed)) == 1 and len(set(printed[0].split())) == 15
    for number in range(4):
        assert content_of(tmp_path / f"out{number}") == content_of(source)
    for identity in printed[0].split():
        assert "n.txt" in read_tree(folder, identity)
    assert verify_content(folder) == []
    assert os.listdir(folder.layout.content / "tmp") == []


def test_many_packs_are_found_through_one_table(folder: WorkspaceFolder, source: Path) -> None:
    ids = [take_snapshot(folder, source, overlay={"n.txt": b"%d" % number}).id for number in range(150)]
    content = folder.layout.content
    assert len(os.listdir(content / "packs")) == 150
    for damage in (lambda path: None, lambda path: path.write_bytes(b"torn"), Path.unlink):
        fresh = ContentStore(str(content))
        fresh.refresh()
        assert all(fresh.has(bytes.fromhex(identity)) for identity in ids)
        assert not fresh.has(bytes(32))
        damage(content / "index")


def test_packs_of_another_process_are_seen(folder: WorkspaceFolder, source: Path) -> None:
    early = ContentStore(str(folder.layout.content))
    early.refresh()
    snapshot = take_snapshot(folder, source)
    assert early.read(bytes.fromhex(snapshot.id))


def test_damage_is_found_and_never_handed_out(folder: WorkspaceFolder, source: Path) -> None:
    snapshot = take_snapshot(folder, source)
    digest = read_tree(folder, snapshot.id)["train.py"].hash
    location = open_store(folder).locate(bytes.fromhex(digest))
    path = folder.layout.content / "packs" / location.pack
    with open(path, "r+b") as file:
        file.seek(location.offset)
        file.write(b"X")
    with pytest.raises(WorkspaceException, match="is damaged"):
        read_blob(folder, digest)
    assert [digest in line for line in verify_content(folder)] == [True]
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - 1)
    assert "its index cannot be read" in verify_content(folder)[0]


def test_a_torn_pack_stops_nobody_and_its_content_comes_back(
    folder: WorkspaceFolder, source: Path, tmp_path: Path
) -> None:
    snapshot = take_snapshot(folder, source)
    for number, kept in enumerate((0, -5)):
        for pack in (folder.layout.content / "packs").iterdir():
            pack.write_bytes(pack.read_bytes()[:kept])
        fresh = ContentStore(str(folder.layout.content))
        fresh.refresh()
        assert not fresh.has(bytes.fromhex(snapshot.id))
        done = subprocess.run([sys.executable, "-c", _RUN, folder.root, source, tmp_path / f"out{number}"])
        assert done.returncode == 0
        assert content_of(tmp_path / f"out{number}") == content_of(source)


def test_unknown_and_malformed_ids_are_refused(folder: WorkspaceFolder, tmp_path: Path) -> None:
    with pytest.raises(SnapshotException, match="no snapshot or content 0000"):
        read_tree(folder, "0" * 64)
    with pytest.raises(SnapshotException, match="is no snapshot id"):
        materialise(folder, "../../etc", tmp_path / "out")
    with pytest.raises(SnapshotException, match="is no hash"):
        read_blob(folder, "zz")
    assert not (tmp_path / "out").exists()


def test_a_blob_that_is_no_manifest_is_no_snapshot(folder: WorkspaceFolder, source: Path) -> None:
    digest = read_tree(folder, take_snapshot(folder, source).id)["train.py"].hash
    with pytest.raises(WorkspaceException, match="is no manifest"):
        read_tree(folder, digest)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with sized_disk(tmp_path / "disk", "2m") as place:
        yield place


def test_a_full_disk_leaves_nothing_and_work_goes_on(small_disk: Path, source: Path, tmp_path: Path) -> None:
    folder = WorkspaceFolder.open(small_disk / "ws", create=True)
    take_snapshot(folder, source)
    before = content_of(folder.layout.content)
    write_files(source, {"big.bin": os.urandom(3 << 20), "more.bin": os.urandom(5 << 20)})
    with pytest.raises(WorkspaceException, match="The disk is full"):
        take_snapshot(folder, source)
    assert content_of(folder.layout.content) == before
    (source / "more.bin").unlink()
    write_files(source, {"big.bin": os.urandom(600_000)})
    snapshot = take_snapshot(folder, source)
    with pytest.raises(WorkspaceException, match="The disk is full"):
        for number in range(9):
            materialise(folder, snapshot.id, small_disk / f"out{number}")
    assert [name for name in os.listdir(small_disk) if name.startswith(".aml")] == []
    materialise(folder, snapshot.id, tmp_path / "out")
    assert content_of(tmp_path / "out") == content_of(source)
    folder.close()


def test_a_read_only_workspace_says_so(small_disk: Path, source: Path) -> None:
    folder = WorkspaceFolder.open(small_disk / "ws", create=True)
    first = take_snapshot(folder, source)
    folder.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert take_snapshot(folder, source).id == first.id
    write_files(source, {"new.py": b"1"})
    with pytest.raises(WorkspaceException, match="read-only"):
        take_snapshot(folder, source)

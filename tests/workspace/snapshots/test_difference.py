"""What changed between two snapshots, or since one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from source_folders import content_of, write_files

from aml_jupyter.errors import SnapshotException
from aml_jupyter.workspace import WorkspaceFolder, diff_snapshots, preview_snapshot, take_snapshot


def test_added_removed_and_changed_with_sizes(folder: WorkspaceFolder, source: Path) -> None:
    old = take_snapshot(folder, source)
    before = content_of(folder.layout.content)
    write_files(source, {"train.py": b"shorter", "new/deep/a.txt": b"123", "void/": b""})
    shutil.rmtree(source / "data")
    (source / "link").symlink_to("train.py")
    live = diff_snapshots(folder, old.id, source)
    assert content_of(folder.layout.content) == before
    new = take_snapshot(folder, source)
    stored = diff_snapshots(folder, old.id, new.id)
    for difference in (live, stored):
        assert [(c.path, c.new_size) for c in difference.added] == [("link", 0), ("new/deep/a.txt", 3), ("void/", 0)]
        assert [(c.path, c.old_size) for c in difference.removed] == [("data/a.csv", 4)]
        assert [(c.path, c.old_size, c.new_size) for c in difference.changed] == [("train.py", 15, 7)]
        assert difference
    assert not diff_snapshots(folder, new.id, source)
    assert not diff_snapshots(folder, new.id, new.id)


def test_a_file_that_became_a_folder_is_both(folder: WorkspaceFolder, source: Path) -> None:
    old = take_snapshot(folder, source)
    (source / "train.py").unlink()
    write_files(source, {"train.py/main.py": b"12"})
    (source / "src" / "model.py").chmod(0o755)
    difference = diff_snapshots(folder, old.id, source)
    assert [c.path for c in difference.removed] == ["train.py"]
    assert [c.path for c in difference.added] == ["train.py/main.py"]
    assert [c.path for c in difference.changed] == ["src/model.py"]


def test_unknown_sides_are_refused(folder: WorkspaceFolder, source: Path) -> None:
    known = take_snapshot(folder, source).id
    with pytest.raises(SnapshotException, match="no snapshot or content"):
        diff_snapshots(folder, known, "1" * 64)
    with pytest.raises(SnapshotException, match="does not exist"):
        diff_snapshots(folder, known, source / "absent")
    with pytest.raises(SnapshotException, match="is no snapshot id"):
        diff_snapshots(folder, "main_1_abc", source)


def test_a_preview_tells_what_would_go_and_writes_nothing(folder: WorkspaceFolder, source: Path) -> None:
    write_files(source, {".amlignore": b"# big things\ndata/\n*.log\n!keep.log\n", "a.log": b"", "keep.log": b"1"})
    write_files(source, {f"n{number:02}.bin": bytes(number) for number in range(12)})
    before = content_of(folder.root)
    preview = preview_snapshot(folder, source)
    assert content_of(folder.root) == before
    assert [(entry.path, entry.is_directory, str(entry.rule)) for entry in preview.ignored] == [
        ("a.log", False, ".amlignore:3: *.log"),
        ("data", True, ".amlignore:2: data/"),
    ]
    assert preview.files == preview.changed_files == 16
    assert preview.size == 15 + 6 + 1 + 35 + sum(range(12))
    assert len(preview.biggest) == 10 and preview.biggest[0] == (".amlignore", 35)
    assert preview.biggest_folders == (("src/", 6),)
    assert preview.refusal == "" and preview.source == os.path.realpath(source)
    take_snapshot(folder, source)
    write_files(source, {"train.py": b"2"})
    later = preview_snapshot(folder, source)
    assert (later.changed_files, later.ignored) == (1, preview.ignored)

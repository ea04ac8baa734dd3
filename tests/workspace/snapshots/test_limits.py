"""SDK v1's limits: refused before anything is copied, with the biggest entries named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from source_folders import write_files

from aml_jupyter.errors import SnapshotException
from aml_jupyter.workspace import WorkspaceFolder, preview_snapshot, take_snapshot


@pytest.fixture
def full(source: Path) -> Path:
    write_files(source, {"data/big.bin": bytes(5000), "data/sub/mid.bin": bytes(3000)})
    return source


def _nothing_stored(folder: WorkspaceFolder) -> bool:
    return not any(files for _, _, files in os.walk(folder.layout.content))


def test_too_many_bytes_are_refused_and_named(folder: WorkspaceFolder, full: Path) -> None:
    with pytest.raises(SnapshotException) as caught:
        take_snapshot(folder, full, limit_bytes=8000)
    message = caught.value.message
    assert "Biggest files: data/big.bin 4.9 kB, data/sub/mid.bin 2.9 kB" in message
    assert "Biggest folders: data/ 7.8 kB, data/sub/ 2.9 kB" in message
    assert ".amlignore" in message and "AML_SNAPSHOT_MAX_BYTES" in message
    assert caught.value.field == "source_directory"
    assert _nothing_stored(folder)


def test_the_limit_itself_is_allowed_and_ignored_files_do_not_count(folder: WorkspaceFolder, full: Path) -> None:
    assert take_snapshot(folder, full, limit_bytes=8025).size == 8025
    write_files(full, {".gitignore": b"data/\n"})
    assert take_snapshot(folder, full, limit_bytes=100).size == 27


def test_the_default_is_sdk_v1s(folder: WorkspaceFolder, source: Path) -> None:
    with open(source / "sparse.bin", "wb") as file:
        file.truncate(314_572_800)
    with pytest.raises(SnapshotException, match=r"would be 300\.0 MB in 4 files; the limit is 300\.0 MB"):
        take_snapshot(folder, source)
    preview = preview_snapshot(folder, source)
    assert (preview.limit_bytes, preview.limit_files) == (314_572_800, 2000)
    assert "the limit is 300.0 MB" in preview.refusal


def test_all_files_count_in_a_first_snapshot_and_changed_ones_later(
    folder: WorkspaceFolder, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(source, {f"many/{number}.txt": b"" for number in range(2000)})
    with pytest.raises(SnapshotException, match=r"2,003 files .* would go") as caught:
        take_snapshot(folder, source)
    assert "Most are in many/ 2,000" in caught.value.message
    assert "AML_SNAPSHOT_NO_FILE_LIMIT=1" in caught.value.message and "AML_SNAPSHOT_MAX_FILES" in caught.value.message
    assert _nothing_stored(folder)
    monkeypatch.setenv("AML_SNAPSHOT_NO_FILE_LIMIT", "1")
    take_snapshot(folder, source)
    monkeypatch.delenv("AML_SNAPSHOT_NO_FILE_LIMIT")
    write_files(source, {"train.py": b"changed"})
    assert take_snapshot(folder, source).new_files == 1


def test_touched_files_are_not_changed_files(folder: WorkspaceFolder, source: Path) -> None:
    write_files(source, {f"many/{number}.txt": b"" for number in range(20)})
    first = take_snapshot(folder, source)
    for number in range(20):
        os.utime(source / "many" / f"{number}.txt", (1, 1))
    assert take_snapshot(folder, source, limit_files=5).id == first.id
    write_files(source, {f"many/{number}.txt": b"x" for number in range(6)})
    with pytest.raises(
        SnapshotException, match=r"6 files .* are new or changed since the last snapshot; the limit is 5"
    ):
        take_snapshot(folder, source, limit_files=5)


def test_variables_set_the_limits_and_arguments_win(
    folder: WorkspaceFolder, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AML_SNAPSHOT_MAX_BYTES", "100")
    monkeypatch.setenv("AML_SNAPSHOT_MAX_FILES", "2")
    with pytest.raises(SnapshotException, match="the limit is 100 bytes"):
        take_snapshot(folder, full)
    with pytest.raises(SnapshotException, match="the limit is 2"):
        take_snapshot(folder, full, limit_bytes=0)
    assert take_snapshot(folder, full, limit_bytes=10_000, limit_files=0).files == 5


@pytest.mark.parametrize("value", ["300MB", "-1", "1.5", "٣"])
def test_a_limit_that_is_no_number_is_refused(
    folder: WorkspaceFolder, source: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("AML_SNAPSHOT_MAX_BYTES", value)
    with pytest.raises(SnapshotException, match="AML_SNAPSHOT_MAX_BYTES is"):
        take_snapshot(folder, source)
    with pytest.raises(SnapshotException, match="limit_files is -1"):
        take_snapshot(folder, source, limit_bytes=1, limit_files=-1)

"""What was changed from outside is written down, whole lines only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aml_jupyter.errors import WorkspaceException
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder, append_change, append_journal
from aml_jupyter.workspace.journal import read_lines


def test_changes_are_kept_in_order(folder: WorkspaceFolder) -> None:
    append_change(folder, "run", {"op": "tags", "tags": {"a": None}})
    append_change(folder, "run", {"op": "name", "display_name": "ü\n", "time": 5.0})
    first, second = read_lines(folder.layout.run("run").changes)
    assert first["tags"] == {"a": None} and first["time"] > 1e9
    assert second == {"op": "name", "display_name": "ü\n", "time": 5.0}


def test_records_are_written_as_their_fields(folder: WorkspaceFolder) -> None:
    target = TargetRecord("ci", "computeinstance", {"a": 1}, "Running", [], 1.0, 2.0)
    append_journal(folder, {"op": "target", "target": target})
    (entry,) = read_lines(folder.layout.journal)
    assert TargetRecord(**entry["target"]) == target


def test_a_torn_line_costs_no_other(folder: WorkspaceFolder) -> None:
    append_journal(folder, {"op": "default", "name": "a"})
    with open(folder.layout.journal, "ab") as stream:
        stream.write(b'{"op": "defau')
    append_journal(folder, {"op": "default", "name": "b"})
    with open(folder.layout.journal, "ab") as stream:
        stream.write(b'{"op": "default", "name": "never acknowledged"}')
    assert [entry["name"] for entry in read_lines(folder.layout.journal)] == ["a", "b"]


def test_a_full_disk_is_said_and_harms_nothing(small_disk: Path) -> None:
    folder = WorkspaceFolder.open(small_disk / "w", create=True)
    append_journal(folder, {"op": "default", "name": "a"})
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as stream, pytest.raises(OSError):
        while True:
            stream.write(b"x" * 4096)
    with pytest.raises(WorkspaceException, match="The change was not made"):
        append_journal(folder, {"op": "default", "name": "x" * 10_000})
    filler.unlink()
    append_journal(folder, {"op": "default", "name": "b"})
    assert [entry["name"] for entry in read_lines(folder.layout.journal)] == ["a", "b"]
    folder.close()


def test_a_folder_that_cannot_be_written_is_named(folder: WorkspaceFolder) -> None:
    os.rmdir(folder.layout.runs)
    folder.layout.runs.write_text("")
    with pytest.raises(WorkspaceException, match=r"changes\.jsonl cannot be written"):
        append_change(folder, "run", {"op": "tags", "tags": {}})

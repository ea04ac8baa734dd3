"""Checking a workspace finds what is wrong with it, and says it in one line each."""

from __future__ import annotations

from pathlib import Path

import pytest
from workspace_support import Definition

from aml_jupyter.errors import WorkspaceException
from aml_jupyter.supervisor.durable import write_json
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    append_change,
    append_journal,
    index_files,
    insert_run,
    new_attempt,
    rebuild_workspace,
    take_snapshot,
    transition,
    verify_workspace,
)


@pytest.fixture
def run(folder: WorkspaceFolder, definition: Definition, tmp_path: Path) -> RunRecord:
    """A whole run, with a snapshot and an output."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "train.py").write_text("print(1)")
    wanted = definition(snapshot=take_snapshot(folder, source).id)
    place = folder.layout.run(wanted["id"])
    (place.attempt(1).work / "outputs").mkdir(parents=True)
    (place.attempt(1).work / "outputs" / "model").write_text("x")
    write_json(place.definition, wanted)
    with folder.store.transaction() as tx:
        made = insert_run(tx, wanted)
        new_attempt(tx, made.id, 1, {})
        transition(tx, made.id, "Canceled", "")
    append_change(folder, made.id, {"op": "end", "status": "Canceled"})
    index_files(folder, made.id, 1)
    return made


def test_a_whole_workspace_is_clean(folder: WorkspaceFolder, run: RunRecord) -> None:
    report = verify_workspace(folder)
    assert report.is_clean, str(report)
    assert report.counts["runs"] == report.counts["files of runs"] == report.counts["files in snapshots"] == 1
    assert str(report).splitlines()[-1] == "No problems found."


def test_missing_files_are_named(folder: WorkspaceFolder, run: RunRecord) -> None:
    place = folder.layout.run(run.id)
    place.definition.unlink()
    (place.attempt(1).work / "outputs" / "model").unlink()
    problems = verify_workspace(folder).problems
    assert problems == [
        f"run {run.id}: {place.definition} is missing",
        f"run {run.id}: its file outputs/model is missing",
    ]


def test_missing_content_is_named(folder: WorkspaceFolder, run: RunRecord) -> None:
    for pack in folder.layout.content.rglob("*.pack"):
        pack.unlink()
    problems = verify_workspace(WorkspaceFolder.open(folder.root)).problems
    assert problems and any(str(run.snapshot) in problem or "pack" in problem for problem in problems)


def test_illegal_states_are_named(folder: WorkspaceFolder, run: RunRecord) -> None:
    with folder.store.transaction() as tx:
        tx.execute("UPDATE runs SET status = 'Running' WHERE id = ?", (run.id,))
    assert verify_workspace(folder).problems == [f"run {run.id}: is Running, but its last transition led to Canceled"]
    with folder.store.transaction() as tx:
        tx.execute("UPDATE runs SET status = 'Dreaming'")
        tx.execute("UPDATE transitions SET after = 'Completed' WHERE after = 'Canceled'")
    assert verify_workspace(folder).problems == [
        f"run {run.id}: went from Queued to Completed, which is not allowed",
        f"run {run.id}: 'Dreaming' is not a state",
    ]


def test_folders_of_no_run_are_mentioned(folder: WorkspaceFolder, run: RunRecord) -> None:
    (folder.layout.runs / "left-over").mkdir()
    report = verify_workspace(folder)
    assert report.is_clean and any("left-over belongs to no run" in note for note in report.notes)


def test_a_run_inside_a_process_of_its_own_has_a_definition(folder: WorkspaceFolder, definition: Definition) -> None:
    wanted = definition(kind="interactive", process={})
    place = folder.layout.run(wanted["id"])
    place.path.mkdir()
    write_json(place.definition, wanted)
    with folder.store.transaction() as tx:
        insert_run(tx, wanted, status="Running", in_process=True)
    report = verify_workspace(folder)
    assert report.is_clean and not report.notes
    place.definition.unlink()
    assert verify_workspace(folder).problems == [f"run {wanted['id']}: {place.definition} is missing"]


def test_a_definition_that_was_changed_or_damaged_is_named(folder: WorkspaceFolder, run: RunRecord) -> None:
    place = folder.layout.run(run.id)
    text = place.definition.read_text()
    place.definition.write_text(text.replace("train.py", "other.py"))
    assert verify_workspace(folder).problems == [
        f"run {run.id}: {place.definition} is not what the database knows of it: script"
    ]
    place.definition.write_text(text[:20])
    assert "cannot be read" in verify_workspace(folder).problems[0]


def test_an_end_that_no_file_explains_is_named(folder: WorkspaceFolder, run: RunRecord) -> None:
    place = folder.layout.run(run.id)
    place.changes.unlink()
    result = place.attempt(1).control / "result.json"
    assert verify_workspace(folder).problems == [f"run {run.id}: is Canceled, but {result} is missing"]
    result.parent.mkdir(parents=True)
    result.write_text("{}")
    assert verify_workspace(folder).is_clean


def test_a_damaged_database_is_said_in_one_line(folder: WorkspaceFolder, run: RunRecord) -> None:
    folder.close()
    with open(folder.layout.database, "r+b") as stream:
        stream.seek(8192)
        stream.write(b"\xff" * 8192)
    report = verify_workspace(WorkspaceFolder.open(folder.root))
    assert "aml workspace rebuild" in report.problems[0] or "the database:" in report.problems[0], str(report)
    assert rebuild_workspace(folder.root).counts["runs"] == 1


def test_a_torn_journal_is_mentioned(folder: WorkspaceFolder, run: RunRecord) -> None:
    append_journal(folder, {"op": "experiment", "name": "digits"})
    with open(folder.layout.journal, "a") as stream:
        stream.write('{"op": "targ')
    assert any("1 torn lines" in note for note in verify_workspace(folder).notes)


def test_a_workspace_without_its_runs_or_its_identity_says_so(folder: WorkspaceFolder, run: RunRecord) -> None:
    import shutil

    shutil.rmtree(folder.layout.runs)
    assert f"run {run.id}: {folder.layout.run(run.id).definition} is missing" in verify_workspace(folder).problems
    folder.layout.identity.unlink()
    with pytest.raises(WorkspaceException, match=r"workspace\.json is lost"):
        WorkspaceFolder.open(folder.root, create=True)

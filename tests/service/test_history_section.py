"""The history section of a run configuration does what it says, and so does ``TrackedRun``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import log_of, until

from aml_jupyter.config import RunConfiguration, ScriptRunConfig
from aml_jupyter.errors import UserErrorException
from aml_jupyter.service import SubmitRequest, resubmit_run, service_status, stop_service, submit, wait_for_run
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    artifact_path,
    find_run,
    find_runs,
    get_experiment,
    list_artifacts,
    rebuild_workspace,
    verify_workspace,
)
from aml_jupyter.workspace.removal import remove_run

SCRIPT = """
import os
from azureml.core import Run
for folder in ("outputs", "logs", "checkpoints/deep"):
    os.makedirs(folder, exist_ok=True)
    open(folder + "/file.txt", "w").write("x")
run = Run.get_context()
run.log("loss", 1.0)
run.log_row("row", a=1, b=2)
run.child_run("inner").complete()
print("data is", open("data.txt").read())
"""


def _submit(folder: WorkspaceFolder, project: Path, config: RunConfiguration, **request: object) -> RunRecord:
    (project / "train.py").write_text(SCRIPT)
    (project / "data.txt").write_text("here")
    made = ScriptRunConfig(source_directory=str(project), script="train.py", run_config=config)
    submission = submit(folder, SubmitRequest(made, "tests", **request))  # type: ignore[arg-type]
    done = wait_for_run(folder, submission.run.id, timeout=60)
    assert done.status == "Completed", log_of(folder, done.id)
    return done


def _files(folder: WorkspaceFolder, run: RunRecord) -> set[str]:
    return {artifact.name for artifact in list_artifacts(folder.store.read(), run.id)}


def _is_served(folder: WorkspaceFolder) -> bool:
    status = service_status(folder)
    return status is not None and status.alive


def test_directories_to_watch_are_kept(folder: WorkspaceFolder, project: Path) -> None:
    config = RunConfiguration()
    config.history.directories_to_watch = ["checkpoints"]
    assert "checkpoints/deep/file.txt" in _files(folder, _submit(folder, project, config))
    assert "checkpoints/deep/file.txt" not in _files(folder, _submit(folder, project, RunConfiguration()))


def test_without_output_collection_only_the_log_is_kept(folder: WorkspaceFolder, project: Path) -> None:
    config = RunConfiguration()
    config.history.output_collection = False
    run = _submit(folder, project, config)
    assert _files(folder, run) == {"user_logs/std_log.txt"}
    with pytest.raises(UserErrorException, match=r"has no file 'outputs/file\.txt'"):
        artifact_path(folder, run.id, "outputs/file.txt")


def test_without_snapshot_the_files_reach_the_run_and_are_not_compared(
    folder: WorkspaceFolder, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from aml_jupyter.cli.main import main

    config = RunConfiguration()
    config.history.snapshot_project = False
    run = _submit(folder, project, config)
    assert "data is here" in log_of(folder, run.id)
    with pytest.raises(UserErrorException, match=r"history\.snapshotProject: false"):
        resubmit_run(folder, run.id)
    monkeypatch.setenv("AML_WORKSPACE", str(folder.root))
    assert main(["snapshot", str(project), "--diff", run.id]) == 2
    assert "history.snapshotProject: false" in capsys.readouterr().err


def test_an_untracked_run_is_in_no_list_and_leaves_nothing(
    folder: WorkspaceFolder, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AML_UNTRACKED_SECONDS", "2")
    config = RunConfiguration()
    config.tracked_run = False
    run = _submit(folder, project, config)
    assert run.hidden
    assert find_runs(folder.store.read()) == []
    place = folder.layout.run(run.id).path
    os.chmod(place / "attempts" / "1" / "work" / "outputs", 0)
    until(lambda: find_run(folder.store.read(), run.id) is None, message="the removal of the run")
    assert not place.exists()
    db = folder.store.read()
    for table, column in [("metrics", "run"), ("artifacts", "run"), ("transitions", "run"), ("runs", "id")]:
        assert db.execute(f"SELECT count(*) FROM {table} WHERE {column} LIKE ?", (f"{run.id}%",)).fetchone()[0] == 0
    assert db.execute("SELECT count(*) FROM runs").fetchone()[0] == 0
    for table in ("metric_chunks", "metric_rows"):
        assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0
    assert get_experiment(db, "tests").run_count == 0
    report = verify_workspace(folder)
    assert report.is_clean and not report.notes


def test_the_service_stays_until_untracked_runs_are_removed(
    folder: WorkspaceFolder, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AML_UNTRACKED_SECONDS", "1")
    monkeypatch.setenv("AML_SERVICE_LINGER", "0")
    config = RunConfiguration()
    config.tracked_run = False
    run = _submit(folder, project, config)
    until(lambda: not _is_served(folder), message="the end of the service")
    assert find_run(folder.store.read(), run.id) is None


def test_the_child_of_an_untracked_run_is_untracked(
    folder: WorkspaceFolder, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AML_UNTRACKED_SECONDS", "1")
    config = RunConfiguration()
    config.tracked_run = False
    run = _submit(folder, project, config)
    child = _submit(folder, project, RunConfiguration(), parent=run.id)
    assert child.hidden
    until(lambda: not folder.store.read().execute("SELECT 1 FROM runs").fetchall(), message="the removal of both")
    assert list(folder.layout.runs.iterdir()) == []


def test_a_removal_that_was_interrupted_is_not_undone_by_a_rebuild(
    folder: WorkspaceFolder, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = _submit(folder, project, RunConfiguration())
    gone = _submit(folder, project, RunConfiguration())
    text = (folder.layout.run(gone.id).definition).read_bytes()
    remove_run(folder, gone.id)
    assert find_run(folder.store.read(), gone.id) is None
    remove_run(folder, gone.id)
    folder.layout.run(gone.id).path.mkdir()
    folder.layout.run(gone.id).definition.write_bytes(text)
    stop_service(folder)
    until(lambda: not _is_served(folder), message="the end of the service")
    report = rebuild_workspace(folder.root)
    assert report.is_clean, report
    with_runs = WorkspaceFolder.open(folder.root)
    try:
        assert [run.id for run in find_runs(with_runs.store.read())] == [kept.id]
    finally:
        with_runs.close()
    assert not folder.layout.run(gone.id).path.exists()

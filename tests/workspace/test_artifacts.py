"""Files of a run: found, named, and never outside its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from workspace_support import NewRun, lines

from aml_jupyter.errors import LeaseLost, UserErrorException
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    artifact_path,
    events_since,
    get_run,
    index_files,
    ingest_events,
    list_artifacts,
    new_attempt,
    transition,
)


def put(folder: WorkspaceFolder, run: RunRecord, name: str, text: str = "text", attempt: int = 1) -> Path:
    path = folder.layout.run(run.id).attempt(attempt).path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(folder: WorkspaceFolder, run: str) -> list[str]:
    return [file.name for file in list_artifacts(folder.store.read(), run)]


def test_the_files_of_a_run_are_listed(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    put(folder, run, "work/outputs/deep/model.pkl", "12345")
    put(folder, run, "work/logs/train.log")
    put(folder, run, "work/extra/kept.txt")
    put(folder, run, "work/train.py")
    put(folder, run, "control/user_logs/std_log.txt")
    put(folder, run, "control/artifacts/plots/a.png")
    put(folder, run, "control/result.json", "{}")
    assert index_files(folder, run.id, 1, watch=("extra", "../..", "/etc")) == 5
    assert names(folder, run.id) == [
        "extra/kept.txt", "logs/train.log", "outputs/deep/model.pkl", "plots/a.png", "user_logs/std_log.txt",
    ]  # fmt: skip
    for file in list_artifacts(folder.store.read(), run.id):
        path = artifact_path(folder, run.id, file.name)
        assert path.stat().st_size == file.size and path == folder.layout.run(run.id).path / file.location


def test_looking_again_finds_what_changed(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    one, two = put(folder, run, "work/outputs/one"), put(folder, run, "work/outputs/two")
    assert [index_files(folder, run.id, 1), index_files(folder, run.id, 1)] == [2, 0]
    one.write_text("longer than before")
    two.unlink()
    before = len(events_since(folder.store.read(), 0))
    assert index_files(folder, run.id, 1) == 2
    assert [(file.name, file.size) for file in list_artifacts(folder.store.read(), run.id)] == [("outputs/one", 18)]
    assert [event.kind for event in events_since(folder.store.read(), 0)[before:]] == ["run.artifact"]


def test_a_look_that_comes_after_the_end_changes_no_last_list(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    put(folder, run, "work/outputs/one")
    assert index_files(folder, run.id, 1, open_only=True) == 1
    late = put(folder, run, "work/outputs/late")
    with folder.store.transaction() as tx:
        for state in ("Starting", "Running", "Finalizing", "Completed"):
            if get_run(tx, run.id).status != state:
                transition(tx, run.id, state, "")
    assert late.exists() and index_files(folder, run.id, 1, open_only=True) == 0
    assert [file.name for file in list_artifacts(folder.store.read(), run.id)] == ["outputs/one"]


def test_uploaded_files_keep_the_name_they_were_given(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    put(folder, run, "control/artifacts/a", "123")
    put(folder, run, "control/artifacts/kid", "1")
    data = lines(
        {"e": "artifact", "n": "reports/a", "p": "a", "size": 3},
        {"e": "child", "id": "kid", "n": "kid", "op": "start"},
        {"e": "artifact", "n": "mine", "p": "kid", "size": 1, "r": "kid"},
    )
    ingest_events(folder.store, run.id, 1, "f", 0, data)
    index_files(folder, run.id, 1)
    assert (names(folder, run.id), names(folder, "kid")) == (["reports/a"], ["mine"])
    assert artifact_path(folder, run.id, "reports/a").read_text() == "123"
    assert artifact_path(folder, "kid", "mine").read_text() == "1"


def test_links_out_of_the_run_are_not_followed(folder: WorkspaceFolder, new_run: NewRun, tmp_path: Path) -> None:
    run, other = new_run(), new_run()
    secret = put(folder, other, "work/outputs/secret")
    inside = put(folder, run, "work/outputs/real")
    outputs = inside.parent
    (outputs / "to-file").symlink_to(secret)
    (outputs / "to-folder").symlink_to(secret.parent)
    (outputs / "to-etc").symlink_to("/etc/passwd")
    (outputs / "broken").symlink_to("nowhere")
    (outputs / "inside").symlink_to(inside)
    os.mkfifo(outputs / "pipe")
    index_files(folder, run.id, 1)
    assert names(folder, run.id) == ["outputs/inside", "outputs/real"]
    for name in ("outputs/to-file", "outputs/to-folder/secret", "outputs/to-etc"):
        with pytest.raises(UserErrorException, match="points out of the run's folder"):
            artifact_path(folder, run.id, name)
    inside.unlink()
    inside.symlink_to(secret)  # after it was listed
    with pytest.raises(UserErrorException, match="points out of the run's folder"):
        artifact_path(folder, run.id, "outputs/real")


def test_a_watched_folder_that_is_a_link_is_not_followed(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    work = folder.layout.run(run.id).attempt(1).work
    work.mkdir(parents=True)
    (work / "outputs").symlink_to("/etc")
    assert index_files(folder, run.id, 1) == 0


@pytest.mark.parametrize(
    "name", ["../run.json", "/etc/passwd", "outputs/../../control/result.json", "", "a\0b", "..", "outputs\\..\\x"]
)
def test_names_that_lead_out_are_refused(folder: WorkspaceFolder, new_run: NewRun, name: str) -> None:
    run = new_run()
    put(folder, run, "control/result.json")
    with pytest.raises(UserErrorException, match="cannot be used") as caught:
        artifact_path(folder, run.id, name)
    assert caught.value.field == "name"


def test_files_of_the_control_folder_and_the_snapshot_are_not_served(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    put(folder, run, "control/launch.json")
    put(folder, run, "work/train.py")
    for name in ("launch.json", "control/launch.json", "work/train.py", "train.py"):
        with pytest.raises(UserErrorException, match="has no file"):
            artifact_path(folder, run.id, name)


def test_a_live_log_is_found_before_it_is_listed(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    put(folder, run, "control/user_logs/std_log.txt", "live")
    assert artifact_path(folder, run.id, "user_logs/std_log.txt").read_text() == "live"
    with pytest.raises(UserErrorException, match=r"has no file 'user_logs/std_log.tx'"):
        artifact_path(folder, run.id, "user_logs/std_log.tx")


def test_only_the_current_attempt_shows_its_files(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    put(folder, run, "work/outputs/old")
    index_files(folder, run.id, 1)
    with folder.store.transaction() as tx:
        new_attempt(tx, run.id, 1, {})
    put(folder, run, "work/outputs/new", attempt=2)
    index_files(folder, run.id, 2)
    assert names(folder, run.id) == ["outputs/new"]


def test_an_older_service_lists_nothing(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    put(folder, run, "work/outputs/x")
    with pytest.raises(LeaseLost):
        index_files(folder, run.id, 1, epoch=7)
    assert names(folder, run.id) == []

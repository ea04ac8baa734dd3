"""A database built from the files alone says the same as the one that was lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from workspace_life import Life
from workspace_support import Definition

from aml_jupyter.errors import LeaseLost, WorkspaceException
from aml_jupyter.supervisor.durable import write_json
from aml_jupyter.workspace import (
    RunRecord,
    TargetRecord,
    WorkspaceFolder,
    add_properties,
    append_change,
    append_journal,
    attempts,
    create_experiment,
    current_lease,
    default_target,
    delete_target,
    events_since,
    find_runs,
    get_metrics,
    get_run,
    index_files,
    insert_target,
    latest_event,
    list_artifacts,
    list_experiments,
    list_metrics,
    list_targets,
    metric_values,
    new_attempt,
    rebuild_workspace,
    set_default_target,
    set_tags,
    take_epoch,
    transition,
    update_run,
    verify_workspace,
)


def dump(folder: WorkspaceFolder) -> dict[str, Any]:
    """Return what a user can see of a workspace; times that no file keeps are left out."""
    db = folder.store.read()
    runs = []
    for run in find_runs(db, children=True, include_hidden=True):
        row = {**run.__dict__, "queued": None, "ended": run.ended if run.exit_code is not None else None}
        metrics = {metric.name: metric_values(db, run.id, metric.name) for metric in list_metrics(db, run.id)}
        files = [(file.name, file.location, file.size, file.modified) for file in list_artifacts(db, run.id)]
        starts = [{**each.__dict__, "created": None} for each in attempts(db, run.id)]
        runs.append([row, list_metrics(db, run.id), metrics, get_metrics(db, run.id), files, starts])
    targets = [{**target.__dict__, "created": 0, "modified": 0} for target in list_targets(db)]
    experiments = sorted((each.name, each.run_count) for each in list_experiments(db))
    return {"runs": runs, "targets": targets, "default": default_target(db), "experiments": experiments}


@pytest.fixture
def life(folder: WorkspaceFolder, definition: Definition) -> Life:
    return Life(folder, definition)


def live(life: Life) -> dict[str, RunRecord]:
    """Let a workspace see everything once; return its runs by what happened to them."""
    folder = life.folder
    box = TargetRecord("box", "computeinstance", {"max_parallel": 2}, "Running", [], 1.0, 1.0, tags={"a": "b"})
    gone = TargetRecord("gone", "computeinstance", {}, "Running", [], 1.0, 1.0)
    with folder.store.transaction() as tx:
        insert_target(tx, box)
        insert_target(tx, gone)
        delete_target(tx, "gone")
        set_default_target(tx, "box")
        create_experiment(tx, "empty")
    for target in (box, gone):
        append_journal(folder, {"op": "target", "target": target})
    append_journal(folder, {"op": "target_deleted", "name": "gone"})
    append_journal(folder, {"op": "default", "name": "box"})
    append_journal(folder, {"op": "experiment", "name": "empty"})

    done = life.submit(tags={"from": "submit"}, properties={"git": "abc"}, target="box")
    life.start(done)
    life.log(
        done, 1,
        *({"e": "metric", "n": "loss", "v": 1 / (n + 1), "s": n} for n in range(10_000)),
        {"e": "list", "n": "sizes", "v": [1, 2]}, {"e": "row", "n": "grid", "v": {"a": 1}}, {"e": "metric", "n": "s", "v": "x"},
        {"e": "tag", "k": "from", "v": "script"}, {"e": "property", "k": "git", "v": "later"},
        {"e": "child", "id": "kid", "n": "fold 1", "op": "start"}, {"e": "metric", "n": "acc", "v": 0.5, "r": "kid"},
        {"e": "artifact", "n": "plot.png", "p": "plot.png", "size": 3}, {"e": "progress", "v": 3, "of": 4, "u": "cell"},
    )  # fmt: skip
    life.write(done, 1, "work/outputs/model.pkl", "model")
    life.write(done, 1, "control/artifacts/plot.png", "png")
    life.write(done, 1, "control/user_logs/std_log.txt", "hello\n")
    at = life.tick()
    append_change(folder, done.id, {"op": "tags", "tags": {"by": "hand", "from": None}, "time": at})
    append_change(folder, done.id, {"op": "name", "display_name": "best", "time": at})
    append_change(folder, done.id, {"op": "properties", "properties": {"k": "v"}, "time": at})
    with folder.store.transaction() as tx:
        set_tags(tx, done.id, {"by": "hand", "from": None}, at=at)
        update_run(tx, done.id, display_name="best")
        add_properties(tx, done.id, {"k": "v"})
    life.log(done, 1, {"e": "tag", "k": "late", "v": "1"})
    life.end(done, 1)

    failed = life.submit("other", max_retries=1)
    life.start(failed)
    life.log(failed, 1, {"e": "metric", "n": "x", "v": 1})
    life.end(failed, 1, exit_code=3)
    life.start(failed)
    life.log(failed, 2, {"e": "metric", "n": "x", "v": 2}, {"e": "error", "type": "ValueError", "m": "bad"})
    life.write(failed, 2, "control/user_logs/std_log.txt", "Traceback\nValueError: bad\n")
    life.end(failed, 2, exit_code=3)

    killed = life.submit()
    life.start(killed)
    life.end(killed, 1, reason="supervisor lost", exit_code=None, message="it was killed")

    running = life.submit()
    life.start(running)
    life.log(running, 1, {"e": "metric", "n": "x", "v": 7}, {"e": "child", "id": "open-kid", "n": "k", "op": "start"})
    index_files(folder, running.id, 1)

    canceled, refused, waiting = life.submit(), life.submit(), life.submit(priority=1, hidden=True)
    at = life.tick()
    with folder.store.transaction() as tx:
        transition(tx, canceled.id, "Canceled", "not needed", cancel_requested=at)
        transition(tx, refused.id, "Failed", "no such interpreter", error={"type": "E", "message": "m"})
        update_run(tx, waiting.id, priority=5)
    append_change(folder, canceled.id, {"op": "cancel", "reason": "not needed", "time": at})
    end = {"op": "end", "status": "Failed", "reason": "no such interpreter", "error": {"type": "E", "message": "m"}}
    append_change(folder, refused.id, end)
    append_change(folder, waiting.id, {"op": "priority", "priority": 5})
    return {
        "done": done,
        "failed": failed,
        "killed": killed,
        "running": running,
        "canceled": canceled,
        "waiting": waiting,
    }


@pytest.mark.parametrize("loss", ["none", "deleted", "damaged", "log deleted"])
def test_nothing_is_lost(life: Life, loss: str) -> None:
    folder = life.folder
    runs = live(life)
    before, generation = dump(folder), folder.store.generation
    states = {name: get_run(folder.store.read(), run.id).status for name, run in runs.items()}
    assert states == {
        "done": "Completed", "failed": "Failed", "killed": "Failed", "running": "Running", "canceled": "Canceled",
        "waiting": "Queued",
    }  # fmt: skip
    if loss != "none":
        folder.close()
        lose(folder.root, loss)
    report = rebuild_workspace(folder.root)
    assert report.is_clean, str(report)
    after = dump(folder)
    assert [row[0]["id"] for row in after["runs"]] == [row[0]["id"] for row in before["runs"]]
    for one, two in zip(before["runs"], after["runs"], strict=True):
        assert one == two
    assert {**after, "runs": None} == {**before, "runs": None}
    assert folder.store.generation != generation
    assert verify_workspace(folder).is_clean


def lose(root: Path, how: str) -> None:
    database = root / "aml.db"
    if how == "damaged":
        database.write_bytes(database.read_bytes()[:5000] + os.urandom(200_000))
    elif how == "deleted":
        database.unlink()
    for suffix in ("-wal", "-shm"):
        database.with_name("aml.db" + suffix).unlink(missing_ok=True)


def test_the_old_database_is_kept_and_nothing_else(life: Life) -> None:
    live(life)
    report = rebuild_workspace(life.folder.root)
    (kept,) = life.folder.root.glob("aml.db.before-rebuild-*[0-9]")
    assert str(kept) in str(report) and "No problems found." in str(report)
    assert not (life.folder.root / "aml.db.new").exists()


def test_a_service_from_before_is_locked_out(life: Life) -> None:
    live(life)
    (life.folder.layout.service_lock).write_text(json.dumps({"epoch": 41}))
    rebuild_workspace(life.folder.root)
    lease = current_lease(life.folder.store.read())
    assert lease is not None and lease["epoch"] == 41
    with pytest.raises(LeaseLost):
        with life.folder.store.transaction(epoch=life.epoch):
            pass
    with life.folder.store.transaction() as tx:
        assert take_epoch(tx, {}) == 42


def test_views_start_again(life: Life) -> None:
    live(life)
    assert latest_event(life.folder.store.read()) > 0
    rebuild_workspace(life.folder.root)
    assert events_since(life.folder.store.read(), 0) == []


def test_an_attempt_that_was_forbidden_stays_so(life: Life) -> None:
    run = life.submit()
    with life.folder.store.transaction() as tx:
        new_attempt(tx, run.id, 1, {})
    control = life.folder.layout.run(run.id).attempt(1).control
    control.mkdir(parents=True)
    write_json(control / "attempt.json", {"format": 1, "refused": "no such image"})
    rebuild_workspace(life.folder.root)
    found = get_run(life.folder.store.read(), run.id)
    assert (found.status, found.reason) == ("Failed", "no such image")


@pytest.mark.parametrize("canceled", [False, True])
def test_files_that_were_put_in_place_ahead_are_no_start(life: Life, canceled: bool) -> None:
    run = life.submit(target="local")
    place = life.folder.layout.run(run.id).attempt(1)
    (place.work / "outputs").mkdir(parents=True)
    place.control.mkdir()
    write_json(place.control / "launch.json", {"format": 1, "epoch": life.epoch})
    if canceled:
        append_change(life.folder, run.id, {"op": "end", "status": "Canceled", "reason": "not needed"})
    rebuild_workspace(life.folder.root)
    db = life.folder.store.read()
    found = get_run(db, run.id)
    assert (found.status, found.attempt) == ("Canceled" if canceled else "Queued", 0)
    assert attempts(db, run.id) == []


def test_a_submit_that_was_never_acknowledged_does_not_run(life: Life) -> None:
    known = life.submit()
    orphan = life.definition()
    place = life.folder.layout.run(orphan["id"])
    place.path.mkdir(parents=True)
    write_json(place.definition, orphan)
    report = rebuild_workspace(life.folder.root)
    assert [run.id for run in find_runs(life.folder.store.read())] == [known.id]
    assert any(orphan["id"] in note and "interrupted" in note for note in report.notes)


def test_damaged_files_are_named_and_cost_no_other_run(life: Life) -> None:
    runs = live(life)
    layout = life.folder.layout
    layout.run(runs["killed"].id).definition.write_text("{")
    (layout.run(runs["running"].id).attempt(1).control / "attempt.json").write_text("[]")
    with open(layout.journal, "a") as stream:
        stream.write('{"op": "target", "target": {"na')
    (layout.runs / "strange").mkdir()
    report = rebuild_workspace(life.folder.root)
    assert any(runs["killed"].id in problem for problem in report.problems)
    assert any("strange has no run.json" in problem for problem in report.problems)
    left = {run.id for run in find_runs(life.folder.store.read(), include_hidden=True)}
    assert left == {run.id for name, run in runs.items() if name != "killed"} | (
        left - {run.id for run in runs.values()}
    )
    assert get_run(life.folder.store.read(), runs["done"].id).status == "Completed"


def test_a_rebuild_waits_for_the_service_to_be_gone(life: Life) -> None:
    import fcntl

    with open(life.folder.layout.service_lock, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(WorkspaceException, match="A service is using the workspace"):
            rebuild_workspace(life.folder.root)


def test_what_is_no_workspace_is_not_rebuilt(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceException, match=r"workspace\.json is missing"):
        rebuild_workspace(tmp_path)
    assert os.listdir(tmp_path) in ([], ["user-data"])


def test_a_rebuild_without_room_leaves_the_old_database(small_disk: Path, definition: Definition) -> None:
    folder = WorkspaceFolder.open(small_disk / "w", create=True)
    life = Life(folder, definition)
    run = life.submit(padding="x" * 200_000)
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_frsize - 100_000))
    with pytest.raises(WorkspaceException, match=r"no space is left|No space left"):
        rebuild_workspace(folder.root)
    assert [each.id for each in find_runs(folder.store.read())] == [run.id]
    assert not list(folder.root.glob("aml.db.new*")) and not list(folder.root.glob("*before-rebuild*"))
    folder.close()

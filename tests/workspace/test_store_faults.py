"""Kill a real process at each of the room's fault points; what was acknowledged is there, nothing is there twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from workspace_support import NewRun, lines, run_killed

from aml_jupyter.workspace import (
    WorkspaceFolder,
    cursor,
    find_runs,
    get_metrics,
    get_run,
    get_secret,
    ingest_events,
    set_secret,
    verify_workspace,
)
from aml_jupyter.workspace.journal import append_change, read_lines

pytestmark = pytest.mark.faults

INGEST = """
import sys
from aml_jupyter.workspace import WorkspaceFolder, ingest_events
folder = WorkspaceFolder.open(sys.argv[1])
ingest_events(folder.store, sys.argv[2], 1, "f", 0, open(sys.argv[3], "rb").read())
"""


@pytest.mark.parametrize("side", ["before", "after"])
def test_ingestion_is_exactly_once(folder: WorkspaceFolder, new_run: NewRun, tmp_path: Path, side: str) -> None:
    run = new_run()
    data = lines(
        *({"e": "metric", "n": "x", "v": place} for place in range(5000)),
        {"e": "child", "id": "kid", "n": "kid", "op": "start"},
        {"e": "row", "n": "grid", "v": {"a": 1}},
    )
    (tmp_path / "events").write_bytes(data)
    run_killed(INGEST, "store.commit", side, tmp_path / "token", folder.root, run.id, tmp_path / "events")
    stored = cursor(folder.store.read(), run.id, 1, "f")
    assert stored == (0 if side == "before" else len(data))
    assert (get_metrics(folder.store.read(), run.id) == {}) == (side == "before")
    ingest_events(folder.store, run.id, 1, "f", stored, data[stored:])
    assert get_metrics(folder.store.read(), run.id) == {"x": list(range(5000)), "grid": {"a": 1}}
    assert [kid.id for kid in find_runs(folder.store.read(), parent=run.id)] == ["kid"]


@pytest.mark.parametrize("point", ["workspace.create", "store.migrate"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_workspace_killed_while_it_is_made_can_be_made(tmp_path: Path, point: str, side: str) -> None:
    code = "import sys; from aml_jupyter.workspace import WorkspaceFolder as W; W.open(sys.argv[1], create=True)"
    run_killed(code, point, side, tmp_path / "token", tmp_path / "w")
    folder = WorkspaceFolder.open(tmp_path / "w", create=True)
    assert verify_workspace(folder).is_clean
    folder.close()


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_change_is_there_or_not(folder: WorkspaceFolder, new_run: NewRun, tmp_path: Path, side: str) -> None:
    run = new_run()
    code = """
import sys
from aml_jupyter.workspace import WorkspaceFolder, append_change
append_change(WorkspaceFolder.open(sys.argv[1]), sys.argv[2], {"op": "tags", "tags": {"a": "b"}, "time": 1.0})
"""
    run_killed(code, "journal.append", side, tmp_path / "token", folder.root, run.id)
    append_change(folder, run.id, {"op": "name", "display_name": "x", "time": 2.0})
    ops = [change["op"] for change in read_lines(folder.layout.run(run.id).changes)]
    assert ops == (["name"] if side == "before" else ["tags", "name"])


@pytest.mark.parametrize("point", ["registry.write", "durable.sync_folder"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_the_list_of_workspaces_is_whole(tmp_path: Path, point: str, side: str) -> None:
    from aml_jupyter.workspace import find_workspace, list_workspaces

    find_workspace(tmp_path / "one").close()
    code = "import sys; from aml_jupyter.workspace import find_workspace; find_workspace(sys.argv[1])"
    run_killed(code, point, side, tmp_path / "token", tmp_path / "two")
    find_workspace(tmp_path / "two").close()
    assert [entry.name for entry in list_workspaces()] == ["one", "two"]


@pytest.mark.parametrize(("side", "left"), [("before", "old"), ("after", "new")])
def test_a_secret_is_the_old_one_or_the_new(folder: WorkspaceFolder, tmp_path: Path, side: str, left: str) -> None:
    set_secret(folder, "token", "old")
    code = "import sys; from aml_jupyter.workspace import WorkspaceFolder, set_secret"
    code += "; set_secret(WorkspaceFolder.open(sys.argv[1]), 'token', 'new')"
    run_killed(code, "secrets.write", side, tmp_path / "token", folder.root)
    assert get_secret(folder, "token") == left
    set_secret(folder, "token", "newer")
    assert get_secret(folder, "token") == "newer"


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_secret_is_forgotten_or_not(folder: WorkspaceFolder, tmp_path: Path, side: str) -> None:
    set_secret(folder, "token", "old")
    code = "import sys; from aml_jupyter.workspace import WorkspaceFolder, delete_secret"
    code += "; delete_secret(WorkspaceFolder.open(sys.argv[1]), 'token')"
    run_killed(code, "secrets.remove", side, tmp_path / "token", folder.root)
    assert get_secret(folder, "token") == ("old" if side == "before" else None)


REBUILD = "import sys; from aml_jupyter.workspace import rebuild_workspace; rebuild_workspace(sys.argv[1])"


@pytest.mark.parametrize(
    "point", ["store.migrate", "rebuild.discard", "rebuild.sync", "rebuild.aside", "rebuild.place"]
)
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_rebuild_that_was_killed_is_done_again(
    folder: WorkspaceFolder, new_run: NewRun, tmp_path: Path, point: str, side: str
) -> None:
    from aml_jupyter.supervisor.durable import write_json
    from aml_jupyter.workspace import rebuild_workspace

    run = new_run(attempt=False)
    folder.layout.run(run.id).path.mkdir(parents=True)
    write_json(folder.layout.run(run.id).definition, run.definition)
    run_killed(REBUILD, point, side, tmp_path / "token", folder.root)
    assert rebuild_workspace(folder.root).is_clean
    assert get_run(folder.store.read(), run.id).status == "Queued"
    assert verify_workspace(folder).is_clean
    assert not (folder.root / "aml.db.new").exists()

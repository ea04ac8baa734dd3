from __future__ import annotations

import json
from pathlib import Path

from aml_jupyter.targets import KINDS
from aml_jupyter.views import (
    as_html,
    as_json,
    as_text,
    compute_rows,
    compute_view,
    difference_view,
    event_rows,
    experiment_rows,
    kinds_rows,
    metric_series_view,
    metrics_view,
    report_view,
    run_rows,
    snapshot_view,
    workspace_list_rows,
    workspace_view,
)
from aml_jupyter.workspace import (
    WorkspaceFolder,
    diff_snapshots,
    find_workspace,
    preview_snapshot,
    take_snapshot,
    verify_workspace,
)

from .conftest import MakeRun, read_page, scalars


def test_runs_are_listed_newest_first(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    first = make_run("Completed", events=scalars("acc", [0.5]))
    second = make_run("Queued", display_name="<b>second</b>")
    view = run_rows(folder)
    assert [row["id"] for row in as_json(view)] == [second.id, first.id]
    assert as_json(view)[1]["metrics"] == {"acc": 0.5}
    assert as_json(view)[0]["place_in_line"] == 1
    text = as_text(view, 160)
    assert "no. 1 in line" in text and "<b>second</b>" in text
    page = read_page(as_html(view))
    assert "b" not in page.names() and "<b>second</b>" in page.text
    assert [row["id"] for row in as_json(run_rows(folder, status="Completed"))] == [first.id]
    assert len(run_rows(folder, last=1)) == 1


def test_a_list_fits_the_terminal_without_cutting_ids(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    run = make_run("Queued", display_name="long name " * 20)
    lines = as_text(run_rows(folder), 100).splitlines()
    assert max(map(len, lines)) <= 100
    assert run.id in lines[1]


def test_an_empty_list_says_what_to_do(folder: WorkspaceFolder) -> None:
    assert "aml submit" in as_text(run_rows(folder))
    assert as_json(run_rows(folder)) == []
    read_page(as_html(run_rows(folder)))


def test_every_kind_is_listed_with_its_verbs() -> None:
    found = {row["type"]: row for row in as_json(kinds_rows())}
    assert set(found) == {kind.type for kind in KINDS}
    assert found["databricks"]["pipelines"] == "only" and not found["databricks"]["plain_runs"]
    assert "sweeps" in found["local"]["lifted"]
    assert "not in this version yet" in as_text(kinds_rows(), 200)
    read_page(as_html(kinds_rows()))


def test_targets_show_what_they_have_to_do(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    make_run("Queued")
    make_run("Running")
    row = as_json(compute_rows(folder))[0]
    assert (row["name"], row["default"], row["running"], row["queued"]) == ("local", True, 1, 1)
    assert "local (default)" in as_text(compute_view(folder, "local"))
    page = read_page(as_html(compute_view(folder, "local"))).text
    assert "free" in page and "of memory" in page


def test_the_workspace_names_its_service(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    make_run("Completed")
    found = as_json(workspace_view(folder))
    assert found["runs"] == {"Completed": 1}
    assert set(found["service"]) >= {"pid", "host", "epoch", "version", "state"}
    assert found["service"]["pid"] is None and found["service"]["state"] == "stopped"
    assert str(folder.root) in as_text(workspace_view(folder))
    read_page(as_html(workspace_view(folder)))


def test_workspaces_and_experiments_are_listed(tmp_path: Path, folder: WorkspaceFolder, make_run: MakeRun) -> None:
    make_run("Queued")
    assert as_json(experiment_rows(folder))[0]["name"] == "digits"
    assert as_json(experiment_rows(folder))[0]["run_count"] == 1
    find_workspace(folder.root).close()
    assert [row["root"] for row in as_json(workspace_list_rows())] == [str(folder.root)]


def test_a_snapshot_says_what_would_go_and_what_not(tmp_path: Path, folder: WorkspaceFolder) -> None:
    source = tmp_path / "source"
    (source / "data").mkdir(parents=True)
    (source / "train.py").write_text("print(1)")
    (source / "data" / "big.bin").write_bytes(b"x" * 5000)
    (source / "secret.txt").write_text("x")
    (source / ".amlignore").write_text("secret.txt\n")
    view = snapshot_view(preview_snapshot(folder, source))
    found = as_json(view)
    assert found["biggest"][0] == {"name": "data/big.bin", "size": 5000}
    assert {"name": "secret.txt", "rule": ".amlignore:1: secret.txt"} in found["ignored"]
    assert "data/big.bin" in as_text(view) and ".amlignore:1" in as_text(view)
    read_page(as_html(view))
    old = take_snapshot(folder, source).id
    (source / "train.py").write_text("print(2)")
    (source / "new.py").write_text("")
    difference = difference_view("run_1", diff_snapshots(folder, old, source))
    assert [row["name"] for row in as_json(difference)["changed"]] == ["train.py"]
    assert [row["name"] for row in as_json(difference)["added"]] == ["new.py"]
    assert "1 added, 0 removed, 1 changed" in as_text(difference)
    read_page(as_html(difference))


def test_metrics_have_every_value(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    values = [float(value) for value in range(1500)]
    run = make_run(events=scalars("loss", values))
    assert as_json(metrics_view(folder, run.id)) == {"loss": values}
    series = as_json(metric_series_view(folder, run.id, "loss"))
    assert series["values"] == values and series["steps"][:2] == [0, 1] and series["times"][0].endswith("Z")
    assert "1499" in as_text(metric_series_view(folder, run.id, "loss"))


def test_events_and_reports(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    run = make_run("Queued")
    assert any(row["subject"] == run.id and row["kind"] == "run.state" for row in as_json(event_rows(folder)))
    view = report_view(verify_workspace(folder))
    assert json.dumps(as_json(view))
    assert str(folder.root) in as_text(view)

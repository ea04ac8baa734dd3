from __future__ import annotations

import base64
import json
import re
import time
from xml.etree import ElementTree

import pytest

from aml_jupyter.errors import UserErrorException
from aml_jupyter.views import as_html, as_json, as_text, run_view
from aml_jupyter.views.text import display_width
from aml_jupyter.workspace import WorkspaceFolder, transition, update_run

from .conftest import MakeRun, read_page, scalars

FIRST = [
    "id", "parent", "experiment", "status", "target", "attempt", "exit_code", "start_time", "end_time", "metrics",
    "parameters", "snapshot", "error",
]  # fmt: skip
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_json_begins_with_the_stable_names(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    run = make_run("Completed", final={"exit_code": 0}, events=scalars("loss", [3.0, 2.0]) + scalars("acc", [0.9]))
    found = as_json(run_view(folder, run.id))
    assert list(found)[:13] == FIRST
    assert (found["id"], found["status"], found["exit_code"], found["error"]) == (run.id, "Completed", 0, None)
    assert found["metrics"] == {"loss": [3.0, 2.0], "acc": 0.9}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["start_time"])
    assert found["end_time"] >= found["start_time"]
    json.dumps(found, allow_nan=False)


def test_a_run_says_which_python_runs_it(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    submitter = {"python": "/opt/mine/bin/python", "version": "3.11.7"}
    view = run_view(folder, make_run(submitter=submitter, run_config={}).id)
    said = "python /opt/mine/bin/python 3.11.7 (the submitter's; no packages are installed)"
    assert said in " ".join(as_text(view).split())
    assert said in read_page(as_html(view)).text
    own = {"environment": {"python": {"userManagedDependencies": True, "interpreterPath": "/theirs/python"}}}
    view = run_view(folder, make_run(submitter=submitter, run_config=own).id)
    assert as_json(view)["python"] == "/theirs/python (user-managed)"


def test_a_long_series_is_summarised_in_json(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    run = make_run(events=scalars("loss", [float(value) for value in range(2000)]))
    found = as_json(run_view(folder, run.id))["metrics"]["loss"]
    assert found == {"count": 2000, "last": 1999.0, "minimum": 0.0, "maximum": 1999.0}


def test_a_waiting_run_says_why_and_where_it_stands(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    make_run("Queued")
    second = make_run("Queued")
    with folder.store.transaction() as tx:
        update_run(tx, second.id, reason="waits for a free slot")
    view = run_view(folder, second.id)
    for shown in (as_text(view), read_page(as_html(view)).text):
        assert "no. 2 in line on local" in shown
        assert "waits for a free slot" in shown
        assert "Queued, as of " in shown
        assert f"aml run show {second.id}" in shown
    assert as_json(view)["place_in_line"] == 2


def test_a_running_run_shows_where_it_is(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    run = make_run(log=b"epoch 1\nepoch 2\n", events=[{"e": "progress", "v": 7, "of": 12, "u": "cell"}])
    view = run_view(folder, run.id)
    for shown in (as_text(view), read_page(as_html(view)).text):
        assert "cell 7 of 12" in shown
        assert "epoch 2" in shown
        assert "node box-1" in shown
        assert f"Running, as of {time.strftime('%H:', time.localtime())}" in shown
    assert "<progress" in as_html(view)


def test_a_message_that_counts_is_not_counted_twice(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    notebook = {"e": "progress", "v": 6, "of": 12, "u": "cell", "m": "cell 7 of 12"}
    text = as_text(run_view(folder, make_run(events=[notebook]).id))
    assert "cell 7 of 12" in text and "cell 6" not in text
    training = {"e": "progress", "v": 6, "of": 12, "u": "epoch", "m": "saving"}
    assert "epoch 6 of 12: saving" in as_text(run_view(folder, make_run(events=[training]).id))


def test_a_failed_run_shows_the_cause_and_the_log(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    error = {
        "type": "exit",
        "message": "the process ended with exit code 1",
        "log_tail": "",
        "log_path": "/x/std_log.txt",
    }
    run = make_run("Failed", log=b"Traceback\nValueError: boom\n", final={"error": error, "exit_code": 1})
    view = run_view(folder, run.id)
    path = str(folder.layout.run(run.id).attempt(1).control / "user_logs" / "std_log.txt")
    for shown in (as_text(view), read_page(as_html(view)).text):
        assert "the process ended with exit code 1" in shown
        assert "ValueError: boom" in shown
        assert path in shown


def test_a_failure_without_a_log_file_still_shows_its_end(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    error = {"type": "exit", "message": "lost", "log_tail": "last words", "log_path": "/x/std_log.txt"}
    run = make_run("Failed", final={"error": error})
    view = run_view(folder, run.id)
    for shown in (as_text(view), read_page(as_html(view)).text):
        assert "last words" in shown and "/x/std_log.txt" in shown


def test_metrics_tables_images_outputs_and_charts(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    run = make_run(
        events=[
            *scalars("loss", [3.0, 2.0, 1.0]),
            {"e": "row", "n": "confusion", "v": {"true": 1, "guess": 2}},
            {"e": "row", "n": "confusion", "v": {"true": 3, "guess": 4}},
            {"e": "image", "n": "curve", "a": "outputs/curve.png"},
        ],
        outputs={"outputs/curve.png": PNG, "outputs/model.pkl": b"x" * 1500},
    )
    view = run_view(folder, run.id)
    text, html = as_text(view), as_html(view)
    assert "loss" in text and "3 values, 1 to 3" in text and "█" in text
    assert "outputs/model.pkl" in text and "1.5 kB" in text
    page = read_page(html)
    assert any((attributes.get("src") or "").startswith("data:image/png;base64,") for _, attributes in page.tags)
    assert "guess" in page.text and "aml run download" in page.text
    for svg in re.findall(r"<svg.*?</svg>", html, re.S):
        ElementTree.fromstring(svg)
    assert "<svg" in html


def test_outputs_become_links_where_files_are_served(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    run = make_run(outputs={"outputs/a b?.txt": b"x"})
    html = run_view(folder, run.id).as_html(files_url="/user/x/aml/api/files/")
    assert 'href="/user/x/aml/api/files/outputs/a%20b%3F.txt"' in html


def test_a_big_image_is_not_carried_along(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    run = make_run(
        events=[{"e": "image", "n": "curve", "a": "outputs/curve.png"}],
        outputs={"outputs/curve.png": PNG + b"x" * 300_000},
    )
    assert len(as_html(run_view(folder, run.id))) < 20_000


def test_nothing_that_a_run_says_becomes_markup(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    run = make_run(
        log=EVIL.encode(),
        events=[
            *scalars(EVIL, [1.0, 2.0]),
            {"e": "metric", "n": "optimiser", "v": EVIL},
            {"e": "row", "n": "table", "v": {EVIL: EVIL}},
            {"e": "progress", "v": 1, "of": 2, "u": "cell", "m": EVIL},
            {"e": "tag", "k": EVIL, "v": EVIL},
        ],
        outputs={"outputs/<script>alert(1)<!--.txt": b"x"},
        display_name=EVIL,
    )
    with folder.store.transaction() as tx:
        transition(
            tx, run.id, "Failed", EVIL, error={"type": "exit", "message": EVIL, "log_tail": EVIL, "log_path": EVIL}
        )
    page = read_page(as_html(run_view(folder, run.id)))
    assert "<script>alert(1)</script>" in page.text
    assert "img" not in page.names()


def test_text_fits_eighty_columns(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    run = make_run(
        log=("手書き数字" * 40 + "\n" + "x" * 500).encode(),
        events=[*scalars("a_very_long_name_of_a_metric_" * 3, [1.0, 2.0])],
        outputs={"outputs/" + "x" * 120 + ".bin": b"x"},
        display_name="数字 " * 10,
        tags={"note": "long words " * 30},
    )
    text = as_text(run_view(folder, run.id))
    paths = [line for line in text.splitlines() if str(folder.root) in line]
    assert max(display_width(line) for line in text.splitlines() if line not in paths) <= 80
    assert "手書き数字" in text


def test_children_are_listed(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    run = make_run()
    child = make_run("Queued", parent=run.id, display_name="fold 3")
    view = run_view(folder, run.id)
    assert as_json(view)["children"] == [child.id]
    assert "fold 3" in as_text(view) and "fold 3" in read_page(as_html(view)).text


def test_an_unknown_run_is_said(folder: WorkspaceFolder) -> None:
    with pytest.raises(UserErrorException, match="no run 'nosuch'"):
        run_view(folder, "nosuch")

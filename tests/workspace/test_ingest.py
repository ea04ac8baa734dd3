"""Events files: every kind of event, every kind of damage, each byte once."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from workspace_support import NewRun, lines

from aml_jupyter.errors import LeaseLost, UserErrorException
from aml_jupyter.workspace import (
    WorkspaceFolder,
    cursor,
    events_since,
    get_metrics,
    get_run,
    ingest_events,
    latest_event,
    list_artifacts,
    list_metrics,
    metric_values,
    new_attempt,
    report_shrunken,
    take_epoch,
    transition,
)


def notes(folder: WorkspaceFolder) -> list[str]:
    return [event.data["message"] for event in events_since(folder.store.read(), 0, 10**6) if event.kind == "run.note"]


def test_every_kind_of_event(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    data = lines(
        {"e": "metric", "n": "loss", "v": 0.5, "s": 1},
        {"e": "metric", "n": "loss", "v": 0.25, "s": 2},
        {"e": "metric", "n": "epochs", "v": 3},
        {"e": "metric", "n": "best", "v": "adam"},
        {"e": "metric", "n": "ok", "v": True},
        {"e": "list", "n": "sizes", "v": [1, 2, 3]},
        {"e": "row", "n": "grid", "v": {"a": 1, "b": "x"}},
        {"e": "row", "n": "grid", "v": {"a": 2, "b": "y"}},
        {"e": "table", "n": "table", "v": {"a": [1, 2], "b": [3, 4]}},
        {"e": "image", "n": "plot", "a": "plot.png"},
        {"e": "chart", "n": "matrix", "type": "confusion_matrix", "a": "matrix"},
        {"e": "tag", "k": "color", "v": "red"},
        {"e": "property", "k": "data", "v": "v1"},
        {"e": "property", "k": "data", "v": "v2"},
        {"e": "artifact", "n": "plot.png", "p": "plot.png", "size": 7},
        {"e": "progress", "v": 3, "of": 12, "u": "cell"},
        {"e": "error", "type": "ValueError", "m": "too big", "trace": "Traceback ..."},
        {"e": "name", "v": "my run"},
    )
    assert ingest_events(folder.store, run.id, 1, "7.jsonl", 0, data) == len(data)
    db = folder.store.read()
    assert get_metrics(db, run.id) == {
        "loss": [0.5, 0.25],
        "epochs": 3,
        "best": "adam",
        "ok": True,
        "sizes": [1, 2, 3],
        "grid": {"a": [1, 2], "b": ["x", "y"]},
        "table": {"a": [1, 2], "b": [3, 4]},
        "plot": f"aml://artifactId/ExperimentRun/dcid.{run.id}/plot.png",
        "matrix": f"aml://artifactId/ExperimentRun/dcid.{run.id}/matrix",
    }
    assert metric_values(db, run.id, "loss") == ([0.5, 0.25], [1, 2], [100.0, 101.0])
    found = get_run(db, run.id)
    assert (found.tags, found.properties, found.display_name) == ({"color": "red"}, {"data": "v1"}, "my run")
    assert found.progress == {"done": 3, "total": 12, "unit": "cell", "message": None}
    assert found.error is not None and (found.error["type"], found.error["message"]) == ("ValueError", "too big")
    assert [(file.name, file.size) for file in list_artifacts(db, run.id)] == [("plot.png", 7)]
    assert len([event for event in events_since(db, 0) if event.kind == "run.metric"]) == 1
    assert notes(folder) == []


def test_numbers_survive_as_they_are(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    logged: dict[str, list[Any]] = {
        "floats": [0.1, math.inf, -math.inf, 1e-308, -0.0],
        "ints": [1, -2, 2**53],
        "huge": [2**70, 1],
        "mixed": [1, 2.5],
        "texts": ["a", None, False, 1.5],
    }
    data = lines(*({"e": "metric", "n": name, "v": value} for name, values in logged.items() for value in values))
    data += lines({"e": "metric", "n": "nan", "v": math.nan}, {"e": "metric", "n": "nan", "v": 2.0})
    ingest_events(folder.store, run.id, 1, "7.jsonl", 0, data)
    found = get_metrics(folder.store.read(), run.id)
    assert [type(value) for value in found["ints"]] == [int, int, int]
    assert [type(value) for value in found["mixed"]] == [float, float]
    assert math.isnan(found["nan"][0]) and found.pop("nan")[1] == 2.0
    assert found == logged
    summary = {metric.name: metric for metric in list_metrics(folder.store.read(), run.id)}
    assert (summary["floats"].minimum, summary["floats"].maximum) == (-math.inf, math.inf)
    assert (summary["nan"].minimum, summary["nan"].maximum, summary["nan"].count) == (2.0, 2.0, 2)
    assert summary["texts"].value == ["a", None, False, 1.5] and summary["floats"].value is None


def test_only_whole_lines_count(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    data = lines({"e": "metric", "n": "x", "v": 1}, {"e": "metric", "n": "x", "v": 2})
    assert ingest_events(folder.store, run.id, 1, "f", 0, data[:-5]) == data.index(b"\n") + 1
    assert get_metrics(folder.store.read(), run.id) == {"x": 1}
    place = cursor(folder.store.read(), run.id, 1, "f")
    assert ingest_events(folder.store, run.id, 1, "f", place, data[place:-5]) == place
    assert ingest_events(folder.store, run.id, 1, "f", place, data[place:]) == len(data)
    assert get_metrics(folder.store.read(), run.id) == {"x": [1, 2]}


def test_what_was_read_is_never_read_again(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    data = lines({"e": "metric", "n": "x", "v": 1})
    end = ingest_events(folder.store, run.id, 1, "f", 0, data)
    before = latest_event(folder.store.read())
    assert ingest_events(folder.store, run.id, 1, "f", 0, data) == end
    assert ingest_events(folder.store, run.id, 1, "f", end + 3, data) == end
    assert (get_metrics(folder.store.read(), run.id), latest_event(folder.store.read())) == ({"x": 1}, before)


def test_torn_and_foolish_lines_harm_nothing(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    good = {"e": "metric", "n": "x", "v": 1}
    wrong = [
        b'{"t": 1, "e": "metric", "n": "x", "v',
        b'": 3}',
        b"\xff\xfe",
        b"\0" * 20,
        b"[" * 100_000,
        b"17",
        b"null",
        b"{}",
        b'{"e": "metric", "n": "x"}',
        b'{"e": "metric", "n": ["x"], "v": 1, "t": 1}',
        b'{"e": "metric", "n": 5, "v": 1, "t": 1}',
        b'{"e": "metric", "n": "only wrong", "v": {"a": 1}, "t": 1}',
        b'{"e": "unheard of", "t": 1}',
        b'{"e": "row", "n": "g", "v": 1, "t": 1}',
        b'{"e": "row", "n": "x", "v": {"a": 1}, "t": 1}',
        b'{"e": "list", "n": "l", "v": 5, "t": 1}',
        b'{"e": "tag", "v": "x", "t": 1}',
        b'{"e": "artifact", "n": "a", "p": "../../run.json", "size": 1}',
        b'{"e": "artifact", "n": "/a", "p": "a", "size": 1}',
        b'{"e": "child", "id": "../x", "op": "start"}',
        b'{"e": "child", "id": 5, "op": "start"}',
    ]
    odd = [
        b'{"e": "metric", "n": "x", "v": 2, "t": "noon", "s": "first"}',
        b'{"e": "metric", "n": "x", "v": 3, "t": 1' + b"0" * 400 + b', "s": 1' + b"0" * 400 + b"}",
        b'{"e": "tag", "k": "\\ud800", "v": "\\udfff\\u0000", "t": 1}',
        b'{"e": "metric", "n": "\\ud800", "v": "\\ud800", "t": 1}',
        b'{"e": "artifact", "n": "b", "p": "b", "size": 1' + b"0" * 400 + b"}",
        b'{"e": "progress", "v": "half", "t": 1}',
    ]
    data = lines(good) + b"".join(line + b"\n" for line in wrong + odd) + lines({**good, "v": 4})
    assert ingest_events(folder.store, run.id, 1, "f", 0, data) == len(data)
    assert metric_values(folder.store.read(), run.id, "x")[0] == [1, 2, 3, 4]
    assert metric_values(folder.store.read(), run.id, "only wrong")[0] == []
    (note,) = notes(folder)
    assert note.startswith(f"{len(wrong)} lines of f were left out"), note
    assert get_run(folder.store.read(), run.id).status == "Queued"


def test_two_torn_lines_do_not_make_one(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    torn = b'{"t": 1, "e": "metric", "n": "x", "v": 1\n"s": 2}\n'
    ingest_events(folder.store, run.id, 1, "f", 0, torn)
    assert get_metrics(folder.store.read(), run.id) == {}


def test_a_shrunken_file_is_reported_once_and_left_alone(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    data = lines({"e": "metric", "n": "x", "v": 1}, {"e": "metric", "n": "x", "v": 2})
    end = ingest_events(folder.store, run.id, 1, "f", 0, data)
    for _ in range(2):
        report_shrunken(folder.store, run.id, 1, "f", 10)
    assert len(notes(folder)) == 1 and "shrunk to 10 bytes" in notes(folder)[0]
    assert ingest_events(folder.store, run.id, 1, "f", end, data) == end
    assert get_metrics(folder.store.read(), run.id) == {"x": [1, 2]}


def test_child_runs_inside_the_process(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run(target="ci")
    data = lines(
        {"e": "child", "id": "kid-1", "n": "fold 1", "op": "start"},
        {"e": "metric", "n": "acc", "v": 0.9, "r": "kid-1"},
        {"e": "child", "id": "kid-2", "n": "deeper", "op": "start", "r": "kid-1"},
        {"e": "tag", "k": "a", "v": "b", "r": "kid-2"},
        {"e": "child", "id": "kid-1", "op": "end", "status": "Failed"},
        {"e": "child", "id": "kid-1", "op": "end", "status": "Completed"},
    )
    ingest_events(folder.store, run.id, 1, "f", 0, data)
    db = folder.store.read()
    one, two = get_run(db, "kid-1"), get_run(db, "kid-2")
    assert (one.parent, one.display_name, one.status, one.in_process, one.target) == (
        run.id, "fold 1", "Failed", True, "ci",
    )  # fmt: skip
    assert (two.parent, two.tags, two.status) == ("kid-1", {"a": "b"}, "Failed")
    assert get_metrics(db, run.id, recursive=True) == {run.id: {}, "kid-1": {"acc": 0.9}, "kid-2": {}}


def test_a_child_may_be_heard_of_before_its_start(folder: WorkspaceFolder, new_run: NewRun) -> None:
    """Two processes write two files, and the one that logs may be read first."""
    run = new_run()
    ingest_events(folder.store, run.id, 1, "2", 0, lines({"e": "metric", "n": "x", "v": 1, "r": "kid"}))
    ingest_events(folder.store, run.id, 1, "1", 0, lines({"e": "child", "id": "kid", "n": "named", "op": "start"}))
    kid = get_run(folder.store.read(), "kid")
    assert (kid.display_name, kid.parent, get_metrics(folder.store.read(), "kid")) == ("named", run.id, {"x": 1})


def test_a_script_cannot_write_into_another_run(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run, other = new_run(), new_run()
    data = lines(
        {"e": "metric", "n": "x", "v": 1, "r": other.id},
        {"e": "tag", "k": "x", "v": "1", "r": other.id},
        {"e": "child", "id": other.id, "op": "end", "status": "Failed"},
    )
    ingest_events(folder.store, run.id, 1, "f", 0, data)
    found = get_run(folder.store.read(), other.id)
    assert (found.status, found.tags, get_metrics(folder.store.read(), other.id)) == ("Queued", {}, {})


def test_late_events_of_an_ended_run_leave_nothing_open(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    with folder.store.transaction() as tx:
        transition(tx, run.id, "Canceled", "")
    ingest_events(folder.store, run.id, 1, "f", 0, lines({"e": "child", "id": "kid", "n": "x", "op": "start"}))
    assert get_run(folder.store.read(), "kid").status == "Canceled"


def test_a_new_attempt_starts_with_no_metrics(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    ingest_events(folder.store, run.id, 1, "f", 0, lines({"e": "metric", "n": "x", "v": 1}))
    with folder.store.transaction() as tx:
        new_attempt(tx, run.id, 1, {})
    assert get_metrics(folder.store.read(), run.id) == {}
    ingest_events(folder.store, run.id, 1, "g", 0, lines({"e": "progress", "v": 9}, {"e": "metric", "n": "x", "v": 5}))
    ingest_events(folder.store, run.id, 2, "f", 0, lines({"e": "metric", "n": "x", "v": 2}))
    assert get_metrics(folder.store.read(), run.id) == {"x": 2}
    assert get_run(folder.store.read(), run.id).progress is None


def test_an_older_service_takes_nothing_in(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    with folder.store.transaction() as tx:
        old = take_epoch(tx, {"pid": 1})
        take_epoch(tx, {"pid": 2})
    with pytest.raises(LeaseLost, match="Another service"):
        ingest_events(folder.store, run.id, 1, "f", 0, lines({"e": "metric", "n": "x", "v": 1}), epoch=old)
    assert cursor(folder.store.read(), run.id, 1, "f") == 0


def test_events_of_no_run_are_refused(folder: WorkspaceFolder) -> None:
    with pytest.raises(UserErrorException, match="There is no run 'nobody'"):
        ingest_events(folder.store, "nobody", 1, "f", 0, lines({"e": "metric", "n": "x", "v": 1}))


def test_ingestion_keeps_up(folder: WorkspaceFolder, new_run: NewRun) -> None:
    """The budget is 200,000 points a second; this guard is generous for a busy machine."""
    run = new_run()
    count = 200_000
    data = b"".join(b'{"t":%d.5,"e":"metric","n":"loss","v":%d.25,"s":%d}\n' % (n, n % 997, n) for n in range(count))
    began = time.process_time()
    ingest_events(folder.store, run.id, 1, "f", 0, data)
    assert count / (time.process_time() - began) > 100_000
    assert metric_values(folder.store.read(), run.id, "loss", last=3)[0] == [0.25, 1.25, 2.25]

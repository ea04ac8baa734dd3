"""Series: packed, cut anywhere, drawn small, always the same points."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workspace_support import NewRun

from aml_jupyter.workspace import WorkspaceFolder, get_metrics, ingest_events, metric_chart, metric_values
from aml_jupyter.workspace.chunks import CHUNK


def log(folder: WorkspaceFolder, run: str, name: str, values: list[float], steps: bool = False, offset: int = 0) -> int:
    data = b"".join(
        json.dumps(
            {"t": float(place), "e": "metric", "n": name, "v": value, **({"s": place * 10} if steps else {})}
        ).encode()
        + b"\n"
        for place, value in enumerate(values)
    )
    return ingest_events(folder.store, run, 1, name, offset, data)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 700) | st.sampled_from([CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK]), max_size=12))
def test_points_are_the_same_however_they_arrive(folder: WorkspaceFolder, new_run: NewRun, sizes: list[int]) -> None:
    run = new_run()
    expected: list[float] = []
    offset = 0
    for size in sizes:
        batch = [float(len(expected) + place) + 0.5 for place in range(size)]
        offset = log(folder, run.id, "x", batch, offset=offset)
        expected += batch
    db = folder.store.read()
    assert metric_values(db, run.id, "x")[0] == expected
    for first in (0, 1, len(expected) // 2, len(expected)):
        for last in (None, first + 1, first + CHUNK + 1):
            assert metric_values(db, run.id, "x", first, last)[0] == expected[first:last]
    small = db.execute("SELECT count(*) FROM metric_chunks WHERE count < ?", (CHUNK,)).fetchone()[0]
    runs = db.execute("SELECT count(*) FROM runs").fetchone()[0]
    assert small <= 14 * runs


def test_a_table_has_columns_of_one_length(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    rows = [{"a": 1}, {"a": 2, "b": "x"}, {"b": "y"}]
    lines = [json.dumps({"t": 1.0, "e": "row", "n": "t", "v": row}) for row in rows]
    lines.append(json.dumps({"t": 2.0, "e": "table", "n": "t", "v": {"a": [3, 4], "c": [5, 6]}}))
    ingest_events(folder.store, run.id, 1, "f", 0, "".join(line + "\n" for line in lines).encode())
    assert get_metrics(folder.store.read(), run.id)["t"] == {
        "a": [1, 2, None, 3, 4],
        "b": [None, "x", "y", None, None],
        "c": [None, None, None, 5, 6],
    }


def test_a_chart_keeps_every_extreme(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    for count in (5, 2000, 2001, 50_000, 140_000):
        values = [random.Random(count + place).random() for place in range(count)]
        values[count // 3], values[count // 2] = 99.0, -99.0
        name = f"m{count}"
        log(folder, run.id, name, values, steps=True)
        chart = metric_chart(folder.store.read(), run.id, name, points=2000)
        assert chart.count == count and len(chart.x) == min(count, 2000)
        assert (max(chart.high), min(chart.low)) == (99.0, -99.0)
        assert chart.x == sorted(chart.x) and (chart.x[-1], chart.y[-1]) == ((count - 1) * 10, values[-1])
        assert all(low <= y <= high for low, y, high in zip(chart.low, chart.y, chart.high, strict=True))


def test_a_chart_without_steps_counts_the_points(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    log(folder, run.id, "x", [1.0, 3.0, 2.0])
    chart = metric_chart(folder.store.read(), run.id, "x")
    assert (chart.x, chart.y, chart.low, chart.high) == (
        [0.0, 1.0, 2.0],
        [1.0, 3.0, 2.0],
        [1.0, 3.0, 2.0],
        [1.0, 3.0, 2.0],
    )
    assert metric_chart(folder.store.read(), run.id, "none").count == 0


def test_a_million_points_are_drawn_at_once(folder: WorkspaceFolder, new_run: NewRun) -> None:
    """The budget is 50 ms."""
    run = new_run()
    data = b'{"t":1.0,"e":"list","n":"x","v":[' + b",".join(b"%d.5" % (n % 1009) for n in range(100_000)) + b"]}\n"
    offset = 0
    for _ in range(10):
        offset = ingest_events(folder.store, run.id, 1, "f", offset, data)
    times = []
    for _ in range(3):
        began = time.process_time()
        chart = metric_chart(folder.store.read(), run.id, "x", points=2000)
        times.append(time.process_time() - began)
    assert (chart.count, len(chart.x), min(chart.low), max(chart.high)) == (1_000_000, 2000, 0.5, 1008.5)
    assert min(times) < 0.05


@pytest.mark.parametrize("first", [0, 3])
def test_points_with_and_without_steps_may_mix(folder: WorkspaceFolder, new_run: NewRun, first: int) -> None:
    run = new_run()
    offset = log(folder, run.id, "x", [1.0, 2.0], steps=False)
    log(folder, run.id, "x", [3.0, 4.0], steps=True, offset=offset)
    values, steps, _ = metric_values(folder.store.read(), run.id, "x")
    assert (values, steps) == ([1, 2, 3, 4], [None, None, 0, 10])
    assert metric_values(folder.store.read(), run.id, "x", first)[0] == values[first:]

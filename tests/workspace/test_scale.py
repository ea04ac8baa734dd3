"""A workspace of 100,000 runs answers as fast as one of ten."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aml_jupyter.workspace import WorkspaceFolder, count_runs, find_runs, open_runs, place_in_line, set_tags
from aml_jupyter.workspace.queue import count_open_runs, open_in_process_runs

RUNS = 100_000


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> WorkspaceFolder:
    """100,000 ended runs of ten experiments, most of them children of sweeps, and 100 queued ones."""
    folder = WorkspaceFolder.open(Path(tmp_path_factory.mktemp("big")) / "w", create=True)
    with folder.store.transaction(durable=False) as tx:
        rows = (
            (
                f"r{n}", n, f"e{n % 10}", f"r{n - n % 1000}" if n % 100 else None, f"r{n}", "script",
                "Completed" if n < RUNS else "Queued", "local" if n % 3 else "ci", float(n),
            )
            for n in range(RUNS + 100)
        )  # fmt: skip
        tx.executemany(
            "INSERT INTO runs (id, number, experiment, parent, display_name, kind, status, target, created) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        tx.execute("INSERT INTO definitions (run, value) SELECT id, '{\"a\": 1}' FROM runs")
        for n in range(0, RUNS, 1000):
            set_tags(tx, f"r{n}", {"best": "yes"}, announce=False)
    return folder


@pytest.mark.parametrize(
    "ask",
    [
        lambda db: find_runs(db, last=50),
        lambda db: find_runs(db, last=50, before_seq=RUNS // 2),
        lambda db: find_runs(db, experiment="e0", last=50),
        lambda db: find_runs(db, target="ci", last=50),
        lambda db: find_runs(db, status="Queued", children=True, last=50),
        lambda db: find_runs(db, status=["Running", "Failed"], last=50),
        lambda db: find_runs(db, parent="r5000", last=50),
        lambda db: find_runs(db, tags={"best": "yes"}, last=50),
        lambda db: find_runs(db, tags={"best": None}, experiment="e0", last=50),
        lambda db: find_runs(db, experiment="nothing", last=50),
        open_runs,
        open_in_process_runs,
        count_open_runs,
        count_runs,
        lambda db: count_runs(db, "ci"),
        lambda db: place_in_line(db, f"r{RUNS + 99}"),
    ],
    ids=[
        "newest", "page", "experiment", "target", "queued", "none of two states", "children", "tag",
        "tag and experiment", "no experiment", "open", "open inside processes",
        "how many are open", "how many in each state", "how many on a target", "place in line",
    ],
)  # fmt: skip
def test_questions_are_answered_at_once(big: WorkspaceFolder, ask: Callable[[object], object]) -> None:
    times = []
    for _ in range(3):
        began = time.process_time()
        ask(big.store.read())
        times.append(time.process_time() - began)
    assert min(times) < 0.03


def test_the_answers_are_right(big: WorkspaceFolder) -> None:
    db = big.store.read()
    assert [run.seq for run in find_runs(db, last=2)] == [RUNS + 1, RUNS - 99]
    assert len(find_runs(db, parent="r5000")) == 990 and len(find_runs(db, tags={"best": "yes"})) == 100
    assert count_runs(db) == {"Queued": 100, "Completed": RUNS}
    assert count_runs(db, "ci") == {"Queued": 33, "Completed": 33_334}
    assert len(open_runs(db)) == 100 and place_in_line(db, f"r{RUNS + 99}") == 67
    assert find_runs(db, status=["Running", "Failed"]) == []

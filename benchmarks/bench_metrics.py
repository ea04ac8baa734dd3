"""Time metrics on their way: log in the script, ingestion, chart data."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from peers import peer_python
from table import Row

from aml_jupyter.supervisor import bundle
from aml_jupyter.workspace import WorkspaceFolder, ingest_events, insert_run, metric_chart, new_run_id

__all__ = ["chart_row", "ingestion_row", "log_row", "mlflow_row"]

_LOG = """
import sys, time
sys.path.insert(0, sys.argv[1])
from aml_jupyter.supervisor.client import get_context
run = get_context()
for i in range(1000): run.log("loss", 0.5)
best = 1e9
for _ in range(7):
    begin = time.perf_counter()
    for i in range(20000): run.log("loss", 0.123456 * i)
    best = min(best, (time.perf_counter() - begin) / 20000)
print(best * 1e6)
"""


def log_row(tmp: Path, mlflow: dict[str, float]) -> Row:
    """Time ``run.log(name, value)`` in a process that looks like a run."""
    control = tmp / "control"
    (control / "events").mkdir(parents=True)
    environment = {
        **os.environ,
        "AML_CONTROL": str(control),
        "AML_RUN_ID": "bench_1_00000000",
        "AML_EXPERIMENT": "bench",
    }
    root = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-c", _LOG, root], env=environment, capture_output=True, text=True, check=True
    )
    taken = float(done.stdout.strip().splitlines()[-1])
    return Row(
        "run.log(name, value)",
        f"{taken:.1f} us",
        "<= 5 us",
        f"MLflow (SQLite) {mlflow['log'] * 1e6:.0f} us",
        taken <= 5,
    )


_FLUENT = """
import logging, sys, time
logging.disable(logging.CRITICAL)
import mlflow
with mlflow.start_run():
    mlflow.log_metric("warm", 0)
    begin = time.perf_counter()
    for i in range(2000): mlflow.log_metric("loss", i, step=i)
    print((time.perf_counter() - begin) / 2000 * 1e6)
"""


def mlflow_row(tmp: Path, mlflow: dict[str, float]) -> Row:
    """Time MLflow's fluent ``log_metric`` in a process that is a run, beside MLflow on SQLite, both in one environment."""
    placed = bundle.place(tmp / "bundle")
    control = tmp / "mlflow-control"
    (control / "events").mkdir(parents=True)
    environment = {
        **os.environ,
        "AML_CONTROL": str(control),
        "AML_RUN_ID": "bench_2_00000000",
        "AML_EXPERIMENT": "bench",
        "AML_BUNDLE": str(placed.archive),
        "PYTHONPATH": str(placed.site),
        "MLFLOW_TRACKING_URI": "aml-run:",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    python = str(peer_python("mlflow>=2.20"))
    done = subprocess.run([python, "-c", _FLUENT], env=environment, capture_output=True, text=True, check=True)
    taken = float(done.stdout.strip().splitlines()[-1])
    ratio = mlflow["log"] * 1e6 / taken
    return Row(
        "mlflow.log_metric in a run",
        f"{taken:.0f} us = {ratio:.0f}x faster",
        ">= 20x",
        f"MLflow (SQLite) {mlflow['log'] * 1e6:.0f} us",
        ratio >= 20,
    )


def _new_run(folder: WorkspaceFolder) -> str:
    run_id = new_run_id("bench")
    with folder.store.transaction() as tx:
        insert_run(tx, {"id": run_id, "experiment": "bench", "kind": "script", "target": "local"}, in_process=True)
    return run_id


def _lines(count: int) -> bytes:
    return b"".join(
        b'{"t":%.6f,"e":"metric","n":"loss","v":%r,"s":%d}\n' % (1.7e9 + i * 0.001, i * 0.37 % 11, i)
        for i in range(count)
    )


def ingestion_row(folder: WorkspaceFolder, mlflow: dict[str, float]) -> Row:
    """Take 400,000 points of one series into the run history."""
    run_id, data = _new_run(folder), _lines(400_000)
    begin, offset = time.perf_counter(), 0
    while offset < len(data):
        offset = ingest_events(folder.store, run_id, 1, "1.jsonl", offset, data[offset : offset + 4 * 2**20])
    rate = 400_000 / (time.perf_counter() - begin)
    return Row(
        "ingestion into run history",
        f"{rate:,.0f} points/s",
        ">= 200,000",
        f"MLflow log_batch {mlflow['batch']:,.0f}/s",
        rate >= 200_000,
    )


def chart_row(folder: WorkspaceFolder, mlflow: dict[str, float]) -> Row:
    """Read the chart of a series of 1,000,000 points."""
    run_id, offset = _new_run(folder), 0
    data = _lines(1_000_000)
    while offset < len(data):
        offset = ingest_events(folder.store, run_id, 1, "1.jsonl", offset, data[offset : offset + 8 * 2**20])
    db = folder.store.read()
    metric_chart(db, run_id, "loss", points=2000)
    begin = time.perf_counter()
    chart = metric_chart(db, run_id, "loss", points=2000)
    taken = (time.perf_counter() - begin) * 1000
    assert chart.count == 1_000_000
    return Row(
        "chart of a 1,000,000-point metric",
        f"{taken:.0f} ms",
        "<= 50 ms",
        f"MLflow reads 10,000 points in {mlflow['read_10000'] * 1000:.0f} ms",
        taken <= 50,
    )

"""Measure the peers, each in an environment of its own that is made once under .bench/."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["mlflow_figures", "papermill_start", "peer_python"]

HOME = Path(__file__).resolve().parents[1] / ".bench"

_MLFLOW = """
import json, logging, os, statistics, sys, time
logging.disable(logging.CRITICAL)
begin = time.perf_counter()
import mlflow
imported = time.perf_counter() - begin
from mlflow.entities import Metric
mlflow.set_tracking_uri("sqlite:///" + sys.argv[1])
mlflow.set_experiment("bench")
client = mlflow.MlflowClient()
with mlflow.start_run() as run:
    mlflow.log_metric("warm", 0)
    begin = time.perf_counter()
    for i in range(100):
        mlflow.log_metric("loss", i, step=i)
    one = (time.perf_counter() - begin) / 100
    batches = [[Metric("b", float(i), 0, n * 1000 + i) for i in range(1000)] for n in range(10)]
    begin = time.perf_counter()
    for batch in batches:
        client.log_batch(run.info.run_id, metrics=batch)
    points = 10000 / (time.perf_counter() - begin)
    begin = time.perf_counter()
    client.get_metric_history(run.info.run_id, "b")
    read = time.perf_counter() - begin
print(json.dumps({"import": imported, "log": one, "batch": points, "read_10000": read}))
"""


def peer_python(*packages: str) -> Path:
    """Return the interpreter of an environment with `packages`, made when it is not there."""
    name = "-".join(package.split("=")[0].split(">")[0] for package in packages)
    python = HOME / name / "bin" / "python"
    if not (HOME / name / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(HOME / name)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
        (HOME / name / ".ready").touch()
    return python


def mlflow_figures(tmp: Path) -> dict[str, float]:
    """Return MLflow's import time (s), `log_metric` (s), `log_batch` (points/s) and reading 10,000 points (s)."""
    python = peer_python("mlflow>=2.20")
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
    done = subprocess.run(
        [str(python), "-c", _MLFLOW, str(tmp / "mlflow.db")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp,
        env=environment,
    )
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def papermill_start(tmp: Path, times: int = 3) -> float:
    """Return the median seconds from starting papermill to the first line of the notebook's code."""
    python = peer_python("papermill>=2.6", "ipykernel!=7.4.0")
    stamp = tmp / "stamp"
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "a",
        "metadata": {},
        "outputs": [],
        "source": f"import time; open({str(stamp)!r}, 'w').write(str(time.time()))",
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = tmp / "one.ipynb"
    notebook.write_text(json.dumps({"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    taken = []
    for _ in range(times):
        begin = time.time()
        subprocess.run(
            [str(python), "-m", "papermill", "--no-progress-bar", str(notebook), str(tmp / "out.ipynb")],
            check=True,
            capture_output=True,
        )
        taken.append(float(stamp.read_text()) - begin)
    return statistics.median(taken)

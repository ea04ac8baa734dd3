"""Print the table of budgets: each figure beside its peer, measured in this run.

``python benchmarks/run.py [PART ...]`` with parts of: snapshot runs metrics imports service
environments. Exit code 1 when a budget is over.
Peers marked * cannot be run beside it cheaply; their figures are those measured once on such a machine.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_environments
import bench_imports
import bench_metrics
import bench_runs
import bench_snapshot
import peers
from table import Row, print_table

from aml_jupyter.service import stop_service
from aml_jupyter.workspace import WorkspaceFolder

PARTS = ("imports", "snapshot", "metrics", "runs", "service", "environments")


def main(chosen: list[str]) -> int:
    """Measure the chosen parts and return the exit code."""
    parts = chosen or list(PARTS)
    tmp = Path(tempfile.mkdtemp(prefix="aml-bench-"))
    runtime = tempfile.mkdtemp(prefix="aml-b-", dir="/tmp")
    os.environ.update(AML_RUNTIME=runtime, AML_USER_DATA=str(tmp / "data"), AML_KEYRING="off")
    rows: list[Row] = []
    try:
        mlflow = peers.mlflow_figures(tmp) if {"imports", "metrics"} & set(parts) else {}
        if "imports" in parts:
            rows += [
                bench_imports.import_row(mlflow),
                bench_imports.load_ext_row(),
                bench_imports.help_row(),
                bench_imports.completion_row(tmp),
            ]
        if "snapshot" in parts:
            rows += bench_snapshot.rows(tmp)
        if "metrics" in parts:
            folder = WorkspaceFolder.open(tmp / "metrics", create=True)
            rows += [
                bench_metrics.log_row(tmp, mlflow),
                bench_metrics.mlflow_row(tmp, mlflow),
                bench_metrics.ingestion_row(folder, mlflow),
                bench_metrics.chart_row(folder, mlflow),
            ]
            folder.close()
        if "runs" in parts:
            folder = WorkspaceFolder.open(tmp / "runs", create=True)
            rows += [
                bench_runs.submit_row(folder, tmp),
                bench_runs.first_line_row(folder, tmp, peers.papermill_start(tmp)),
                bench_runs.throughput_row(folder, tmp),
            ]
            stop_service(folder)
            folder.close()
        if "service" in parts:
            folder = WorkspaceFolder.open(tmp / "service", create=True)
            rows += [bench_runs.service_row(folder, tmp)]
            stop_service(folder)
            folder.close()
        if "environments" in parts:
            folder = WorkspaceFolder.open(tmp / "environments", create=True)
            rows += [
                bench_environments.warm_row(folder, tmp),
                bench_environments.conda_row(tmp),
                bench_environments.pip_row(tmp),
            ]
            stop_service(folder)
            folder.close()
    finally:
        _end(runtime)
        shutil.rmtree(tmp, ignore_errors=True)
        shutil.rmtree(runtime, ignore_errors=True)
    print_table(rows)
    return 0 if all(row.holds for row in rows) else 1


def _end(runtime: str) -> None:
    """End what was started with this runtime folder in its environment."""
    import psutil

    for process in psutil.process_iter():
        try:
            ours = process.environ().get("AML_RUNTIME") == runtime or runtime in " ".join(process.cmdline())
        except psutil.Error:
            continue
        if ours and process.pid != os.getpid():
            process.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

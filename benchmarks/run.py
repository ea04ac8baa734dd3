"""Print the table of budgets: each figure beside its peer, measured in this run.

``python benchmarks/run.py [PART ...]`` with parts of: imports snapshot metrics runs children service
environments remote view. Exit code 1 when a budget is over.
What is measured removes nothing until the end: for minutes, ext4 goes round every inode that was freed when it makes a file,
which costs a short run a tenth of its time. For the same reason another run of this soon after one is slower.
Peers marked * cannot be run beside it cheaply; their figures are those measured once on such a machine.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_children
import bench_environments
import bench_imports
import bench_metrics
import bench_remote
import bench_runs
import bench_snapshot
import bench_view
import peers
from table import Row, print_table

from aml_jupyter.service import stop_service
from aml_jupyter.workspace import WorkspaceFolder

Measure = Callable[[], Row | list[Row]]


def main(chosen: list[str]) -> int:
    """Measure the chosen parts and return the exit code; what cannot be measured is a row, too, and holds up no other."""
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    tmp = Path(tempfile.mkdtemp(prefix="aml-bench-"))
    runtime = tempfile.mkdtemp(prefix="aml-b-", dir="/tmp")
    os.environ.update(AML_RUNTIME=runtime, AML_USER_DATA=str(tmp / "data"), AML_KEYRING="off")
    rows: list[Row] = []
    try:
        for name in chosen or PARTS:
            place = tmp / name
            place.mkdir()
            folder = WorkspaceFolder.open(place / "workspace", create=True)
            for measure in PARTS[name](folder, place):
                rows += _measured(name, measure)
            stop_service(folder)
            folder.close()
    finally:
        _end(runtime)
        shutil.rmtree(tmp, ignore_errors=True)
        shutil.rmtree(runtime, ignore_errors=True)
    print_table(rows)
    return 0 if all(row.holds for row in rows) else 1


def _measured(part: str, measure: Measure) -> list[Row]:
    try:
        found = measure()
    except Exception as error:
        traceback.print_exc()
        return [
            Row(f"{part}: a row that could not be measured", f"{type(error).__name__}: {error}"[:60], "", "", False)
        ]
    return found if isinstance(found, list) else [found]


@cache
def _mlflow() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as place:
        return peers.mlflow_figures(Path(place))


def _imports(folder: WorkspaceFolder, place: Path) -> Iterator[Measure]:
    mlflow = _mlflow()
    yield lambda: bench_imports.import_row(mlflow)
    yield bench_imports.load_ext_row
    yield bench_imports.help_row
    yield lambda: bench_imports.completion_row(place)


def _snapshot(folder: WorkspaceFolder, place: Path) -> Iterator[Measure]:
    yield lambda: bench_snapshot.rows(place)


def _metrics(folder: WorkspaceFolder, place: Path) -> Iterator[Measure]:
    mlflow = _mlflow()
    yield lambda: bench_metrics.log_row(place, mlflow)
    yield lambda: bench_metrics.mlflow_row(place, mlflow)
    yield lambda: bench_metrics.ingestion_row(folder, mlflow)
    yield lambda: bench_metrics.chart_row(folder, mlflow)


def _runs(folder: WorkspaceFolder, place: Path) -> Iterator[Measure]:
    yield lambda: bench_runs.submit_row(folder, place)
    yield lambda: bench_runs.first_line_row(folder, place, peers.papermill_start(place))
    yield lambda: bench_runs.throughput_row(folder, place)


def _service(folder: WorkspaceFolder, place: Path) -> Iterator[Measure]:
    yield lambda: bench_runs.service_row(folder, place)


def _environments(folder: WorkspaceFolder, place: Path) -> Iterator[Measure]:
    yield lambda: bench_environments.warm_row(folder, place)
    yield lambda: bench_environments.conda_row(place)
    yield lambda: bench_environments.pip_row(place)
    yield lambda: bench_environments.docker_row(folder, place)


def _children(folder: WorkspaceFolder, place: Path) -> Iterator[Measure]:
    yield lambda: bench_children.created_row(folder, place)
    yield lambda: bench_children.children_row(folder, place)


def _remote(folder: WorkspaceFolder, place: Path) -> Iterator[Measure]:
    yield lambda: bench_remote.rows(folder, place)


def _view(folder: WorkspaceFolder, place: Path) -> Iterator[Measure]:
    yield lambda: bench_view.rows(folder, place)


PARTS: dict[str, Callable[[WorkspaceFolder, Path], Iterator[Measure]]] = {
    "imports": _imports,
    "snapshot": _snapshot,
    "metrics": _metrics,
    "runs": _runs,
    "children": _children,
    "service": _service,
    "environments": _environments,
    "remote": _remote,
    "view": _view,
}


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

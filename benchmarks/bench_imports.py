"""Time what a person pays before anything happens."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from table import Row, median_of

__all__ = ["completion_row", "help_row", "import_row", "load_ext_row"]


def _timed(code: str) -> float:
    program = f"import time; {code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1]) * 1000


def import_row(mlflow: dict[str, float]) -> Row:
    """Time ``import aml_jupyter``."""
    taken = median_of(lambda: _timed("b = time.perf_counter(); import aml_jupyter; print(time.perf_counter() - b)"), 7)
    return Row(
        "import aml_jupyter",
        f"{taken:.0f} ms",
        "<= 60 ms",
        f"import mlflow {mlflow['import'] * 1000:.0f} ms",
        taken <= 60,
    )


def _taken(*command: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begin) * 1000


def help_row() -> Row:
    """Time the whole process of ``aml --help``."""
    bare = median_of(lambda: _taken(sys.executable, "-c", "pass"), 7)
    taken = median_of(lambda: _taken(str(Path(sys.executable).with_name("aml")), "--help"), 7)
    return Row("aml --help", f"{taken:.0f} ms", "<= 100 ms", f"python -c pass {bare:.0f} ms", taken <= 100)


def completion_row(tmp: Path) -> Row:
    """Time the process that a shell asks for the runs of a workspace with 2,000 of them."""
    from aml_jupyter.workspace import WorkspaceFolder, insert_run

    folder = WorkspaceFolder.open(tmp / "completion", create=True)
    with folder.store.transaction() as tx:
        for number in range(2000):
            insert_run(
                tx, {"id": f"digits_{number}", "experiment": "digits", "kind": "script"}, "Running", in_process=True
            )
    aml = str(Path(sys.executable).with_name("aml"))
    words = [aml, "--complete", "fish", "--workspace", str(folder.root), "run", "show", "digits_1"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.count("digits_1") == 50
    bare = median_of(lambda: _taken(sys.executable, "-c", "pass"), 7)
    taken = median_of(lambda: _taken(*words), 15)
    folder.close()
    return Row("a completion in a shell", f"{taken:.0f} ms", "<= 50 ms", f"python -c pass {bare:.0f} ms", taken <= 50)


def load_ext_row() -> Row:
    """Time ``%load_ext aml_jupyter`` in an IPython shell that is up."""
    code = (
        "from IPython.core.interactiveshell import InteractiveShell as S; s = S.instance(); b = time.perf_counter(); "
        "s.run_line_magic('load_ext', 'aml_jupyter'); print(time.perf_counter() - b)"
    )
    bare = median_of(
        lambda: _timed(
            "b = time.perf_counter(); from IPython.core.interactiveshell import InteractiveShell as S; S.instance(); "
            "print(time.perf_counter() - b)"
        ),
        3,
    )
    taken = median_of(lambda: _timed(code), 7)
    return Row("%load_ext aml_jupyter", f"{taken:.0f} ms", "<= 150 ms", f"IPython itself {bare:.0f} ms", taken <= 150)

"""Execute quickstart.ipynb without a browser, and print the runs that it made.

Everything stays in ``notebooks/.output``. The exit code is 0 only when every cell was executed and every run completed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUTPUT = HERE / ".output"
EXECUTED = OUTPUT / "quickstart.ipynb"


def main() -> int:
    """Run the demo and return its exit code."""
    OUTPUT.mkdir(exist_ok=True)
    workspace = Path(os.environ.setdefault("AML_WORKSPACE", str(OUTPUT / "workspace")))
    # A runtime folder of its own: what is started here is told apart from the user's other work, and ends with the demo.
    with tempfile.TemporaryDirectory(prefix="aml-demo-") as runtime:
        os.environ["AML_RUNTIME"] = runtime
        os.environ["AML_NOTEBOOK"] = str(HERE / "quickstart.ipynb")  # papermill does not tell the kernel
        began = time.time()
        print(f"Executing {HERE / 'quickstart.ipynb'} ...", flush=True)
        try:
            fault = _execute(Path(runtime, "kernel.json"))
            runs = _show(workspace, began)
        finally:
            _stop(workspace)
    _wait_for_the_end_of_what_uses(runtime)
    print(f"\nThe executed notebook: {EXECUTED}")
    print(f"The workspace:         {workspace}")
    print("Open it yourself:      make lab")
    aml = shlex.join([str(Path(sys.executable).parent / "aml"), "--workspace", str(workspace), "run", "list"])
    print(f"Ask in a terminal:     {aml}")
    if fault:
        print(f"\nThe demo failed: {fault}", file=sys.stderr)
        return 1
    unfinished = [run for run in runs if run.status != "Completed"]
    if unfinished or not runs:
        print(f"\nThe demo failed: {len(unfinished)} of {len(runs)} runs did not complete.", file=sys.stderr)
        return 1
    return 0


def _execute(connection: Path) -> str:
    """Execute the notebook and return what went wrong, in words; the executed cells are on disk either way.

    The kernel listens at sockets beside the file `connection`, whose path therefore is short.
    """
    import papermill
    from traitlets.config import Config

    try:
        papermill.execute_notebook(
            HERE / "quickstart.ipynb",
            EXECUTED,
            cwd=HERE,
            kernel_name="python3",
            progress_bar=False,
            extra_arguments=["--log-level=50"],  # a kernel that is asked to leave says so as an error
            config=Config({"KernelManager": {"transport": "ipc", "connection_file": str(connection)}}),
        )
    except papermill.PapermillExecutionError as error:
        return f"cell {error.cell_index + 1} of the notebook: {error.ename}: {error.evalue}"
    return ""


def _show(workspace: Path, began: float) -> list[Any]:
    """Print the runs that were made since `began`, and return them."""
    from aml_jupyter.views import as_text, run_rows
    from aml_jupyter.workspace import WorkspaceFolder

    folder = WorkspaceFolder.open(workspace, create=True)
    try:
        rows = run_rows(folder)
        rows = type(rows)(tuple(row for row in rows if row.run.created >= began), rows.columns, "none")
        print("\nThe runs it made:\n")
        print(as_text(rows, shutil.get_terminal_size((120, 40)).columns))
        return [row.run for row in rows]
    finally:
        folder.close()


def _stop(workspace: Path) -> None:
    """End the workspace's service; what else was started leaves when the runtime folder is gone."""
    from aml_jupyter.service import stop_service
    from aml_jupyter.workspace import WorkspaceFolder

    if not (workspace / "workspace.json").is_file():
        return
    folder = WorkspaceFolder.open(workspace)
    try:
        stop_service(folder)
    finally:
        folder.close()


def _wait_for_the_end_of_what_uses(runtime: str) -> None:
    """Wait until no process is left whose command line names the folder `runtime`, which is gone."""
    import psutil

    left = [
        process for process in psutil.process_iter(["cmdline"]) if runtime in " ".join(process.info["cmdline"] or [])
    ]
    psutil.wait_procs(left, timeout=10)


if __name__ == "__main__":
    sys.exit(main())

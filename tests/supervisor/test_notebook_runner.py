"""A notebook runs through papermill: parameters, progress by cell, an output that is whole at any time, clear failures."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from supervisor.attempts import Attempt, wait_for

pytestmark = pytest.mark.timeout(120)


def prepare(
    attempt: Attempt,
    *cells: str,
    kernel: str | None = "python3",
    demanded: str | None = None,
    python: str = sys.executable,
    **job: Any,
) -> None:
    notebook = new_notebook(
        cells=[new_markdown_cell("# Title"), new_code_cell("alpha = 1", metadata={"tags": ["parameters"]})]
    )
    notebook.cells += [new_code_cell(source) for source in cells]
    notebook.metadata["kernelspec"] = {"name": kernel, "display_name": "x", "language": "python"}
    nbformat.write(notebook, attempt.work / "train.ipynb")
    attempt.file(
        "notebook.json",
        {
            "input": "train.ipynb",
            "output": "outputs/train.ipynb",
            "parameters": {"alpha": 0.5},
            "kernel": demanded,
            "timeout": None,
            **job,
        },
    )
    attempt.launch(
        [python, str(attempt.bundle.archive), "notebook", str(attempt.control)],
        environment={
            "PATH": os.environ["PATH"],
            "HOME": str(attempt.root),
            "TMPDIR": os.environ["AML_RUNTIME"],
            "PYTHONUNBUFFERED": "1",
        },
    )


def events(attempt: Attempt) -> list[dict[str, Any]]:
    found = []
    for path in (attempt.control / "events").glob("*.jsonl"):
        found += [json.loads(line) for line in path.read_text().splitlines() if line]
    return sorted(found, key=lambda event: float(event["t"]))


def output(attempt: Attempt) -> Any:
    return nbformat.read(attempt.work / "outputs" / "train.ipynb", as_version=4)


def test_parameters_progress_and_output(attempt: Attempt) -> None:
    names = "import os, sys\nprint(os.environ['JPY_SESSION_NAME'], os.environ['AML_RUN_ID'])"
    prepare(attempt, "print('alpha is', alpha)", names, "print(sys.executable)\n1 + 1")
    attempt.start().wait(120)
    assert attempt.result()["exit_code"] == 0, attempt.log
    assert "alpha is 0.5" in attempt.log
    assert f"{attempt.work}/train.ipynb run" in attempt.log
    assert sys.executable in attempt.log
    told = [(event["v"], event["of"], event["u"], event["m"]) for event in events(attempt) if event["e"] == "progress"]
    assert told[0] == (0, 5, "cell", "cell 1 of 5")
    assert told[-1] == (5, 5, "cell", "cell 5 of 5")
    notebook = output(attempt)
    assert notebook.cells[-1].outputs[-1].data["text/plain"] == "2"
    assert notebook.metadata.papermill["output_path"] == str(attempt.work / "outputs" / "train.ipynb")
    assert sorted(os.listdir(attempt.work / "outputs")) == ["train.ipynb"]


def test_the_output_is_there_cell_by_cell_and_cancel_ends_the_kernel(attempt: Attempt) -> None:
    prepare(attempt, "print('first', flush=True)", "import time\nwhile True:\n    time.sleep(0.1)")
    attempt.start()
    wait_for(lambda: any(event.get("m") == "cell 4 of 4" for event in events(attempt)), "the endless cell", 60)
    assert output(attempt).cells[-2].outputs[0].text == "first\n"
    attempt.file("cancel.json", {"grace_seconds": 10})
    assert attempt.result()["reason"] == "canceled"
    assert os.listdir(os.environ["AML_RUNTIME"]) == []
    print(attempt.log)


def test_a_failing_cell_fails_the_run_with_its_traceback(attempt: Attempt) -> None:
    prepare(attempt, "def f():\n    return 1 / 0", "f()", "print('never')")
    attempt.start().wait(120)
    assert attempt.result()["exit_code"] == 1
    assert "return 1 / 0" in attempt.log
    assert "ZeroDivisionError: division by zero" in attempt.log
    assert "never" not in attempt.log
    assert "\x1b[" not in attempt.log
    (error,) = [event for event in events(attempt) if event["e"] == "error"]
    assert error["type"] == "ZeroDivisionError"
    assert "return 1 / 0" in error["trace"]
    assert any(out.output_type == "error" for cell in output(attempt).cells for out in cell.get("outputs", []))


def test_a_kernel_that_dies_is_reported_with_its_memory(attempt: Attempt) -> None:
    prepare(attempt, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    attempt.start().wait(120)
    assert attempt.result()["exit_code"] == 1
    assert "the kernel died, likely out of memory; its peak memory was" in attempt.log
    assert [event["type"] for event in events(attempt) if event["e"] == "error"] == ["DeadKernel"]


def test_the_time_limit_is_for_the_whole_notebook(attempt: Attempt) -> None:
    prepare(attempt, *["import time\ntime.sleep(1)"] * 10, timeout=2.5)
    attempt.start().wait(120)
    assert attempt.result()["exit_code"] == 1
    assert "the notebook ran for 2.5 s, which is its limit" in attempt.log


def test_a_kernel_that_the_submit_names_is_not_replaced(attempt: Attempt) -> None:
    prepare(attempt, "print('it runs')", kernel="authors-env", demanded="nowhere")
    attempt.start().wait(120)
    assert attempt.result()["exit_code"] == 1
    assert "there is no kernel 'nowhere' for this run; known: " in attempt.log and "python3" in attempt.log
    assert "it runs" not in attempt.log


def test_a_kernel_that_only_its_author_has_is_replaced(attempt: Attempt) -> None:
    prepare(attempt, "print('it runs')", kernel="authors-env")
    attempt.start().wait(120)
    assert attempt.result()["exit_code"] == 0, attempt.log
    assert "no kernel 'authors-env' here" in attempt.log
    assert "it runs" in attempt.log


def test_a_python_without_papermill_is_named(attempt: Attempt, tmp_path: Path) -> None:
    bare = tmp_path / "bare" / "bin" / "python"
    bare.parent.mkdir(parents=True)
    bare.symlink_to(os.path.realpath(sys.executable))
    (tmp_path / "bare" / "pyvenv.cfg").write_text(f"home = {os.path.dirname(os.path.realpath(sys.executable))}\n")
    prepare(attempt, "1", python=str(bare))
    attempt.start().wait(120)
    assert attempt.result()["exit_code"] == 1
    assert f"{bare} -m pip install papermill ipykernel" in attempt.log
    assert "Traceback" not in attempt.log


@pytest.mark.faults
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_kill_while_the_output_is_written_leaves_a_whole_notebook(
    attempt: Attempt, tmp_path: Path, side: str
) -> None:
    prepare(attempt, "print('a')")
    token = tmp_path / "may-kill"
    token.touch()
    launch = attempt.read("launch.json")
    assert launch is not None
    armed = {"AML_FAULT_POINT": "notebook.publish", "AML_FAULT_SIDE": side, "AML_FAULT_TOKEN": str(token)}
    attempt.file("launch.json", {**launch, "environment": {**launch["environment"], **armed}})
    attempt.start().wait(120)
    assert attempt.result()["signal"] == signal.SIGKILL
    if (attempt.work / "outputs" / "train.ipynb").exists():
        assert output(attempt).cells

"""A cell runs as a script would, with the values that were sent, and brings values back."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from supervisor.attempts import Attempt
from supervisor.test_bundle import PRINT_VERSION, PYTHONS

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def sender(tmp_path: Path) -> Path:
    """A folder with the sender's cloudpickle, as it travels."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    (folder / "cloudpickle").symlink_to(Path(cloudpickle.__file__).parent)
    return folder


def run(attempt: Attempt, source: str, sender: Path | None = None, **cell: Any) -> subprocess.CompletedProcess[str]:
    (attempt.work / "cells").mkdir(exist_ok=True)
    (attempt.work / "cells" / "cell.py").write_text(source)
    content = {
        "script": "cells/cell.py",
        "arguments": [],
        "inputs": None,
        "inputs_sha256": None,
        "outputs": [],
        "python": VERSION,
        "cloudpickle": str(sender) if sender else None,
        **cell,
    }
    attempt.file("cell.json", content)
    variables = {"PATH": os.environ["PATH"], "AML_CONTROL": str(attempt.control)}
    command = [sys.executable, str(attempt.bundle.archive), "cell", str(attempt.control)]
    return subprocess.run(command, cwd=attempt.work, env=variables, capture_output=True, text=True, check=False)


def send(sender: Path, **values: Any) -> dict[str, str]:
    data = cloudpickle.dumps(values)
    (sender / "values.pkl").write_bytes(data)
    return {"inputs": str(sender / "values.pkl"), "inputs_sha256": hashlib.sha256(data).hexdigest()}


def brought_back(attempt: Attempt) -> dict[str, Any]:
    summary = attempt.read("values/outputs.json")
    assert summary is not None
    data = (attempt.control / "values" / "outputs.pkl").read_bytes()
    assert summary["sha256"] == hashlib.sha256(data).hexdigest()
    assert (summary["size"], summary["python"]) == (len(data), VERSION)
    values: dict[str, Any] = pickle.loads(data)
    assert summary["names"] == list(values)
    return values


def test_it_is_the_main_script(attempt: Attempt) -> None:
    source = (
        "import os, sys\n"
        "print(__name__, os.path.basename(__file__), sys.argv, sys.path[0] == os.path.dirname(os.path.abspath(__file__)))\n"
        "print(sys.modules['__main__'].__dict__ is globals(), 'aml_supervisor' in globals())\n"
        "6 * 7\n"
    )
    done = run(attempt, source, arguments=["--lr", "0.1"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["__main__ cell.py ['cells/cell.py', '--lr', '0.1'] True", "True False"]


def test_values_travel_there_and_back(attempt: Attempt, sender: Path) -> None:
    factor = 3
    values = send(sender, data=list(range(5)), scale=lambda x: x * factor)
    done = run(attempt, "model = [scale(x) for x in data]\nclass Kept:\n    n = 1\nk = Kept()", sender,
               outputs=["model", "k", "data"], **values)  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = brought_back(attempt)
    assert (values["model"], values["data"], values["k"].n) == ([0, 3, 6, 9, 12], [0, 1, 2, 3, 4], 1)


def test_a_traceback_shows_the_cells_own_lines(attempt: Attempt) -> None:
    done = run(attempt, "def f():\n    return 1 / 0\n\nf()\n", outputs=["x"])
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "cells/cell.py" in lines[1] and "line 4" in lines[1]
    assert "return 1 / 0" in done.stderr
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "aml_supervisor" not in done.stderr
    assert attempt.read("values/outputs.json") is None


def test_a_syntax_error_names_the_line(attempt: Attempt) -> None:
    done = run(attempt, "x = 1\ny = = 2\n")
    assert done.returncode == 1
    assert 'cells/cell.py", line 2' in done.stderr
    assert "aml_supervisor" not in done.stderr


@pytest.mark.parametrize(("ending", "code"), [("", 0), ("None", 0), ("0", 0), ("3", 3), ("'no data'", 1)])
def test_it_ends_as_a_script_ends(attempt: Attempt, ending: str, code: int) -> None:
    done = run(attempt, f"import sys\nx = 1\nsys.exit({ending})", outputs=["x"])
    assert done.returncode == code
    assert ("no data" in done.stderr) == (ending == "'no data'")
    assert (attempt.read("values/outputs.json") is not None) == (code == 0)


def test_a_missing_output_is_named_with_the_nearest_names(attempt: Attempt) -> None:
    done = run(attempt, "modle = 1\nother = 2", outputs=["model", "other"])
    assert done.returncode == 1
    assert "model (did you mean modle?)" in done.stderr
    assert "Traceback" not in done.stderr
    assert attempt.read("values/outputs.json") is None


def test_an_output_that_cannot_be_pickled_is_named(attempt: Attempt, sender: Path) -> None:
    done = run(attempt, "good = 1\nlines = (x for x in range(3))", sender, outputs=["good", "lines"])
    assert done.returncode == 1
    assert "lines, of type generator, cannot be pickled" in done.stderr
    assert list((attempt.control / "values").iterdir()) == []


def test_another_python_is_refused_before_anything_runs(attempt: Attempt) -> None:
    (attempt.work / "cells").mkdir()
    (attempt.work / "cells" / "cell.py").write_text("open('ran', 'w')")
    attempt.file("cell.json", {"script": "cells/cell.py", "inputs": None, "outputs": ["x"], "python": "2.7"})
    command = [sys.executable, str(attempt.bundle.archive), "cell", str(attempt.control)]
    refused = subprocess.run(command, cwd=attempt.work, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "Python 2.7" in refused.stderr and f"Python {VERSION}" in refused.stderr
    assert not (attempt.work / "ran").exists()


def test_values_that_are_not_those_sent_are_refused(attempt: Attempt, sender: Path) -> None:
    values = send(sender, x=1)
    Path(values["inputs"]).write_bytes(cloudpickle.dumps({"x": 2}))
    done = run(attempt, "open('ran', 'w')", sender, **values)
    assert done.returncode == 1
    assert "its hash is another one" in done.stderr
    assert not (attempt.work / "ran").exists()


def test_processes_that_the_cell_spawns_find_its_functions(attempt: Attempt) -> None:
    source = (
        "import multiprocessing\n"
        "def double(x):\n    return 2 * x\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(double, [1, 2]))\n"
    )
    done = run(attempt, source)
    assert (done.returncode, done.stdout) == (0, "[2, 4]\n"), done.stderr


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parent.parent.name)
def test_a_cell_without_values_runs_under_every_python(attempt: Attempt, python: Path) -> None:
    attempt.file("cell.json", {"script": "cell.py", "inputs": None, "outputs": [], "python": "3.0"})
    (attempt.work / "cell.py").write_text(PRINT_VERSION)
    attempt.launch([str(python), str(attempt.bundle.archive), "cell", str(attempt.control)])
    attempt.start().wait(60)
    assert attempt.result()["exit_code"] == 0, attempt.log
    assert attempt.log == subprocess.check_output([python, "-c", PRINT_VERSION], text=True)

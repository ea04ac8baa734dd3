"""The client works on every Python of this machine, with nothing installed and the zip alone."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path

import pytest
from missing_parts import NOTHING_TO_TEST
from supervisor.client.inrun import Attempt

PACKAGE = Path(__file__).resolve().parents[3] / "aml_jupyter" / "supervisor"
PYTHONS = [*sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin/python")), Path("/usr/bin/python3")]

SCRIPT = """
import io, os, sys
from azureml.core import Run
run = Run.get_context()
run.log("loss", 0.5, step=1)
run.log_list("l", [1, float("nan")])
run.log_row("r", a=1)
run.log_table("t", {"a": [1, 2]})
run.tag("k", "v")
run.upload_file("f", io.BytesIO(b"x"))
with run.child_run("c") as child:
    child.log("x", 1)
if os.fork() == 0:
    run.log("forked", 1)
    os._exit(0)
os.wait()
metrics = run.get_metrics()
assert metrics["loss"] == 0.5 and metrics["forked"] == 1 and metrics["t"] == {"a": [1, 2]}, metrics
print(sys.version_info[:2] >= (3, 6), run.get_tags(), run.get_file_names(), run.experiment.name)
os.environ.pop("AML_RUN_ID")
offline = Run.get_context()
offline.log("a", 1)
assert offline.get_metrics() == {"a": 1} and offline.id.startswith("OfflineRun_")
"""


@pytest.mark.parametrize("python", [path for path in PYTHONS if path.exists()], ids=lambda path: path.parts[-3])
def test_every_python(attempt: Attempt, python: Path) -> None:
    out = attempt.run(SCRIPT, str(python), AML_REPLY_SECONDS="0.05")
    assert out == "True {'k': 'v'} ['f'] exp\n"
    assert len(attempt.events()) == 10


def test_python_2_is_not_harmed(attempt: Attempt) -> None:
    pythons = sorted((Path.home() / ".pyenv" / "versions").glob("2.*/bin/python"))
    if not pythons:
        pytest.skip(NOTHING_TO_TEST + "there is no Python 2 on this machine")
    command = [str(pythons[0]), "-c", "print('alive')"]
    done = subprocess.run(
        command, env={**attempt.variables, "HOME": os.environ["HOME"]}, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"alive\n", b"")


def test_the_syntax_is_that_of_python_3_6() -> None:
    files = [
        path for path in PACKAGE.rglob("*.py") if "client" in path.parts or path.name in ("finder.py", "served.py")
    ]
    assert len(files) > 15
    for path in files:
        ast.parse(path.read_text(), feature_version=(3, 6))

"""Importing the room is cheap: nothing that reads YAML is loaded."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import pathlib, re, sys, time, typing  # whoever uses this has them already
import aml_jupyter
before = time.process_time()
import aml_jupyter.config
seconds = time.process_time() - before
heavy = [name for name in ("ruamel.yaml", "yaml", "numpy", "IPython", "inspect", "logging", "difflib") if name in sys.modules]
print(seconds, ",".join(heavy))
"""


def test_the_import_is_cheap_and_leaves_the_yaml_reader_alone() -> None:
    def measure() -> tuple[float, str]:
        answer = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
        seconds, _, heavy = answer.stdout.rstrip("\n").partition(" ")
        return float(seconds), heavy

    best, heavy = min(measure() for _ in range(5))
    assert heavy == ""
    assert best < 0.025

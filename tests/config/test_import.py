"""Importing the room is cheap: nothing that reads YAML is loaded."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import pathlib, re, sys, time, typing  # whoever uses this has them already
import aml_jupyter
before = time.process_time()
import {module}
seconds = time.process_time() - before
heavy = [name for name in ("ruamel.yaml", "yaml", "numpy", "IPython", "inspect", "logging", "difflib") if name in sys.modules]
print(seconds, ",".join(heavy))
"""


def measure(module: str) -> tuple[float, str]:
    """Return the CPU seconds that importing `module` takes in a process of its own, and which heavy modules came along."""
    probe = PROBE.format(module=module)
    answer = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    seconds, _, heavy = answer.stdout.rstrip("\n").partition(" ")
    return float(seconds), heavy


def test_the_import_is_cheap_and_leaves_the_yaml_reader_alone() -> None:
    """It costs what importing asyncio does (0.9 to 1.1 times), measured beside it, since machines differ."""
    pairs = [(measure("aml_jupyter.config"), measure("asyncio")) for _ in range(7)]
    assert {ours[1] for ours, _ in pairs} == {""}
    assert min(ours[0] for ours, _ in pairs) < 1.25 * min(peer[0] for _, peer in pairs)

"""A part that is missing is a skip for a person, and a failure in CI."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = """
import pytest

@pytest.mark.skipif(True, reason="no engine")
def test_marked():
    pass

def test_said():
    pytest.skip("no engine")

@pytest.fixture
def part():
    pytest.importorskip("no_such_module_anywhere")

def test_of_a_fixture(part):
    pass

def test_that_has_nothing_to_do():
    pytest.skip("nothing to test here: it is so")

def test_well():
    pass
"""


@pytest.mark.parametrize(
    ("ci", "wanted"),
    [("", {"passed": 1, "skipped": 4}), ("true", {"failed": 1, "errors": 2, "passed": 1, "skipped": 1})],
)
def test_what_becomes_of_a_skip(ci: str, wanted: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SKIPS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-m", "pytest", "-p", "missing_parts", "-p", "no:cacheprovider", str(tmp_path)]
    variables = {**os.environ, "CI": ci, "PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    counted = {what: int(number) for number, what in re.findall(r"(\d+) (passed|skipped|failed|errors)", done.stdout)}
    assert counted == wanted, done.stdout
    if ci:
        assert "With CI=true nothing may be missing. Skipped: no engine" in done.stdout

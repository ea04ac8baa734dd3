"""What a person waits for before `aml` does anything: `make bench` times it, and here is what keeps it short."""

from __future__ import annotations

import subprocess
import sys


def test_the_help_imports_little() -> None:
    """Each of these takes several of the 100 ms that `aml --help` has."""
    program = (
        "import sys; sys.argv = ['aml', '--help']; from aml_jupyter.cli.main import entry; entry(); "
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "aml submit train.py" in done.stdout
    heavy = {"asyncio", "dataclasses", "inspect", "logging", "sqlite3", "subprocess", "uuid", "yaml"}
    assert not heavy & set(done.stderr.split())

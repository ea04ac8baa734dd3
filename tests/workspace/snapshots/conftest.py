"""Give snapshot tests a source directory, and a way to run code without root's rights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from source_folders import write_files


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    write_files(path, {"train.py": b"print('hello')\n", "src/model.py": b"x = 1\n", "data/a.csv": b"1,2\n"})
    return path


_PREAMBLE = """
import json, os, sys
from pathlib import Path
from aml_jupyter.errors import AmlError
from aml_jupyter.workspace import WorkspaceFolder, diff_snapshots, materialise, preview_snapshot, read_blob, read_tree
from aml_jupyter.workspace import take_snapshot

place = Path(sys.argv[1])
if os.geteuid() == 0:
    # the interpreter may lie in root's home: load all that is needed, then give the rights away for good
    warm = WorkspaceFolder.open(place / "warm" / "ws", create=True)
    (place / "warm" / "project").mkdir()
    (place / "warm" / "project" / "a.py").write_text("")
    materialise(warm, take_snapshot(warm, place / "warm" / "project").id, place / "warm" / "out")
    try:
        take_snapshot(warm, place / "warm" / "absent")
    except AmlError:
        pass
    diff_snapshots(warm, "0" * 64, "0" * 64)
    warm.close()
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
source = place / "project"
folder = WorkspaceFolder.open(place / "ws", create=True)
"""


@pytest.fixture
def unprivileged() -> Iterator[Callable[[str], Any]]:
    """Give a function that runs code as a user whom rights apply to, and returns what the code calls `result`."""
    place = Path(tempfile.mkdtemp(prefix="aml-t-", dir="/tmp"))
    if os.geteuid() == 0:
        os.chown(place, 65534, 65534)

    def run(code: str) -> Any:
        program = f"{_PREAMBLE}\n{code}\nprint(json.dumps(result))"
        environment = {**os.environ, "AML_USER_DATA": str(place / "data"), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", program, str(place)], capture_output=True, text=True, cwd=place, env=environment
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    yield run
    subprocess.run(["chmod", "-R", "u+rwX", place], check=True)  # what a test made unreadable
    shutil.rmtree(place)

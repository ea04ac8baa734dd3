"""A snapshot that is killed at any point leaves nothing half-done, and the next one goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from source_folders import content_of, write_files

from aml_jupyter.workspace import WorkspaceFolder, materialise, take_snapshot
from aml_jupyter.workspace.snapshots import verify_content

pytestmark = pytest.mark.faults

PACKAGE = Path(__file__).resolve().parents[3] / "aml_jupyter" / "workspace" / "snapshots"
# Those of collect.py are killed by the scenario "collect" of tests/faults: no snapshot comes to them.
MODULES = [path for path in PACKAGE.glob("*.py") if path.name != "collect.py"]
POINTS = sorted({name for path in MODULES for name in re.findall(r'"(snapshot\.\w+)"', path.read_text())})

_RUN = """
import sys
from contextlib import suppress
from aml_jupyter.errors import AmlError
from aml_jupyter.workspace import WorkspaceFolder, materialise, take_snapshot
folder = WorkspaceFolder.open(sys.argv[1])
with suppress(AmlError):
    take_snapshot(folder, sys.argv[2], overlay={"train.py/in_the_way": b""})
snapshot = take_snapshot(folder, sys.argv[2], overlay={"cell.py": b"1"})
materialise(folder, snapshot.id, sys.argv[3])
print(snapshot.id)
"""


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_once(folder: WorkspaceFolder, source: Path, tmp_path: Path, point: str, side: str) -> None:
    write_files(source, {"big.bin": os.urandom(5 << 20)})
    (source / "link").symlink_to("train.py")
    known = take_snapshot(folder, source.parent / "project" / "src")
    work = tmp_path / "r" / "work"
    write_files(tmp_path / "r", {".aml-work-left.tmp/half": b""})
    write_files(folder.layout.content / "tmp", {"pack-left.tmp": b"half"})
    token = tmp_path / "token"
    token.touch()
    fault = {"AML_FAULT_POINT": point, "AML_FAULT_SIDE": side, "AML_FAULT_TOKEN": str(token)}
    arguments = [sys.executable, "-c", _RUN, folder.root, source, work]
    killed = subprocess.run(arguments, env={**os.environ, **fault}, capture_output=True, text=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not token.exists()

    assert not work.exists() or content_of(work) == {**content_of(source), "cell.py": b"1"}
    assert verify_content(folder) == []
    materialise(folder, known.id, tmp_path / "known")

    again = subprocess.run(arguments, env={**os.environ, **fault}, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0, again.stderr
    assert content_of(work) == {**content_of(source), "cell.py": b"1"}
    assert os.listdir(work.parent) == ["work"]
    assert os.listdir(folder.layout.content / "tmp") == []
    assert verify_content(folder) == []
    assert take_snapshot(folder, source, overlay={"cell.py": b"1"}).id == again.stdout.strip()


def test_every_point_of_the_package_is_killed() -> None:
    assert {"snapshot.sync_pack", "snapshot.rename_pack", "snapshot.sync_folder", "snapshot.materialise"} <= set(POINTS)

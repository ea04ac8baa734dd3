"""An environment is built on a far machine by one builder at a time, and what was before it does not count."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from support import until

from aml_jupyter.supervisor import far_build

PROGRAM = "import sys; from aml_jupyter.supervisor.far_build import build; build(sys.argv[1])"


def recipe(folder: Path, python: str, *requirements: str) -> None:
    """Ask for packages that are here, linked, and those that pip is to install with the environment's `python`."""
    asked: dict[str, Any] = {"specs": ["one"], "options": [], "requirements": [*requirements], "constraints": []}
    (folder / "recipe.json").write_text(json.dumps({"asked": asked}))
    (folder / "linked/bin").mkdir(parents=True)
    (folder / "linked/bin/python").write_text(python)
    (folder / "linked/bin/python").chmod(0o755)


def test_a_build_that_goes_well_takes_back_that_one_before_failed(tmp_path: Path) -> None:
    (tmp_path / "FAILED.json").write_text('{"message": "an older one"}')
    recipe(tmp_path, "#!/bin/sh\n")
    assert far_build.build(str(tmp_path)) == 0
    assert json.loads((tmp_path / "READY.json").read_text())["python"] == str(tmp_path / "env/bin/python")
    assert not (tmp_path / "FAILED.json").exists()


def test_nobody_builds_again_while_what_a_killed_builder_started_may_still_write(tmp_path: Path) -> None:
    recipe(tmp_path, f"#!/bin/sh\necho $$ > {tmp_path}/begun\nexec sleep 600\n", "tiny")
    builder = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)])
    begun = tmp_path / "begun"
    until(lambda: begun.exists() and begun.read_text().strip(), message="pip")
    builder.kill()
    builder.wait()
    assert far_build.is_building(str(tmp_path))
    assert far_build.build(str(tmp_path)) == 0  # it leaves that to the other one
    os.kill(int(begun.read_text()), signal.SIGKILL)
    until(lambda: not far_build.is_building(str(tmp_path)), message="that its lock is free")

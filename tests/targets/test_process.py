"""Slots of this machine are taken before a start, and free again when it fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aml_jupyter.supervisor.nurse import NurseError
from aml_jupyter.targets import Handle, Needs
from aml_jupyter.targets.process import ProcessTarget
from aml_jupyter.transports.this_machine import ThisMachine
from aml_jupyter.workspace import WorkspaceFolder, get_target

HANDLE = Handle("local", "digits_1_aaaaaaaa", 1)


def _target(folder: WorkspaceFolder, runtime: Path) -> ProcessTarget:
    return ProcessTarget(folder, get_target(folder.store.read(), "local"), ThisMachine(runtime))


def test_a_start_that_fails_gives_its_slots_back(folder: WorkspaceFolder, tmp_path: Path) -> None:
    runtime = tmp_path / ("x" * 100)  # a socket's path cannot be that long
    runtime.mkdir()
    target = _target(folder, runtime)
    assert target.reserve(HANDLE, Needs(cores=1)) is None
    assert target.capacity().free == target.capacity().total - 1
    with pytest.raises(NurseError, match="too long for a socket"):
        target.start(HANDLE)
    assert target.capacity().free == target.capacity().total


def test_slots_that_cannot_be_written_are_waited_for(folder: WorkspaceFolder) -> None:
    runtime = Path(os.environ["AML_RUNTIME"])
    (runtime / "slots").write_text("a file where the folder should be")
    target = _target(folder, runtime)
    assert f"the slots in {runtime / 'slots'} can be written" in str(target.reserve(HANDLE, Needs(cores=1)))
    (runtime / "slots").unlink()
    assert target.reserve(HANDLE, Needs(cores=1)) is None
    target.release(HANDLE)

"""Give fault tests a world of their own, and what only root can have: mounts, another boot id, another clock."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian_packages import need_packages
from faults.world import World
from support import sized_disk

from aml_jupyter.workspace import WorkspaceFolder


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        made.linger = "20"
        yield made


@pytest.fixture
def folder(world: World) -> Iterator[WorkspaceFolder]:
    opened = WorkspaceFolder.open(world.root, create=True)
    yield opened
    opened.close()


@pytest.fixture
def as_root() -> None:
    """Skip where the machine does not give us what the test needs."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody have a mount namespace")


@pytest.fixture
def small_disk(as_root: None, world: World) -> Iterator[Path]:
    """A file system of 4 MB below the world's workspace."""
    with sized_disk(world.root, "4m") as place:
        yield place


@pytest.fixture(scope="session")
def faketime_library() -> str:
    """Debian's libfaketime; installed here when it is missing."""
    if _faketime() is None:
        need_packages(faketime="faketime")
    found = _faketime()
    assert found is not None, "faketime is installed, and its library is not where Debian has it"
    return found


def _faketime() -> str | None:
    return next((str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)

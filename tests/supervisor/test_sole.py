"""One is the only one that does something, and whoever looks whether somebody is keeps nobody from it."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aml_jupyter.supervisor import far_build
from aml_jupyter.supervisor.sole import LOOKS, become, is_somebody


@contextmanager
def _held(path: Path, how: int) -> Iterator[None]:
    with open(path, "a") as stream:
        fcntl.flock(stream, how)
        yield


def test_one_of_two_becomes_the_one_until_it_leaves(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_somebody(str(path))
    first, second = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert not is_somebody(str(path))
    assert become(first)
    assert is_somebody(str(path))
    assert not become(second, 0.02)
    os.close(first)
    assert not is_somebody(str(path))
    assert become(second, 0.02)
    os.close(second)


def test_a_builder_that_is_looked_at_while_it_begins_builds_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps({"asked": {"specs": ["none"]}}))
    codes: list[int] = []
    builder = threading.Thread(target=lambda: codes.append(far_build.build(str(tmp_path))))
    with _held(tmp_path / ".lock", fcntl.LOCK_SH):  # as who looks does, only longer
        builder.start()
        builder.join(LOOKS / 5)
        assert builder.is_alive() and not (tmp_path / "log.txt").exists()
    builder.join(30)
    assert codes == [1] and "the packages are not there" in (tmp_path / "FAILED.json").read_text()


def test_of_two_builders_one_builds(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps({"asked": {"specs": ["none"]}}))
    with _held(tmp_path / ".lock", fcntl.LOCK_EX):
        assert far_build.is_building(str(tmp_path))
        assert far_build.build(str(tmp_path)) == 0
    assert not (tmp_path / "log.txt").exists()

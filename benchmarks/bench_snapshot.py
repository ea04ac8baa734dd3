"""Time snapshots beside `git add` and beside a bare `scandir` + `stat` of the same folder."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from table import Row

from aml_jupyter.workspace import WorkspaceFolder, materialise, take_snapshot

__all__ = ["rows"]

_Result = TypeVar("_Result")
_SETTLE_SECONDS = 0.3
"""Files younger than a clock tick are read again by design; nobody submits that soon after 10,000 writes."""


def rows(tmp: Path) -> list[Row]:
    """Measure first and unchanged snapshots of 10,000 files, unchanged ones of 1,000, and writing 1,000 out."""
    folder = WorkspaceFolder.open(tmp / "snapshots", create=True)
    try:
        return [*_big(folder, tmp), *_usual(folder, tmp)]
    finally:
        folder.close()


def _big(folder: WorkspaceFolder, tmp: Path) -> list[Row]:
    source = _project(tmp / "big", 10_000, 118_000_000)
    first, _ = _timed(lambda: take_snapshot(folder, source, limit_files=0))
    unchanged = _median(lambda: take_snapshot(folder, source), 7)
    bare = _median(lambda: _stat_all(source), 7)
    git_first, git_again = _git_add(source, tmp / "big.git")
    return [
        Row(
            "snapshot, 10,000 files / 118 MB, first",
            f"{first:.2f} s",
            "<= 1.0 s",
            f"git add {git_first:.2f} s",
            first <= 1.0,
        ),
        Row(
            "same, nothing changed",
            f"{unchanged * 1000:.0f} ms",
            "<= 80 ms",
            f"scandir + stat {bare * 1000:.0f} ms, git add {git_again * 1000:.0f} ms",
            _is_within(unchanged, 0.080, bare, 0.030),
        ),
    ]


def _usual(folder: WorkspaceFolder, tmp: Path) -> list[Row]:
    source = _project(tmp / "usual", 1000, 11_800_000)
    snapshot = take_snapshot(folder, source)
    unchanged = _median(lambda: take_snapshot(folder, source), 21)
    numbers = iter(range(1000))
    cell = _median(lambda: take_snapshot(folder, source, overlay={"cell.py": b"print(%d)" % next(numbers)}), 21)
    bare = _median(lambda: _stat_all(source), 21)
    outs = iter(range(1000))
    out = _median(lambda: materialise(folder, snapshot.id, tmp / f"out{next(outs)}"), 3)
    copies = iter(range(1000))
    copy = _median(lambda: subprocess.run(["cp", "-r", source, tmp / f"copy{next(copies)}"], check=True), 3)
    peer = f"scandir + stat {bare * 1000:.1f} ms"
    return [
        Row(
            "snapshot, 1,000 unchanged files",
            f"{unchanged * 1000:.1f} ms",
            "<= 15 ms",
            peer,
            _is_within(unchanged, 0.015, bare, 0.003),
        ),
        Row("same, with a new cell", f"{cell * 1000:.1f} ms", "<= 15 ms", peer, _is_within(cell, 0.015, bare, 0.003)),
        Row(
            "writing 1,000 files out",
            f"{out * 1000:.0f} ms",
            "<= 3x cp -r",
            f"cp -r {copy * 1000:.0f} ms",
            out <= 3 * copy,
        ),
    ]


def _is_within(figure: float, budget: float, peer: float, usual_peer: float) -> bool:
    """Say whether a budget holds; on a slower or busy machine it grows as the peer beside it does."""
    return figure <= budget * max(1.0, peer / usual_peer)


def _project(root: Path, files: int, size: int) -> Path:
    """Write files of random content, a hundred to a folder."""
    chance = random.Random(files)
    for number in range(files):
        path = root / f"part{number // 100:03}" / f"file{number:05}.py"
        if not number % 100:
            path.parent.mkdir(parents=True)
        path.write_bytes(chance.randbytes(size // files))
    time.sleep(_SETTLE_SECONDS)
    return root


def _stat_all(root: Path) -> int:
    """Do the least that any tool must: list and stat everything."""
    stack = [os.fspath(root)]
    count = 0
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    count += 1
    return count


def _git_add(source: Path, repository: Path) -> tuple[float, float]:
    """Time `git add` of the folder into a fresh repository beside it, and again when nothing changed."""
    environment = {**os.environ, "GIT_DIR": str(repository), "GIT_WORK_TREE": str(source)}
    subprocess.run(["git", "init", "-q"], cwd=source, env=environment, check=True)

    def add() -> None:
        subprocess.run(["git", "add", "-A"], cwd=source, env=environment, check=True)

    return _timed(add)[0], _median(add, 3)


def _timed(call: Callable[[], _Result]) -> tuple[float, _Result]:
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def _median(call: Callable[[], object], times: int) -> float:
    """Return the median time in seconds, after one call that does not count."""
    call()
    return statistics.median(_timed(call)[0] for _ in range(times))

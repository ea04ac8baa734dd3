"""What tests of several rooms share: waiting for a condition, reading a run's log, a disk that gets full."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aml_jupyter.supervisor import cgroups
from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["Submit", "can_make_groups", "files_below", "log_of", "sized_disk", "until"]

Submit = Callable[..., RunRecord]


def until(
    condition: Callable[[], object], seconds: float = 20.0, message: str | Callable[[], str] = "the condition"
) -> None:
    """Wait for a condition, with a bound; `message` says what did not come true, or tells how things stand then."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(
                f"{message if isinstance(message, str) else message()} did not come true in {seconds} s"
            )
        time.sleep(0.02)


def files_below(*folders: Path) -> dict[Path, bytes]:
    """Return the content of every plain file; what goes away while we look, as folders of collected runs do, is left out."""
    found = {}
    for folder in folders:
        for where, _, names in os.walk(folder):
            for path in (Path(where, name) for name in names):
                with contextlib.suppress(FileNotFoundError):
                    if path.is_file():
                        found[path] = path.read_bytes()
    return found


def log_of(folder: WorkspaceFolder, run_id: str, attempt: int = 1) -> str:
    """Return what the run has printed so far."""
    path = folder.layout.run(run_id).attempt(attempt).control / "user_logs" / "std_log.txt"
    return path.read_text() if path.exists() else ""


def can_make_groups() -> bool:
    """Tell whether this user can have a memory cgroup for a process."""
    with subprocess.Popen(["sleep", "600"]) as process:
        group = cgroups.make_group(10**8, process.pid)
        process.kill()
    return group is not None and group.remove()


@contextmanager
def sized_disk(place: Path, size: str) -> Iterator[Path]:
    """Have a file system of its own with `size` of room at `place`; skip the test where nobody may mount one."""
    if os.geteuid() != 0:
        pytest.skip("mounting a sized tmpfs needs root")
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)

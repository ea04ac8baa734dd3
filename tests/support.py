"""What tests of several rooms share: waiting for a condition, reading a run's log."""

from __future__ import annotations

import time
from collections.abc import Callable

from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["Submit", "log_of", "until"]

Submit = Callable[..., RunRecord]


def until(condition: Callable[[], object], seconds: float = 20.0, message: str = "the condition") -> None:
    """Wait for a condition, with a bound."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{message} did not come true in {seconds} s"
        time.sleep(0.02)


def log_of(folder: WorkspaceFolder, run_id: str, attempt: int = 1) -> str:
    """Return what the run has printed so far."""
    path = folder.layout.run(run_id).attempt(attempt).control / "user_logs" / "std_log.txt"
    return path.read_text() if path.exists() else ""

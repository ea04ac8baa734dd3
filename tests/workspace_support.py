"""What the workspace's tests share: the types of their fixtures, lines of events files, and the fault that kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aml_jupyter.workspace import RunRecord

__all__ = ["Definition", "NewRun", "as_user", "lines", "run_killed", "run_python"]

Definition = Callable[..., dict[str, Any]]
NewRun = Callable[..., RunRecord]


def lines(*events: dict[str, Any]) -> bytes:
    """Write events as the in-run client does."""
    return b"".join(json.dumps({"t": 100.0 + place, **event}).encode() + b"\n" for place, event in enumerate(events))


def run_python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own; `sys.argv[1:]` are the arguments."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def as_user(user: int, act: Callable[[], str]) -> str:
    """Return what `act` returns in a forked process of another user. What it imports must be imported already."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            text = act()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return text


def run_killed(code: str, point: str, side: str, token: Path, *arguments: object) -> None:
    """Run `code` in a process that is ended by SIGKILL when it comes to a fault point; fail when it does not."""
    token.write_text("")
    done = run_python(code, *arguments, AML_FAULT_POINT=point, AML_FAULT_SIDE=side, AML_FAULT_TOKEN=str(token))
    assert done.returncode == -signal.SIGKILL, f"{point} was not reached: {done.stdout}{done.stderr}"

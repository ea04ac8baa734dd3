"""Make attempts as the service does: a control folder with a launch file, and the real zip to start from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from aml_jupyter.supervisor import bundle

BOUND = 30.0


def wait_for(condition: Callable[[], Any], what: str, bound: float = BOUND) -> Any:
    """Return the first true value of `condition`; fail after `bound` seconds."""
    deadline = time.monotonic() + bound
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {bound} s")


class Attempt:
    """One attempt: its folders, and what its files say."""

    def __init__(self, root: Path, placed: bundle.Bundle, number: int) -> None:
        self.root = root
        self.bundle = placed
        self.control = root / "control"
        self.work = root / "work"
        self.ledger = root / "ledger.txt"
        self.token = f"workspace/run-{os.getpid()}-{root.parent.name}/{number}"
        self.control.mkdir(parents=True)
        self.work.mkdir()
        self.supervisors: list[subprocess.Popen[bytes]] = []

    def launch(self, command: Sequence[str], **changes: Any) -> None:
        value = {
            "format": 1,
            "epoch": 1,
            "token": self.token,
            "run_id": "run",
            "attempt": 1,
            "command": list(command),
            "cwd": str(self.work),
            "environment": {"PATH": os.environ["PATH"], "LEDGER": str(self.ledger), "PYTHONUNBUFFERED": "1"},
            "max_seconds": None,
            "grace_seconds": 1,
            "wake": None,
        }
        value.update(changes)
        (self.control / "launch.json").write_text(json.dumps(value))

    def python(self, source: str, **changes: Any) -> None:
        """Launch a script that first adds a line to the ledger."""
        ledger = "import os\nwith open(os.environ['LEDGER'], 'a') as f:\n    f.write('%d\\n' % os.getpid())\n"
        (self.work / "script.py").write_text(ledger + source)
        self.launch([sys.executable, "script.py"], **changes)

    def start(
        self, fds: Sequence[int] = (), python: str = sys.executable, prefix: Sequence[str] = (), **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start a supervisor of this attempt."""
        command = [*prefix, python, "-I", "-S", str(self.bundle.archive), "supervise", str(self.control)]
        process = subprocess.Popen(
            [*command, *map(str, fds)],
            pass_fds=fds,
            env={**os.environ, **environment},
            cwd="/",
            stdin=subprocess.DEVNULL,
        )
        self.supervisors.append(process)
        return process

    def read(self, name: str) -> dict[str, Any] | None:
        try:
            value: dict[str, Any] = json.loads((self.control / name).read_text())
        except FileNotFoundError:
            return None
        return value

    def result(self, bound: float = BOUND) -> dict[str, Any]:
        value: dict[str, Any] = wait_for(lambda: self.read("result.json"), f"result of {self.root}", bound)
        return value

    def started(self) -> dict[str, Any]:
        """Wait until the script has added its line."""
        wait_for(lambda: self.ran(), "the script's start")
        attempt = self.read("attempt.json")
        assert attempt is not None
        return attempt

    def ran(self) -> int:
        """Return how often the script was started."""
        return len(self.ledger.read_text().splitlines()) if self.ledger.exists() else 0

    @property
    def log(self) -> str:
        return (self.control / "user_logs" / "std_log.txt").read_text()

    @property
    def words(self) -> str:
        path = self.control / "supervisor_log.txt"
        return path.read_text() if path.exists() else ""

    def file(self, name: str, content: dict[str, Any]) -> None:
        temporary = self.control / f".{name}.part"
        temporary.write_text(json.dumps(content))
        temporary.rename(self.control / name)

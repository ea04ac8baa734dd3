"""Start processes inside a run as the supervisor would, and answer what they ask as the service would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aml_jupyter.supervisor import bundle, durable, protocol

__all__ = ["Answer", "Attempt", "Responder", "record"]


class Attempt:
    """An attempt's folder, and processes that run in it as the supervisor would start them."""

    def __init__(self, folder: Path, placed: bundle.Bundle) -> None:
        self.control = folder / protocol.CONTROL
        self.work = folder / protocol.WORK
        self.placed = placed
        for path in (self.control / protocol.EVENTS, self.work):
            path.mkdir(parents=True)
        self.variables = {
            "AML_RUN_ID": "exp_1_abcdef12",
            "AML_EXPERIMENT": "exp",
            "AML_CONTROL": str(self.control),
            "AML_BUNDLE": str(placed.archive),
            "AML_REPLY_SECONDS": "10",
            "PYTHONPATH": str(placed.site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.environ["PATH"],
        }

    def start(self, text: str, python: str = sys.executable, **variables: str) -> subprocess.Popen[str]:
        """Start a script inside the run; the caller waits for it."""
        script = self.work / "script.py"
        script.write_text(textwrap.dedent(text))
        return subprocess.Popen(
            [python, str(script)],
            cwd=self.work,
            env={**self.variables, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, text: str, python: str = sys.executable, **variables: str) -> str:
        """Run a script inside the run, and return what it printed."""
        process = self.start(text, python, **variables)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        self.stderr = err
        return out

    def events(self) -> list[dict[str, Any]]:
        """Return all events, as the service reads them: by file, in the order of the lines."""
        found = []
        for name in protocol.events_files(str(self.control)):
            lines, _ = protocol.whole_lines((self.control / protocol.EVENTS / name).read_bytes())
            found += [json.loads(line) for line in lines]
        return found

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of one kind."""
        return [event for event in self.events() if event["e"] == kind]


Answer = Callable[[dict[str, Any]], Any]


class Responder:
    """Answer requests by the protocol, in a thread; what the answer raises becomes a refusal."""

    def __init__(self, control: Path, answers: dict[str, Answer]) -> None:
        self.control = control
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._stop = threading.Event()
        for name in (protocol.REQUESTS, protocol.REPLIES):
            (control / name).mkdir(exist_ok=True)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.wait(0.005):
            for path in sorted((self.control / protocol.REQUESTS).glob("[!.]*.json")):
                reply = self.control / protocol.REPLIES / path.name
                request = protocol.read_json(str(path))
                if request is not None and not reply.exists():
                    self._answer(request, reply)

    def _answer(self, request: dict[str, Any], reply: Path) -> None:
        op, args = request["op"], request["args"]
        self.asked.append((op, args))
        try:
            content = {"ok": True, "value": self.answers[op](args)}
        except Exception as error:
            content = {"ok": False, "error": {"type": type(error).__name__, "message": str(error)}}
        durable.write_json(reply, content)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def record(**fields: Any) -> dict[str, Any]:
    """Return a RUN of the protocol."""
    base: dict[str, Any] = {
        "id": "exp_1_abcdef12",
        "parent": None,
        "experiment": "exp",
        "number": 7,
        "display_name": "first try",
        "type": "azureml.scriptrun",
        "status": "Running",
        "target": "local",
        "attempt": 1,
        "exit_code": None,
        "tags": {},
        "properties": {},
        "created": 1700000000.0,
        "start_time": 1700000001.5,
        "end_time": None,
        "error": None,
        "definition": {"script": "train.py"},
    }
    return {**base, **fields}

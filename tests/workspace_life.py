"""Do with a workspace what the service, the supervisor and a user do, files included."""

from __future__ import annotations

import json
from typing import Any

from workspace_support import Definition, lines

from aml_jupyter.supervisor.durable import write_json
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    get_run,
    index_files,
    ingest_events,
    insert_run,
    new_attempt,
    take_epoch,
    transition,
    update_attempt,
    update_run,
)
from aml_jupyter.workspace.outcome import failure, outcome

__all__ = ["Life"]


class Life:
    """Do with a workspace what the service, the supervisor and a user do, files included."""

    def __init__(self, folder: WorkspaceFolder, definition: Definition) -> None:
        self.folder = folder
        self.definition = definition
        self.clock = 1_700_000_000.0
        with folder.store.transaction() as tx:
            self.epoch = take_epoch(tx, {"pid": 1})

    def tick(self) -> float:
        self.clock += 1
        return self.clock

    def submit(self, experiment: str = "digits", **changes: Any) -> RunRecord:
        definition = self.definition(experiment, **{"created": self.tick(), **changes})
        place = self.folder.layout.run(definition["id"])
        place.path.mkdir(parents=True)
        write_json(place.definition, definition)
        with self.folder.store.transaction() as tx:
            insert_run(tx, definition)
            update_run(tx, definition["id"], queued=definition["created"])
            return get_run(tx, definition["id"])

    def start(self, run: RunRecord) -> int:
        began = self.tick()
        with self.folder.store.transaction() as tx:
            number = get_run(tx, run.id).attempt + 1
            handle = {"target": run.target, "run_id": run.id, "attempt": number}
            new_attempt(tx, run.id, self.epoch, handle)
            transition(tx, run.id, "Preparing", "")
            transition(tx, run.id, "Starting", "")
            transition(tx, run.id, "Running", "", started=began)
            update_attempt(tx, run.id, number, started=began, node="here")
        control = self.folder.layout.run(run.id).attempt(number).control
        (control / "events").mkdir(parents=True)
        attempt = {"format": 1, "epoch": self.epoch, "host": "here", "process": {"pid": 5}, "started": began}
        write_json(control / "attempt.json", attempt)
        return number

    def log(self, run: RunRecord, number: int, *events: dict[str, Any]) -> None:
        path = self.folder.layout.run(run.id).attempt(number).control / "events" / "7.jsonl"
        before = path.stat().st_size if path.exists() else 0
        data = lines(*({"t": self.tick(), **event} for event in events))
        with open(path, "ab") as stream:
            stream.write(data)
        ingest_events(self.folder.store, run.id, number, "7.jsonl", before, data)

    def write(self, run: RunRecord, number: int, name: str, text: str) -> None:
        path = self.folder.layout.run(run.id).attempt(number).path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def end(self, run: RunRecord, number: int, **facts: Any) -> None:
        place = self.folder.layout.run(run.id).attempt(number)
        started = json.loads((place.control / "attempt.json").read_text())["started"]
        result = {
            "reason": "exit",
            "exit_code": 0,
            "signal": None,
            "message": "",
            "started": started,
            "ended": self.tick(),
        }
        result |= {"peak_memory": 1024, "cpu_time": 0.5, **facts}
        write_json(place.control / "result.json", result)
        index_files(self.folder, run.id, number)
        after, reason = outcome(result)
        fields = {name: result[name] for name in ("exit_code", "signal", "reason", "peak_memory", "cpu_time", "ended")}
        with self.folder.store.transaction() as tx:
            update_attempt(tx, run.id, number, **fields)
            transition(tx, run.id, "Finalizing", "")
            if after == "Failed" and number <= run.max_retries:
                transition(
                    tx, run.id, "Queued", f"attempt {number} of {run.max_retries + 1} ended: {reason}; trying again"
                )
                return
            error = failure(place, result, reason, get_run(tx, run.id).error) if after == "Failed" else None
            transition(tx, run.id, after, reason, ended=result["ended"], exit_code=result["exit_code"], error=error)

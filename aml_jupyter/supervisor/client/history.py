"""Fold events into what run history would answer: used by the offline run, and where no service answers."""

import json
import os
from typing import Any, Dict, List, Optional

from .. import protocol
from ..shapes import columns_of, series_of, single

__all__ = ["History", "RunHistory", "read_history"]


class RunHistory:
    """Hold what one run has said about itself."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.parent: Optional[str] = None
        self.display_name: Optional[str] = None
        self.status = "Running"
        self.tags: Dict[str, str] = {}
        self.properties: Dict[str, str] = {}
        self.files: List[str] = []
        self.children: List[str] = []
        self.errors: List[str] = []
        self.progress: Optional[Dict[str, Any]] = None
        self._vectors: Dict[str, List[Any]] = {}
        self._tables: Dict[str, List[Dict[str, Any]]] = {}
        self._artifacts: Dict[str, List[Any]] = {}

    def metrics(self, name: Optional[str] = None) -> Dict[str, Any]:
        """Return metrics in SDK v1's shape: a single value as a scalar, several as a list, a table as its columns."""
        found: Dict[str, Any] = {}
        for key, values in self._vectors.items():
            found[key] = single(series_of(values))
        for key, pieces in self._tables.items():
            found[key] = columns_of(pieces)
        for key, names in self._artifacts.items():
            found[key] = single(["aml://artifactId/ExperimentRun/dcid.%s/%s" % (self.run_id, item) for item in names])
        if name is None:
            return found
        return {name: found[name]} if name in found else {}

    def add(self, event: Dict[str, Any]) -> None:
        """Take in one event of this run (child runs excepted)."""
        kind = event["e"]
        if kind == "metric":
            self._vectors.setdefault(event["n"], []).append(event["v"])
        elif kind == "list":
            self._vectors.setdefault(event["n"], []).extend(event["v"])
        elif kind in ("row", "table"):
            self._tables.setdefault(event["n"], []).append(event["v"])
        elif kind in ("image", "chart"):
            self._artifacts.setdefault(event["n"], []).append(event["a"])
        elif kind == "tag":
            self.tags.pop(event["k"], None)
            if event["v"] is not None:
                self.tags[event["k"]] = event["v"]
        elif kind == "property":
            self.properties.setdefault(event["k"], event["v"])
        elif kind == "artifact":
            if event["n"] not in self.files:
                self.files.append(event["n"])
        elif kind == "error":
            self.errors.append(event["m"])
        elif kind == "name":
            self.display_name = event["v"]
        elif kind == "progress":
            self.progress = {"done": event["v"], "total": event.get("of"), "unit": event.get("u", "")}


class History:
    """Hold what a run and its in-process children have said."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.runs: Dict[str, RunHistory] = {run_id: RunHistory(run_id)}

    def of(self, run_id: Optional[str]) -> RunHistory:
        """Return the part of `run_id` (None: the main run), an empty one where nothing was said."""
        key = run_id or self.run_id
        if key not in self.runs:
            self.runs[key] = RunHistory(key)
        return self.runs[key]

    def add(self, event: Dict[str, Any]) -> None:
        """Take in one event."""
        run = self.of(event.get("r"))
        if event["e"] != "child":
            run.add(event)
            return
        child = self.of(event["id"])
        if event["op"] == "start":
            child.parent = run.run_id
            child.display_name = event.get("n")
            if child.run_id not in run.children:
                run.children.append(child.run_id)
        else:
            child.status = event.get("status", "Completed")

    def subtree(self, run_id: str) -> List[str]:
        """Return `run_id` and the ids of all its in-process descendants."""
        found = [run_id]
        for child in self.of(run_id).children:
            found.extend(self.subtree(child))
        return found


def read_history(control: str, run_id: str) -> History:
    """Return what every process of the attempt has written so far to its events files."""
    events = []
    for name in protocol.events_files(control):
        with open(os.path.join(control, protocol.EVENTS, name), "rb") as stream:
            lines, _ = protocol.whole_lines(stream.read())
        for line in lines:
            try:
                event = json.loads(line.decode("utf-8"))
            except ValueError:
                continue  # a line that a full disk tore; it was written again, whole, after it
            if isinstance(event, dict) and "e" in event:
                events.append(event)
    history = History(run_id)
    for event in sorted(events, key=_time_of):
        history.add(event)
    return history


def _time_of(event: Dict[str, Any]) -> float:
    return float(event.get("t", 0.0))

"""Write what events say into the rows of the run that said it, or of the runs inside its process."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, Final

from aml_jupyter.errors import AmlError
from aml_jupyter.supervisor import protocol

from .events import record_event
from .labels import add_properties, set_tags
from .records import RunRecord
from .runs import end_inner_runs, find_run, get_run, insert_run, transition, update_run
from .series import NewPoints, add_points, add_row, is_number
from .states import FINAL, RUN_TRANSITIONS

__all__ = ["apply_events", "start_child"]

_TOLD: Final = 100
"""How many names of metrics an event of the stream carries at the most."""

_SCALARS: Final = (float, int, str, bool, type(None))


class WrongEvent(ValueError):
    """Say what is wrong with one event; the others are taken."""


def apply_events(tx: sqlite3.Connection, run_id: str, attempt: int, events: list[dict[str, Any]]) -> list[str]:
    """Take in a batch of events of one attempt.

    Parameters
    ----------
    tx : sqlite3.Connection
        The open transaction.
    run_id : str
        The run whose process wrote them.
    attempt : int
        Which of its attempts.
    events : list of dict
        See `aml_jupyter.supervisor.protocol`.

    Returns
    -------
    list of str
        A phrase for each event that could not be taken.

    Raises
    ------
    UserErrorException
        When there is no such run.
    """
    return _Batch(tx, get_run(tx, run_id), attempt).take(events)


def start_child(
    tx: sqlite3.Connection,
    run: RunRecord,
    attempt: int,
    child: str,
    parent: str,
    name: str | None,
    at: float,
    number: int | None = None,
) -> None:
    """Add a run that lives inside the process of `run`, below `parent`: that run, or another one of its process."""
    definition = {
        "format": 1,
        "id": child,
        "experiment": run.experiment,
        "parent": parent,
        "display_name": name,
        "kind": run.kind,
        "target": run.target,
        "created": at,
        "attempt": attempt,
        "hidden": run.hidden,
    }
    reason = "started inside its parent's process"
    insert_run(tx, definition, status="Running", reason=reason, in_process=True, number=number)
    tx.execute("UPDATE transitions SET time = ? WHERE run = ?", (at, child))
    record_event(tx, "run.child", parent, {"child": child})


class _Batch:
    """Take in one batch of events."""

    def __init__(self, tx: sqlite3.Connection, run: RunRecord, attempt: int) -> None:
        self.tx = tx
        self.run = run
        self.attempt = attempt
        self.owners: dict[str | None, str] = {None: run.id, run.id: run.id}
        self.series: dict[tuple[str | None, str], NewPoints] = {}
        self.progress: dict[str, dict[str, Any]] = {}
        self.told: dict[str, dict[str, None]] = {}
        self.wrong: list[str] = []
        self.handlers: dict[str, Callable[[str, dict[str, Any]], None]] = {
            "row": self._table,
            "table": self._table,
            "image": self._file_metric,
            "chart": self._file_metric,
            "tag": self._tag,
            "property": self._property,
            "artifact": self._artifact,
            "child": self._child,
            "progress": self._progress,
            "error": self._error,
            "name": self._name,
        }

    def take(self, events: list[dict[str, Any]]) -> list[str]:
        """Take every event; return what was wrong."""
        series = self.series
        for event in events:
            try:
                kind = event["e"]
                if kind == "metric":  # the short way, for hundreds of thousands of points
                    key = (event.get("r"), event["n"])
                    value, at = event["v"], event["t"]
                    points = series.get(key)
                    if points is None:
                        points = series[key] = NewPoints()
                    points.values.append(value)
                    points.times.append(at)
                    points.steps.append(event.get("s"))
                elif kind == "list":
                    self._list(event)
                else:
                    self.handlers[kind](self._owner(event.get("r")), event)
            except (KeyError, TypeError, ValueError, OverflowError, AmlError) as error:
                self.wrong.append(_phrase(event, error))
        for key in list(series):
            self._write_series(*key)
        for run_id, progress in self.progress.items():
            update_run(self.tx, run_id, progress=progress)
        for run_id, names in self.told.items():
            record_event(self.tx, "run.metric", run_id, {"names": list(names)[:_TOLD]})
        if self.run.status in FINAL:
            end_inner_runs(self.tx, self.run, self.run.status)
        return self.wrong

    def _write_series(self, who: Any, name: Any) -> None:
        """Write the points of one metric that were gathered so far."""
        points = self.series.pop((who, name), None)
        if points is None:
            return
        try:
            owner = self._owner(who)
            if not isinstance(name, str):
                raise WrongEvent(f"a metric's name is a string, not {name!r}")
            _mend(points)
            if not points.values:
                raise WrongEvent(f"metric {name!r} has no value that can be kept")
            name = _clean(name)
            add_points(self.tx, owner, self.attempt, name, points)
        except (ValueError, AmlError) as error:
            self.wrong.append(str(error))
        else:
            self.told.setdefault(owner, {})[name] = None

    def _owner(self, who: Any) -> str:
        """Return the run that an event belongs to; one that was not heard of yet is made.

        A process may write about a child run before the line of the process that started it is read.
        """
        if who in self.owners:
            return self.owners[who]
        if not isinstance(who, str):
            raise WrongEvent(f"a run's id is a string, not {who!r}")
        found = find_run(self.tx, who)
        if found is None:
            start_child(self.tx, self.run, self.attempt, who, self.run.id, None, time.time())
        elif not self._is_inner(found):
            raise WrongEvent(f"run {who} does not live in this process")
        self.owners[who] = who
        return who

    def _is_inner(self, run: RunRecord) -> bool:
        while run.in_process and run.parent:
            if run.parent == self.run.id:
                return True
            above = find_run(self.tx, run.parent)
            if above is None:
                return False
            run = above
        return False

    def _child(self, owner: str, event: dict[str, Any]) -> None:
        child = event["id"]
        if not isinstance(child, str) or event["op"] not in ("start", "end"):
            raise WrongEvent("a child event has an id and op start or end")
        if event["op"] == "start":
            name = _clean(str(event["n"])) if event.get("n") else None
            found = find_run(self.tx, child)
            if found is None:
                start_child(self.tx, self.run, self.attempt, child, owner, name, _time(event))
            elif not self._is_inner(found):
                raise WrongEvent(f"run {child} does not live in this process")
            else:
                self.tx.execute("UPDATE runs SET parent = ? WHERE id = ?", (owner, child))
                if name:
                    update_run(self.tx, child, display_name=name)
            self.owners[child] = child
            return
        status = event.get("status") or "Completed"
        run = get_run(self.tx, self._owner(child))
        if status in FINAL and status in RUN_TRANSITIONS[run.status]:
            transition(self.tx, child, status, "ended by the script", at=_time(event))

    def _list(self, event: dict[str, Any]) -> None:
        values = event["v"]
        if not isinstance(values, list):
            raise WrongEvent("a list event has a list")
        if not values:
            return
        points = self.series.setdefault((event.get("r"), event["n"]), NewPoints())
        points.kind = "list"
        points.values.extend(values)
        points.times.extend([event["t"]] * len(values))
        points.steps.extend([None] * len(values))

    def _table(self, owner: str, event: dict[str, Any]) -> None:
        name, value = _clean(_text(event, "n")), event["v"]
        if not isinstance(value, dict):
            raise WrongEvent(f"a {event['e']} has columns")
        self._write_series(event.get("r"), event["n"])
        add_row(self.tx, owner, self.attempt, name, event["e"], value, _time(event))
        self.told.setdefault(owner, {})[name] = None

    def _file_metric(self, owner: str, event: dict[str, Any]) -> None:
        name = _clean(_text(event, "n"))
        value = {"artifact": _text(event, "a"), "type": str(event.get("type") or event["e"])}
        self._write_series(event.get("r"), event["n"])
        add_row(self.tx, owner, self.attempt, name, event["e"], value, _time(event))
        self.told.setdefault(owner, {})[name] = None

    def _tag(self, owner: str, event: dict[str, Any]) -> None:
        value = None if event["v"] is None else _clean(str(event["v"]))
        set_tags(self.tx, owner, {_clean(_text(event, "k")): value}, at=_time(event))

    def _property(self, owner: str, event: dict[str, Any]) -> None:
        add_properties(self.tx, owner, {_clean(_text(event, "k")): _clean(str(event["v"]))})

    def _artifact(self, owner: str, event: dict[str, Any]) -> None:
        name, place = _clean(_text(event, "n")), PurePosixPath(_text(event, "p"))
        if place.is_absolute() or ".." in place.parts or ".." in PurePosixPath(name).parts or name.startswith("/"):
            raise WrongEvent(f"artifact {name!r} lies outside the run")
        location = f"attempts/{self.attempt}/{protocol.CONTROL}/{protocol.ARTIFACTS}/{_clean(str(place))}"
        self.tx.execute(
            "INSERT OR REPLACE INTO artifacts (run, attempt, name, location, size, modified) VALUES (?, ?, ?, ?, ?, ?)",
            (owner, self.attempt, name, location, _size(event), _time(event)),
        )
        record_event(self.tx, "run.artifact", owner, {"names": [name]})

    def _progress(self, owner: str, event: dict[str, Any]) -> None:
        if owner == self.run.id and self.attempt != self.run.attempt:
            return
        message = event.get("m")
        self.progress[owner] = {
            "done": event["v"],
            "total": event.get("of"),
            "unit": str(event.get("u") or ""),
            "message": None if message is None else str(message),
        }

    def _error(self, owner: str, event: dict[str, Any]) -> None:
        if owner == self.run.id and self.attempt != self.run.attempt:
            return
        error = {"type": str(event.get("type") or "Error"), "message": str(event.get("m") or "")}
        update_run(
            self.tx, owner, error={**error, "trace": str(event.get("trace") or ""), "log_tail": "", "log_path": ""}
        )

    def _name(self, owner: str, event: dict[str, Any]) -> None:
        update_run(self.tx, owner, display_name=_clean(_text(event, "v")))


def _mend(points: NewPoints) -> None:
    """Leave out values that no metric may have, and steps and times that are no numbers."""
    if not set(map(type, points.values)) <= set(_SCALARS):
        kept = [place for place, value in enumerate(points.values) if type(value) in _SCALARS]
        for column in (points.values, points.times, points.steps):
            column[:] = [column[place] for place in kept]
    if set(map(type, points.times)) != {float}:
        points.times = [at if is_number(at) else math.nan for at in points.times]
    if set(map(type, points.steps)) != {type(None)}:
        points.steps = [step if is_number(step) else None for step in points.steps]


def _phrase(event: dict[str, Any], error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"event {str(event.get('e'))[:40]!r} is unknown or has no {str(error)[:40]}"
    return f"event {str(event.get('e'))[:40]!r}: {str(error)[:200]}"


def _text(event: dict[str, Any], key: str) -> str:
    value = event[key]
    if not isinstance(value, str) or not value:
        raise WrongEvent(f"{key!r} is a text, not {value!r}")
    return value


def _time(event: dict[str, Any]) -> float:
    value: Any = event.get("t")
    return float(value) if is_number(value) else time.time()


def _size(event: dict[str, Any]) -> int:
    value: Any = event.get("size")
    return int(value) if is_number(value) and value >= 0 else 0


def _clean(text: str) -> str:
    """Return `text` without what UTF-8 cannot say."""
    return text.encode("utf-8", "replace").decode("utf-8")

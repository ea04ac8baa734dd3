"""Own the run view as a widget, for front ends without a Jupyter server of ours: what the view asks, this kernel answers.

What the front end asks is answered when the kernel is free. A thread tells it what has happened, and answers again what
it has asked before, so that the view goes on while a cell runs.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import anywidget
import traitlets

from aml_jupyter.errors import AmlError
from aml_jupyter.service import look_after
from aml_jupyter.workspace import WorkspaceFolder, events_since, get_run, latest_event
from aml_jupyter.workspace.states import FINAL

__all__ = ["RunWidget", "run_widget"]

MODULE: Final = Path(__file__).with_name("static") / "run_view.js"
INTERVAL: Final = 0.5
SMALL_CHART: Final = {"binary": "true", "points": "400"}
"""The query of a chart as an output shows it first (`labextension/src/view/metrics.ts`)."""
REMEMBERED: Final = 60
"""How many questions are answered again when something has happened."""
LOOKS_AFTER_THE_END: Final = 4
UNRESERVED: Final = "!~*'()"
"""What a page leaves as it is in a part of a path, beside letters, digits and ``_.-``."""


@cache
def module_text() -> str:
    """Return the module of the run view; the same for all widgets."""
    return MODULE.read_text("utf-8")


class RunWidget(anywidget.AnyWidget):  # type: ignore[misc]  # untyped to mypy
    """Show one run; `folder` is its workspace."""

    workspace = traitlets.Unicode().tag(sync=True)
    run_id = traitlets.Unicode().tag(sync=True)
    key = traitlets.Unicode().tag(sync=True)
    """By it the front end knows the widget when its output is drawn anew."""

    def __init__(self, folder: WorkspaceFolder, run_id: str) -> None:
        super().__init__(workspace=folder.id, run_id=run_id, key=uuid.uuid4().hex, _esm=module_text())
        self._folder = folder
        self._asked: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._told: dict[str, str] = {}
        self._lock = threading.Lock()
        self._in_turn = threading.Lock()
        """Held from the look at a state until it is sent, so that of two answers the later one is the newer one."""
        self.on_msg(self._on_message)
        threading.Thread(target=self._push, name="aml-run-widget", daemon=True).start()

    def _on_message(self, _: Any, content: Any, __: Any) -> None:
        if not isinstance(content, Mapping) or content.get("type") != "ask":
            return
        question = {name: content.get(name) for name in ("method", "path", "query", "body")}
        with self._in_turn if question["method"] == "GET" else nullcontext():
            status, body = self._answer(question)
            if question["method"] == "GET":
                self._remember(question, body)
            self._tell({"id": content.get("id")}, status, body)

    def _tell(self, which: Mapping[str, Any], status: int, body: Mapping[str, Any]) -> None:
        """Send an answer; its bytes, if it has some, as they are."""
        said = {name: value for name, value in body.items() if name != "binary"}
        buffers = [body["binary"]] if "binary" in body else None
        self.send({"type": "answer", **which, "status": status, "body": said}, buffers)

    def _answer(self, question: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        from .server.kernel import answer_question

        return answer_question(self._folder, question)

    def _remember(self, question: dict[str, Any], body: Mapping[str, Any]) -> None:
        """Note a question for the thread; that for a log goes on where its answer has ended."""
        if question["path"].endswith("/logs") and "next_offset" in body:
            query = {**question["query"], "offset": str(body["next_offset"])}
            query.pop("end", None)
            question = {**question, "query": query}
        key = key_of(question)
        with self._lock:
            self._asked[key] = question
            self._asked.move_to_end(key)
            self._told[key] = _fingerprint(body)
            while len(self._asked) > REMEMBERED:
                self._told.pop(self._asked.popitem(last=False)[0], None)

    def _expect_charts(self, question: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """Answer for the charts of new metrics unasked: while the kernel is busy nobody can ask for them."""
        for metric in body.get("metrics", []) if str(question["path"]).endswith("/metrics") else []:
            if metric["kind"] in ("scalar", "list") and metric["count"] > 1:
                path = f"{question['path']}/{quote(metric['name'], safe=UNRESERVED)}"
                chart = {"method": "GET", "path": path, "query": SMALL_CHART, "body": None}
                with self._lock:
                    if len(self._asked) < REMEMBERED:
                        self._asked.setdefault(key_of(chart), chart)

    def _push(self) -> None:
        """Tell what happens until the run has ended; runs in a thread of its own."""
        seen: tuple[int, str] | None = None
        looks = LOOKS_AFTER_THE_END
        pause = threading.Event()
        while looks and self.comm is not None and not pause.wait(INTERVAL):
            try:
                seen = self._tell_events(seen)
                self._tell_again()
                if get_run(self._folder.store.read(), self.run_id).status in FINAL:
                    looks -= 1
                else:
                    look_after(self._folder)
            except (AmlError, sqlite3.Error, OSError):
                continue  # unreadable for a moment
            except Exception as error:  # a closed comm: nobody looks any more
                logging.getLogger(__name__).debug("a run's widget is no longer updated: %s", error)
                return

    def _tell_events(self, seen: tuple[int, str] | None) -> tuple[int, str]:
        db, generation = self._folder.store.read(), self._folder.store.generation
        if seen is None or seen[1] != generation:
            return latest_event(db), generation
        events = events_since(db, seen[0], 500)
        if not events:
            return seen
        rows = [
            {"seq": each.id, "time": each.time, "kind": each.kind, "subject": each.subject, "data": each.data}
            for each in events
        ]
        self.send({"type": "events", "events": rows})
        return events[-1].id, generation

    def _tell_again(self) -> None:
        """Answer what was asked before, where the answer is another one by now."""
        with self._lock:
            asked = list(self._asked.items())
        for key, question in asked:
            with self._in_turn:
                self._tell_one(key, question)

    def _tell_one(self, key: str, question: dict[str, Any]) -> None:
        status, body = self._answer(question)
        self._expect_charts(question, body)
        told = _fingerprint(body)
        with self._lock:
            is_news = status == 200 and key in self._asked and self._told.get(key) != told
            if is_news:
                self._told[key] = told
        if is_news:
            self._tell({"key": key}, status, body)
            if question["path"].endswith("/logs") and body.get("next_offset") != body.get("offset"):
                with self._lock:
                    self._asked.pop(key, None)
                    self._told.pop(key, None)
                self._remember(question, body)


def key_of(question: Mapping[str, Any]) -> str:
    """Return the text by which both sides know a question."""
    query = "&".join(f"{name}={value}" for name, value in sorted(question["query"].items()))
    return f"{question['path']}?{query}"


def run_widget(folder: WorkspaceFolder, run_id: str) -> dict[str, Any]:
    """Return the entry of an output's bundle that shows a run as a widget."""
    widget = RunWidget(folder, run_id)
    bundle: Any = widget._repr_mimebundle_()
    shown = bundle[0] if isinstance(bundle, tuple) else bundle
    return {kind: data for kind, data in (shown or {}).items() if kind.startswith("application/")}


def _fingerprint(body: Mapping[str, Any]) -> str:
    """Return what tells one answer from another; when a run was looked at does not."""
    run = body.get("run")
    told = {name: value for name, value in run.items() if name != "as_of"} if isinstance(run, dict) else run
    return json.dumps({**body, "run": told}, sort_keys=True, default=lambda data: hashlib.sha256(data).hexdigest())

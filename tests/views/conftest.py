"""Workspaces with runs that are written by the workspace's own functions, and a strict reader of HTML."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    get_run,
    index_files,
    ingest_events,
    insert_run,
    new_attempt,
    new_run_id,
    transition,
    update_attempt,
)

VOID = {"img", "br", "hr", "polyline", "polygon", "line"}


class Page(HTMLParser):
    """Read HTML, checking that every element is closed in order, and keep tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.stack == [], f"not closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack and self.stack.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text += data

    def names(self) -> set[str]:
        return {name for name, _ in self.tags}


def read_page(text: str) -> Page:
    """Return what `text` shows, having checked that nothing in it can run and that no style block is needed."""
    page = Page(text)
    assert not page.names() & {"script", "style", "iframe", "object", "link"}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert not any((value or "").strip().lower().startswith("javascript:") for value in attributes.values())
    return page


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[WorkspaceFolder]:
    opened = WorkspaceFolder.open(tmp_path / "workspace", create=True)
    yield opened
    opened.close()


MakeRun = Callable[..., RunRecord]


@pytest.fixture
def make_run(folder: WorkspaceFolder) -> MakeRun:
    """Return a function that writes a run up to a state, with a log, events and outputs."""

    def make(
        status: str = "Running",
        log: bytes = b"",
        events: list[dict[str, Any]] | None = None,
        outputs: dict[str, bytes] | None = None,
        final: dict[str, Any] | None = None,
        **definition: Any,
    ) -> RunRecord:
        run_id = new_run_id("digits")
        with folder.store.transaction() as tx:
            insert_run(tx, {"id": run_id, "experiment": "digits", "kind": "script", "script": "train.py", **definition})
        if status == "Queued":
            return get_run(folder.store.read(), run_id)
        with folder.store.transaction() as tx:
            attempt = new_attempt(tx, run_id, 1, {})
            update_attempt(tx, run_id, attempt.number, node="box-1")
            transition(tx, run_id, "Starting", "")
            transition(tx, run_id, "Running", "")
        place = folder.layout.run(run_id).attempt(1)
        (place.control / "user_logs").mkdir(parents=True)
        (place.control / "user_logs" / "std_log.txt").write_bytes(log)
        for name, data in (outputs or {}).items():
            (place.work / name).parent.mkdir(parents=True, exist_ok=True)
            (place.work / name).write_bytes(data)
        index_files(folder, run_id, 1)
        lines = [json.dumps({"t": 1_700_000_000.0 + number, **event}) for number, event in enumerate(events or ())]
        data = "".join(f"\n{line}\n" for line in lines).encode()
        ingest_events(folder.store, run_id, 1, "1.jsonl", 0, data)
        if status != "Running":
            with folder.store.transaction() as tx:
                transition(tx, run_id, "Finalizing", "")
                transition(tx, run_id, status, "", **(final or {}))
        return get_run(folder.store.read(), run_id)

    return make


def scalars(name: str, values: list[float]) -> list[dict[str, Any]]:
    """Return the events of one metric."""
    return [{"e": "metric", "n": name, "v": value, "s": step} for step, value in enumerate(values)]

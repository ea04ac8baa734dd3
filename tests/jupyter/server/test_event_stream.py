"""The event stream: in order, without gap or repetition, resumable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from aml_jupyter.jupyter.server import events as stream
from aml_jupyter.workspace import WorkspaceFolder, latest_event, record_event

URL = ("aml", "api", "workspaces", "default", "events")


async def _next(socket: Any, kind: str) -> dict[str, Any]:
    while True:
        text = await asyncio.wait_for(socket.read_message(), 10)
        assert text is not None, socket.close_reason
        message: dict[str, Any] = json.loads(text)
        if message["type"] == kind:
            return message


async def _collect(socket: Any, count: int) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while len(events) < count:
        events += (await _next(socket, "events"))["events"]
    return events


@pytest.fixture
def happen(folder: WorkspaceFolder) -> Callable[[int], None]:
    """Return a function that records so many events in one transaction."""

    def record(count: int) -> None:
        with folder.store.transaction() as tx:
            for number in range(count):
                record_event(tx, "run.metric", "some-run", {"number": number})

    return record


async def test_events_arrive_in_order_and_a_client_resumes_where_it_was(
    jp_ws_fetch: Any, jp_serverapp: Any, folder: WorkspaceFolder, happen: Any
) -> None:
    socket = await jp_ws_fetch(*URL)
    hello = await _next(socket, "hello")
    assert (hello["workspace"], hello["generation"]) == (folder.id, folder.store.generation)
    happen(3)
    first = await _collect(socket, 3)
    socket.close()
    happen(1200)
    params = {"since": first[-1]["seq"], "generation": hello["generation"]}
    again = await jp_ws_fetch(*URL, params=params)
    rest = await _collect(again, 1200)
    assert [event["seq"] for event in first + rest] == list(range(hello["seq"] + 1, hello["seq"] + 1204))
    again.close()
    feed = jp_serverapp.web_app.settings["aml"].feeds[folder.id]
    await asyncio.wait_for(_end_of(feed), 10)


async def test_another_generation_a_strange_position_and_a_long_absence_mean_read_again(
    jp_ws_fetch: Any, folder: WorkspaceFolder, happen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "FAR_BEHIND", 50)
    happen(60)
    newest = latest_event(folder.store.read())
    for params in ({"since": 1, "generation": "another"}, {"since": newest + 5}, {"since": 0}):
        socket = await jp_ws_fetch(*URL, params=params)
        reset = await _next(socket, "reset")
        assert (reset["seq"], reset["generation"]) == (newest, folder.store.generation)
        socket.close()


async def test_a_bad_query_is_refused_before_the_upgrade(jp_ws_fetch: Any) -> None:
    from tornado.httpclient import HTTPClientError

    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch(*URL, params={"since": "yesterday"})
    assert refused.value.code == 400


async def _end_of(feed: Any) -> None:
    while feed.is_running:  # the polling thread ends with its last client
        await asyncio.sleep(0.01)

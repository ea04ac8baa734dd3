"""What no client should send, and the API's own description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

FILE = Path(__file__).parents[3] / "docs/openapi.json"


async def _refused(jp_fetch: Any, *path: str, **request: Any) -> tuple[int, Any, Any]:
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("aml", "api", *path, **request)
    answer = caught.value.response
    assert answer is not None
    return caught.value.code, json.loads(answer.body), answer.headers


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"reason": "\xff"}', "not UTF-8"),
        (b"null", "must be a JSON object"),
        (b"[" * 100_000, "too deeply"),
        (b'{"reason": "\\ud800"}', "surrogate"),
        (b'{"reason": 1', "JSON"),
    ],
)
async def test_what_is_no_json_object_is_refused(jp_web_app: Any, jp_fetch: Any, body: bytes, said: str) -> None:
    path = ("workspaces", "default", "compute", "local", "stop")
    status, answer, _ = await _refused(jp_fetch, *path, method="POST", body=body)
    assert status == 400
    assert answer["field"] == "body"
    assert said in answer["message"]


async def test_no_body_is_an_empty_one(jp_web_app: Any, jp_fetch: Any) -> None:
    path = ("workspaces", "default", "compute", "nowhere", "stop")
    status, answer, _ = await _refused(jp_fetch, *path, method="POST", body=b"")
    assert (status, answer["field"]) == (404, "name")


async def test_a_method_that_is_not_there_is_answered_with_those_that_are(jp_web_app: Any, jp_fetch: Any) -> None:
    path = ("workspaces", "default", "compute", "local")
    status, answer, headers = await _refused(jp_fetch, *path, method="PUT", body=b"{}")
    assert status == 405
    assert headers["Allow"] == "GET, PATCH, DELETE"
    assert answer["message"]


async def test_the_stream_of_events_is_no_page(jp_web_app: Any, jp_fetch: Any) -> None:
    status, answer, _ = await _refused(jp_fetch, "workspaces", "default", "events")
    assert status == 400
    assert "WebSocket" in answer["message"]


async def test_the_document_of_the_api_is_served(jp_web_app: Any, jp_fetch: Any, jp_base_url: str) -> None:
    answer = await jp_fetch("aml", "api", "openapi.json")
    assert json.loads(answer.body) == {
        **json.loads(FILE.read_text("utf-8")),
        "servers": [{"url": f"{jp_base_url}aml/api"}],
    }
    status, _, _ = await _refused(jp_fetch, "openapi.json", headers={"Authorization": "token wrong"})
    assert status == 403

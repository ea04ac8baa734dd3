"""Nobody gets in without a token, wherever the server is mounted."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from aml_jupyter.jupyter.server.routes import ROUTES

METHODS = ("GET", "POST", "PATCH", "DELETE")


def _urls() -> list[str]:
    found = []
    for pattern, _ in ROUTES:
        url = pattern.replace("([^/]+)", "default").replace("(.+)", "x").replace(".*", "x")
        url = re.sub(r"\((\w+)(?:\|\w+)+\)", r"\1", url)
        assert "(" not in url
        found.append(url)
    return found


async def test_every_endpoint_refuses_a_request_without_a_token(jp_fetch: Any) -> None:
    for url in _urls():
        for method in METHODS:
            body = "{}" if method in ("POST", "PATCH") else None
            with pytest.raises(HTTPClientError) as refused:
                await jp_fetch(
                    *url.strip("/").split("/"), method=method, body=body, headers={"Authorization": "token no"}
                )
            assert refused.value.code == 403, (method, url)


async def test_the_event_stream_refuses_a_client_without_a_token(jp_ws_fetch: Any) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch("aml", "api", "workspaces", "default", "events", headers={"Authorization": "token no"})
    assert refused.value.code == 403


async def test_the_event_stream_refuses_another_sites_page(jp_fetch: Any, jp_ws_fetch: Any) -> None:
    logged_in = await jp_fetch("api", "me")
    cookies = "; ".join(cookie.split(";")[0] for cookie in logged_in.headers.get_list("Set-Cookie"))
    headers = {"Authorization": "", "Cookie": cookies, "Host": logged_in.effective_url.split("/")[2]}
    own = await jp_ws_fetch("aml", "api", "workspaces", "default", "events", headers=headers)
    own.close()
    await own.read_message()
    with pytest.raises(HTTPClientError) as refused:
        headers["Origin"] = "http://elsewhere.example"
        await jp_ws_fetch("aml", "api", "workspaces", "default", "events", headers=headers)
    assert refused.value.code == 403


async def test_no_endpoint_is_open_by_mistake(jp_serverapp: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jp_serverapp.web_app.add_handlers(".*$", [(pattern, handler) for pattern, handler in ROUTES])


class TestUnderTheHub:
    """A server whose pages lie below ``/user/x/``."""

    @pytest.fixture
    def jp_base_url(self) -> str:
        return "/user/x/"

    async def test_the_api_answers_below_the_base_url(self, api: Any, jp_serverapp: Any, folder: Any) -> None:
        assert jp_serverapp.base_url == "/user/x/"
        code, answer = await api("workspaces/default/runs")
        assert code == 200
        assert answer["workspace"] == folder.id

"""Pages of other origins: what they may read, and what a browser is told before it asks."""

from __future__ import annotations

from typing import Any

import pytest

from shared.settings import SettingsError, read_settings
from shared.web.asgi import Receive, Scope, Send, send_json
from shared.web.cors import WithCors

APP = "https://app.example"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send_json(send, 200, b"{}", [(b"x-request-id", b"r1")])


async def ask(origins: set[str], method: str = "POST", **headers: str) -> tuple[int, dict[str, str]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the body is the app's to read")

    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/", "headers": told}
    await WithCors(hello, frozenset(origins))(scope, receive, send)
    assert sent[-1]["type"] == "http.response.body"
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


async def test_an_allowed_origin_may_read_the_answer_and_its_headers() -> None:
    status, headers = await ask({APP, "https://other.example"}, origin=APP)
    assert (status, headers["access-control-allow-origin"], headers["vary"]) == (200, APP, "origin")
    exposed = set(headers["access-control-expose-headers"].split(", "))
    assert {"x-request-id", "retry-after", "x-should-retry", "x-gateway-cost-usd"} <= exposed
    assert "access-control-allow-credentials" not in headers


async def test_every_origin_may_where_all_are_allowed() -> None:
    _, headers = await ask({"*"}, origin="https://anywhere.example")
    assert headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("origin", ["https://evil.example", "http://app.example", "https://app.example:444", "null"])
async def test_another_origin_may_not(origin: str) -> None:
    status, headers = await ask({APP}, origin=origin)
    assert (status, headers["vary"]) == (200, "origin")
    assert "access-control-allow-origin" not in headers


async def test_a_request_of_no_page_is_left_as_it_is() -> None:
    _, headers = await ask({APP})
    assert not {"vary", "access-control-allow-origin"} & headers.keys()


async def test_a_preflight_is_answered_for_the_app() -> None:
    status, headers = await ask({APP}, "OPTIONS", origin=APP, access_control_request_method="POST")
    assert (status, headers["access-control-allow-origin"]) == (204, APP)
    assert "POST" in headers["access-control-allow-methods"]
    assert {"authorization", "content-type"} <= set(headers["access-control-allow-headers"].split(", "))
    status, headers = await ask({APP}, "OPTIONS", origin="https://evil.example", access_control_request_method="POST")
    assert (status, "access-control-allow-methods" in headers) == (204, False)


@pytest.mark.parametrize("text", ["app.example", "https://app.example/path", "ftp://app.example", "https://"])
def test_what_is_no_origin_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="CORS_ORIGINS"):
        read_settings({"CORS_ORIGINS": text})
    assert read_settings({"CORS_ORIGINS": f"{APP}, *"}).cors_origins == {APP, "*"}

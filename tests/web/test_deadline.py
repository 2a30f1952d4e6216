"""The platform's deadline and the platform's knowledge of failures, from the Runtime API to a backend and back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.protocols.openai_chat.wire import OpenAIChat
from shared.providers.base import Endpoint, Timeouts
from shared.web.app import ClientApp
from shared.web.chat_route import ChatRoute
from shared.web.extensions import DEADLINE, deadline_of
from tests.gateway.pieces import Kept, a_catalog, a_gateway
from tests.lambda_runtime.events import rest_event
from tests.lambda_runtime.fake_api import FakeApi, running
from tests.providers.loopback import Answer, Loopback, loopback

SPOKEN = b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Once"}}]}\n\n'


def asks(*, stream: bool) -> Any:
    body = {"model": "fast", "stream": stream, "messages": [{"role": "user", "content": "a story"}]}
    return rest_event(body=json.dumps(body))


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[tuple[FakeApi, Kept, Loopback]]:
    """A chat function on the runtime's loop, with one backend that gives that answer."""
    async with loopback() as backend:
        backend.on("POST", "/v1/chat/completions", answer)
        kept = Kept()
        catalog = a_catalog(Endpoint(1, "one", "openai", backend.url))
        gateway, client = a_gateway(catalog, kept, timeouts=Timeouts(connect=2, idle=20, total=20))
        route = ChatRoute(OpenAIChat(), lambda: gateway, max_body_bytes=1 << 20)
        async with running(ClientApp(route)) as api:
            yield api, kept, backend
        await client.aclose()


async def test_a_stream_ends_with_the_protocols_timeout_error_before_the_deadline() -> None:
    story = Answer(pieces=(SPOKEN,), content_type="text/event-stream", hold=True)
    async with served(story) as (api, kept, backend):
        posted = await api.invoke(asks(stream=True), seconds=1.5)
        *_, words, error = posted.body.decode().strip().split("\n\n")
        assert "Once" in words
        assert json.loads(error.removeprefix("data: "))["error"]["code"] == "upstream_timeout"
        assert posted.complete
        assert posted.trailers["lambda-runtime-function-error-type"] == "Function.UpstreamTimedOut"
        assert posted.error["errorMessage"] == "the answer broke off: upstream_timeout"
        await api.idle()
        await backend.left.wait()  # the backend was left in peace at once
    assert [(record.outcome, record.status, record.error_code) for record in kept.records] == [
        ("truncated", 504, "upstream_timeout")
    ]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_backend_that_says_nothing_before_the_deadline_is_a_504(stream: bool) -> None:
    async with served(Answer({}, delay_seconds=4)) as (api, kept, _):
        posted = await api.invoke(asks(stream=stream), seconds=2.0)
        assert posted.prelude["statusCode"] == 504
        assert "x-request-id" in posted.prelude["headers"]
        assert json.loads(posted.body)["error"]["code"] == "upstream_timeout"
        assert posted.trailers == {}
    assert [(record.outcome, record.status) for record in kept.records] == [("failed", 504)]


async def test_a_stream_that_breaks_off_has_its_error_frame_and_the_platform_knows() -> None:
    story = Answer(pieces=(SPOKEN,), content_type="text/event-stream", cut=True)
    async with served(story) as (api, kept, _):
        posted = await api.invoke(asks(stream=True))
        assert b'"code":"upstream_cut"' in posted.body
        assert posted.trailers["lambda-runtime-function-error-type"] == "Function.UpstreamCut"
    assert [record.outcome for record in kept.records] == ["truncated"]


async def test_an_answer_in_time_ends_as_ever() -> None:
    end = b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    story = Answer(pieces=(SPOKEN, end), content_type="text/event-stream")
    async with served(story) as (api, kept, _):
        posted = await api.invoke(asks(stream=True))
        assert posted.body.endswith(b"data: [DONE]\n\n")
        assert posted.trailers == {}
    assert [record.outcome for record in kept.records] == ["success"]


async def test_without_the_platform_there_is_no_deadline_and_a_failed_stream_just_ends() -> None:
    sent: list[Any] = []

    asked = [{"type": "http.request", "body": asks(stream=True)["body"].encode()}]

    async def receive() -> Any:
        return asked.pop() if asked else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async with loopback() as backend:
        backend.on("POST", "/v1/chat/completions", Answer(pieces=(SPOKEN,), content_type="text/event-stream", cut=True))
        gateway, client = a_gateway(a_catalog(Endpoint(1, "one", "openai", backend.url)), Kept())
        route = ChatRoute(OpenAIChat(), lambda: gateway, max_body_bytes=1 << 20)
        scope = {"type": "http", "headers": []}
        assert deadline_of(scope) is None
        assert deadline_of({"extensions": {DEADLINE: {"monotonic": 7}}}) == 7.0
        await route(scope, receive, send)
        await client.aclose()
    assert sent[-1]["type"] == "http.response.body"
    assert b"upstream_cut" in sent[-1]["body"]
    assert not sent[-1]["more_body"]

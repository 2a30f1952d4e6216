from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.chat.events import Finished
from shared.errors import UpstreamFailure
from shared.providers.openai_compatible import OpenAICompatible
from shared.providers.presets import PRESETS
from shared.providers.queue.adapter import Queue
from shared.providers.upstream import PooledUpstream
from tests.providers.asking import a_completion, a_request, a_target, an_embedding, ask, kinds, text
from tests.providers.fixtures import fixture_bytes
from tests.providers.loopback import Answer, Loopback, loopback

WHOLE = Answer(fixture_bytes("queue/whole.json"))
DOUBLE = fixture_bytes("queue/double_encoded_error.json")
CHAT = "/v1/chat/completions"


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with loopback() as server:
        server.on("POST", CHAT, WHOLE)
        yield server


@pytest.fixture
async def queue() -> AsyncIterator[Queue]:
    upstream = PooledUpstream()
    yield Queue(OpenAICompatible(upstream, PRESETS["queue"]))
    await upstream.aclose()


def sent(server: Loopback, *names: str) -> dict[str, str | None]:
    return {name: server.seen[-1].headers.get(name) for name in names}


async def test_the_queue_is_asked_for_one_piece(server: Loopback, queue: Queue) -> None:
    request = a_request(body={"stream": True, "stream_options": {"include_usage": True}})
    events = await ask(queue.stream(request, a_target(server.url, api_key="secret")))
    assert kinds(events) == ["Started", "TextDelta", "Finished", "UsageReported"]
    assert text(events) == "your turn"
    body = server.seen[0].body
    assert body["stream"] is False
    assert "stream_options" not in body
    assert sent(server, "authorization", "accept") == {"authorization": "Bearer secret", "accept": "application/json"}


async def test_the_queue_may_stream_where_the_endpoint_says_so(server: Loopback, queue: Queue) -> None:
    chunk = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"bit"},"finish_reason":"stop"}]}\n\n'
    server.on("POST", CHAT, Answer(pieces=(chunk, b"data: [DONE]\n\n"), content_type="text/event-stream"))
    events = await ask(queue.stream(a_request(), a_target(server.url, options={"stream": True})))
    assert text(events) == "bit"
    assert server.seen[0].body["stream"] is True
    await ask_whole(server, queue)
    assert "stream" not in server.seen[1].body


async def ask_whole(server: Loopback, queue: Queue) -> None:
    server.on("POST", CHAT, WHOLE)
    await ask(queue.stream(a_request(), a_target(server.url, options={"stream": True}, whole=True)))


@pytest.mark.parametrize(
    ("options", "client", "user", "expected"),
    [
        ({}, (), None, ("serverless-proxy", "NORMAL", None)),
        ({"source": "lab", "priority": "low"}, (), "ann", ("lab", "LOW", "ann")),
        ({"source": "lab", "priority": "LOW"}, (("x-source", "cli"), ("x-priority", "high")), None,
         ("cli", "HIGH", None)),
        ({"priority": "LOW"}, (("x-priority", "URGENT"),), None, ("serverless-proxy", "LOW", None)),
        ({"priority": 7}, (("x-user-id", "bob"),), None, ("serverless-proxy", "NORMAL", "bob")),
        ({}, (("x-user-id", "bob"),), "ann", ("serverless-proxy", "NORMAL", "ann")),
        ({}, (), "jürgen\r\nx-priority: HIGH", ("serverless-proxy", "NORMAL", "j%C3%BCrgen%0D%0Ax-priority: HIGH")),
    ],
)  # fmt: skip
async def test_the_queue_learns_who_asks_and_how_urgently(
    server: Loopback, queue: Queue, options: Any, client: Any, user: str | None, expected: tuple[str, str, str | None]
) -> None:
    await ask(queue.stream(a_request(headers=client, user=user), a_target(server.url, options=options)))
    assert tuple(sent(server, "x-source", "x-priority", "x-user-id").values()) == expected
    assert sent(server, "x-model") == {"x-model": "actual"}


async def test_the_virtual_models_own_headers_win(server: Loopback, queue: Queue) -> None:
    await ask(queue.stream(a_request(), a_target(server.url, headers={"X-Priority": "LOW", "X-Team": "a"})))
    assert sent(server, "x-priority", "x-team") == {"x-priority": "LOW", "x-team": "a"}


@pytest.mark.parametrize("status", [200, 429])
async def test_double_encoded_errors_are_unwrapped(server: Loopback, queue: Queue, status: int) -> None:
    server.on("POST", CHAT, Answer(DOUBLE, status=status))
    with pytest.raises(UpstreamFailure) as failed:
        await ask(queue.stream(a_request(), a_target(server.url)))
    assert failed.value.message == "Rate limit reached for workers"
    assert (failed.value.status, failed.value.code) == (429, "rate_limit_exceeded")
    assert failed.value.retry_after_seconds is not None


@pytest.mark.parametrize(
    "error", ["no workers", {"message": "no workers"}, '{"error": "no workers"}', '{"message": "no workers"}']
)
async def test_an_error_inside_a_200_is_a_failure(server: Loopback, queue: Queue, error: Any) -> None:
    server.on("POST", CHAT, Answer({"error": error}))
    with pytest.raises(UpstreamFailure, match=r"^no workers$") as failed:
        await ask(queue.stream(a_request(), a_target(server.url)))
    assert failed.value.another_target_may_help


async def test_completions_embeddings_and_models(server: Loopback, queue: Queue) -> None:
    server.on("POST", "/v1/completions", Answer({"choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]}))
    server.on("POST", "/v1/embeddings", Answer({"data": [{"index": 0, "embedding": [1.0]}]}))
    server.on("GET", "/v1/models", Answer({"data": [{"id": "actual"}]}))
    target = a_target(server.url + "/v1", options={"source": "lab"})
    assert (await ask(queue.stream(a_completion(), target)))[-1] == Finished("stop")
    assert (await queue.embed(an_embedding("a", user="ann"), target)).vectors == [[1.0]]
    assert sent(server, "x-source", "x-model", "x-user-id") == {
        "x-source": "lab", "x-model": "actual", "x-user-id": "ann"
    }  # fmt: skip
    assert await queue.models(a_target(server.url, model="")) == ["actual"]
    assert sent(server, "x-source", "x-model") == {"x-source": "serverless-proxy", "x-model": None}


def test_says_of_itself_what_openais_wire_says(queue: Queue) -> None:
    target = a_target("http://h")
    assert queue.dropped(a_request(), target) == ()
    assert queue.serves_choices(a_request(), target)

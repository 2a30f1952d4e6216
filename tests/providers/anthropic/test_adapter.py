"""The adapter against a real server on loopback."""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio

from shared.chat.events import Finished, Started, TextDelta
from shared.chat.request import ImagePart, Message, Native, ReasoningRequest, ResponseFormat, Sampling
from shared.errors import (
    GatewayError,
    InvalidRequest,
    UpstreamCut,
    UpstreamFailure,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamUnreachable,
)
from shared.providers.anthropic.adapter import Anthropic
from shared.providers.upstream import PooledUpstream
from tests.providers.asking import WEATHER, a_request, a_target, an_embedding, ask, kinds, says, text
from tests.providers.fixtures import fixture_bytes
from tests.providers.loopback import Answer, Loopback, Seen, loopback

MESSAGES = ("POST", "/v1/messages")
MODELS = ("GET", "/v1/models")
CLAUDE = {"type": "anthropic", "model": "claude-sonnet-4-5", "api_key": "sk-ant-secret"}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Loopback]:
    async with loopback() as scripted:
        yield scripted


@pytest_asyncio.fixture
async def adapter() -> AsyncIterator[Anthropic]:
    upstream = PooledUpstream()
    yield Anthropic(upstream)
    await upstream.aclose()


def sse(*pieces: bytes, **fields: Any) -> Answer:
    return Answer(pieces=pieces, content_type="text/event-stream", **fields)


def recorded(name: str) -> Answer:
    return sse(fixture_bytes(f"anthropic/{name}"))


async def failure(adapter: Anthropic, url: str, **fields: Any) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await ask(adapter.stream(a_request(), a_target(url, **CLAUDE, **fields)))
    return raised.value


async def test_sends_exactly_this(server: Loopback, adapter: Anthropic) -> None:
    server.on(*MESSAGES, recorded("text.sse"))
    request = a_request(
        messages=(says("system", "Be brief."), says("user", "hello")),
        tools=(WEATHER,),
        parallel_tool_calls=False,
        sampling=Sampling(max_tokens=50, temperature=0.0, stop=("END",)),
        user="u-1",
    )
    events = await ask(adapter.stream(request, a_target(server.url, **CLAUDE, headers={"X-Team": "blue"})))
    assert text(events) == "Grüße, 世界 🌍"
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.query) == ("POST", "/v1/messages", {})
    sent = {name: value for name, value in seen.headers.items() if name not in ("host", "content-length")}
    assert sent == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "user-agent": "serverless-proxy",
        "anthropic-version": "2023-06-01",
        "x-api-key": "sk-ant-secret",
        "x-team": "blue",
    }
    assert seen.body == {
        "model": "claude-sonnet-4-5",
        "stream": True,
        "max_tokens": 50,
        "temperature": 0.0,
        "stop_sequences": ["END"],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "metadata": {"user_id": "u-1"},
        "tools": [
            {
                "name": "get_weather",
                "description": "The weather in a city",
                "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
            }
        ],
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
    }


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/", "/v1/messages"])
async def test_finds_the_route_however_the_url_is_written(server: Loopback, adapter: Anthropic, base: str) -> None:
    server.on(*MESSAGES, recorded("text.sse"))
    await ask(adapter.stream(a_request(), a_target(server.url + base, **CLAUDE)))
    assert server.paths() == ["POST /v1/messages"]


async def test_streams_upstream_even_for_a_whole_answer(server: Loopback, adapter: Anthropic) -> None:
    server.on(*MESSAGES, recorded("parallel_tools.sse"))
    events = await ask(adapter.stream(a_request(stream=False), a_target(server.url, **CLAUDE)))
    assert server.seen[0].body["stream"] is True
    assert kinds(events).count("ToolCallStarted") == 3
    assert events[-1] == Finished("tool_calls")


async def test_asks_for_one_piece_where_streaming_is_off(server: Loopback, adapter: Anthropic) -> None:
    server.on(*MESSAGES, Answer(fixture_bytes("anthropic/whole.json")))
    events = await ask(adapter.stream(a_request(), a_target(server.url, **CLAUDE, whole=True)))
    assert server.seen[0].body["stream"] is False
    assert server.seen[0].headers["accept"] == "application/json"
    assert events[0] == Started("msg_01Whole", "claude-opus-5-5")
    assert events[-1] == Finished("tool_calls")


async def test_events_leave_as_they_arrive(server: Loopback, adapter: Anthropic) -> None:
    wire = fixture_bytes("anthropic/text.sse")
    half = wire.index(b"event: content_block_stop")
    server.on(*MESSAGES, sse(wire[:half], hold=True))
    stream = adapter.stream(a_request(), a_target(server.url, **CLAUDE))
    async with aclosing(stream):
        batch = await asyncio.wait_for(anext(stream), 2)
        assert TextDelta("Grüße") in [event for frame in batch for event in frame.events]
    await asyncio.wait_for(server.left.wait(), 2)  # closing the stream cancelled the work upstream


async def test_does_not_wait_behind_the_terminal_frame(server: Loopback, adapter: Anthropic) -> None:
    server.on(*MESSAGES, sse(fixture_bytes("anthropic/text.sse"), hold=True))
    events = await asyncio.wait_for(ask(adapter.stream(a_request(), a_target(server.url, **CLAUDE))), 1.5)
    assert events[-1] == Finished("stop")


async def test_json_mode_on_an_older_family_reads_as_text(server: Loopback, adapter: Anthropic) -> None:
    wire = fixture_bytes("anthropic/thinking_tools.sse").replace(b"get_weather", b"json_answer")
    server.on(*MESSAGES, sse(wire))
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    request = a_request(response_format=ResponseFormat("json_schema", "place", schema))
    target = a_target(server.url, **{**CLAUDE, "model": "claude-3-7-sonnet-latest"})
    events = await ask(adapter.stream(request, target))
    assert server.seen[0].body["tool_choice"]["name"] == "json_answer"
    assert text(events) == '{"city":"Oslo"}'
    assert events[-1] == Finished("stop")


async def test_the_same_wire_passes_through(server: Loopback, adapter: Anthropic) -> None:
    own = {"model": "fast", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "tomorrow": {"x": 1}}
    server.on(*MESSAGES, recorded("text.sse"))
    request = a_request(
        native=Native("anthropic_messages", own), headers=(("anthropic-beta", "b-1"), ("x-source", "cli"))
    )
    stream = adapter.stream(request, a_target(server.url, **CLAUDE))
    async with aclosing(stream):
        frames = [frame async for batch in stream for frame in batch]
    seen = server.seen[0]
    assert seen.raw == json.dumps({**own, "model": "claude-sonnet-4-5", "stream": True}, separators=(",", ":")).encode()
    assert seen.headers["anthropic-beta"] == "b-1"
    assert "x-source" not in seen.headers
    assert [frame.native.body["type"] for frame in frames if frame.native] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert adapter.dropped(request, a_target(server.url)) == ()


def an_error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


@pytest.mark.parametrize(
    ("status", "kind", "ours", "helps"),
    [
        (400, "invalid_request_error", 400, False),
        (401, "authentication_error", 502, False),
        (403, "permission_error", 502, False),
        (404, "not_found_error", 404, False),
        (413, "request_too_large", 413, False),
        (429, "rate_limit_error", 429, True),
        (500, "api_error", 502, True),
        (529, "overloaded_error", 503, True),
    ],
)
async def test_refusals_keep_the_backends_words(
    server: Loopback, adapter: Anthropic, status: int, kind: str, ours: int, helps: bool
) -> None:
    words = f"prompt is too long, {'x' * 3_000}"
    server.on(*MESSAGES, Answer(an_error(kind, words), status=status, headers={"retry-after": "7"}))
    refused = await failure(adapter, server.url)
    assert isinstance(refused, UpstreamRefused)
    assert (refused.upstream_status, refused.status, refused.another_target_may_help) == (status, ours, helps)
    assert "prompt is too long" in refused.message
    assert len(refused.message) < 2_500
    assert "sk-ant-secret" not in refused.message
    assert refused.retry_after_seconds == 7


async def test_a_date_says_when_to_come_back(server: Loopback, adapter: Anthropic) -> None:
    when = email.utils.formatdate(time.time() + 60, usegmt=True)
    server.on(*MESSAGES, Answer(an_error("rate_limit_error", "slow"), status=429, headers={"retry-after": when}))
    refused = await failure(adapter, server.url)
    assert refused.retry_after_seconds is not None
    assert 50 < refused.retry_after_seconds <= 60


async def test_the_last_event_needs_no_empty_line(server: Loopback, adapter: Anthropic) -> None:
    server.on(*MESSAGES, sse(fixture_bytes("anthropic/text.sse").rstrip()))
    events = await ask(adapter.stream(a_request(), a_target(server.url, **CLAUDE)))
    assert events[-1] == Finished("stop")


async def test_an_overload_in_the_stream_before_any_event_is_a_refusal(server: Loopback, adapter: Anthropic) -> None:
    server.on(*MESSAGES, recorded("overloaded_first.sse"))
    refused = await failure(adapter, server.url)
    assert (refused.status, refused.message) == (503, "Overloaded")


async def test_an_error_in_the_first_read_shows_nothing(server: Loopback, adapter: Anthropic) -> None:
    server.on(*MESSAGES, recorded("error_midway.sse"))
    stream = adapter.stream(a_request(), a_target(server.url, **CLAUDE))
    async with aclosing(stream):
        with pytest.raises(UpstreamRefused, match="Internal server error"):
            await anext(stream)


async def test_an_error_later_comes_behind_what_was_said(adapter: Anthropic) -> None:
    wire = fixture_bytes("anthropic/error_midway.sse")
    half = wire.index(b"event: content_block_delta")
    read = asyncio.Event()

    async def in_two_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + wire[:half])
        await read.wait()
        writer.write(wire[half:])
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(in_two_reads, "127.0.0.1", 0) as two_reads:
        port = two_reads.sockets[0].getsockname()[1]
        stream = adapter.stream(a_request(), a_target(f"http://127.0.0.1:{port}", **CLAUDE))
        async with aclosing(stream):
            seen = [kinds(event for frame in await anext(stream) for event in frame.events)]
            read.set()
            seen.append(kinds(event for frame in await anext(stream) for event in frame.events))
            with pytest.raises(UpstreamRefused):
                await anext(stream)
    assert seen == [["Started", "UsageReported"], ["TextDelta"]]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (recorded("cut.sse"), UpstreamCut),
        (sse(fixture_bytes("anthropic/cut.sse"), cut=True), UpstreamCut),
        (sse(fixture_bytes("anthropic/text.sse")[:300]), UpstreamCut),
        (sse(fixture_bytes("anthropic/text.sse")[:150]), UpstreamCut),
        (sse(b": nothing\n\n"), UpstreamCut),
        (sse(b"data: {broken}\n\n"), UpstreamMalformed),
        (Answer(b"<html>Sign in</html>", content_type="text/html"), UpstreamMalformed),
        (Answer(b'{"id":"msg_1","content":[{"ty'), UpstreamMalformed),
        (Answer(b""), UpstreamMalformed),
        (Answer({"choices": []}), UpstreamMalformed),
        (Answer([]), UpstreamMalformed),
        (Answer(an_error("overloaded_error", "Overloaded")), UpstreamRefused),
        (Answer(b"<html>moved</html>", status=302, content_type="text/html"), UpstreamRefused),
    ],
    ids=[
        "no terminal event",
        "a broken connection",
        "half an event",
        "half a string",
        "no event",
        "broken event",
        "web page",
        "cut JSON",
        "nothing",
        "another wire",
        "a list",
        "an error with 200",
        "a redirect",
    ],
)
async def test_what_is_no_answer_is_a_failure(
    server: Loopback, adapter: Anthropic, answer: Answer, expected: type[UpstreamFailure]
) -> None:
    server.on(*MESSAGES, answer)
    assert type(await failure(adapter, server.url)) is expected


async def test_a_whole_message_where_a_stream_was_asked_for_is_an_answer(
    server: Loopback, adapter: Anthropic
) -> None:  # fmt: skip
    server.on(*MESSAGES, Answer(fixture_bytes("anthropic/whole.json")))
    events = await ask(adapter.stream(a_request(), a_target(server.url, **CLAUDE)))
    assert events[-1] == Finished("tool_calls")


async def test_nobody_there_is_unreachable(adapter: Anthropic, unused_tcp_port: int) -> None:
    assert isinstance(await failure(adapter, f"http://127.0.0.1:{unused_tcp_port}"), UpstreamUnreachable)


async def test_what_cannot_be_carried_is_never_sent(server: Loopback, adapter: Anthropic) -> None:
    request = a_request(messages=(Message("user", (ImagePart(data="%%%"),)),))
    with pytest.raises(InvalidRequest):
        await ask(adapter.stream(request, a_target(server.url, **CLAUDE)))
    assert server.seen == []


async def test_lists_all_pages_of_models_sorted(server: Loopback, adapter: Anthropic) -> None:
    pages = {
        "": {"data": [{"id": "claude-b"}, {"id": "claude-a"}], "has_more": True, "last_id": "claude-a"},
        "claude-a": {"data": [{"id": "claude-c"}], "has_more": False, "last_id": "claude-c"},
    }

    def page(seen: Seen) -> Answer:
        return Answer(pages[seen.query.get("after_id", "")])

    server.on(*MODELS, page)
    assert await adapter.models(a_target(server.url + "/v1/", **CLAUDE)) == ["claude-a", "claude-b", "claude-c"]
    assert [seen.query for seen in server.seen] == [{"limit": "1000"}, {"limit": "1000", "after_id": "claude-a"}]
    assert server.seen[0].headers["x-api-key"] == "sk-ant-secret"
    assert server.seen[0].headers["anthropic-version"] == "2023-06-01"


async def test_a_server_that_always_has_more_models_is_left(server: Loopback, adapter: Anthropic) -> None:
    server.on(*MODELS, Answer({"data": [{"id": "a"}], "has_more": True}))
    assert await adapter.models(a_target(server.url, **CLAUDE)) == ["a"]
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(an_error("authentication_error", "invalid x-api-key"), status=401), UpstreamRefused),
        (Answer({"models": []}), UpstreamMalformed),
        (Answer(b"<html></html>", content_type="text/html"), UpstreamMalformed),
    ],
    ids=["refused", "no list", "web page"],
)
async def test_model_lists_that_are_none(
    server: Loopback, adapter: Anthropic, answer: Answer, expected: type[UpstreamFailure]
) -> None:
    server.on(*MODELS, answer)
    with pytest.raises(expected):
        await adapter.models(a_target(server.url, **CLAUDE))


async def test_offers_no_embeddings(adapter: Anthropic) -> None:
    with pytest.raises(InvalidRequest, match="does not offer embeddings"):
        await adapter.embed(an_embedding("x"), a_target("http://127.0.0.1:1"))


def test_says_what_is_dropped_and_how_many_choices_it_serves() -> None:
    adapter = Anthropic(PooledUpstream())
    target = a_target("http://127.0.0.1:1", **CLAUDE)
    request = a_request(
        sampling=Sampling(n=2, seed=1, temperature=0.1), reasoning=ReasoningRequest("high"), extras=("store",)
    )
    assert adapter.dropped(request, target) == ("seed", "temperature", "store")
    assert not adapter.serves_choices(request, target)
    assert adapter.serves_choices(a_request(), target)
    assert not adapter.serves_choices(a_request(prompts=("a", "b")), target)

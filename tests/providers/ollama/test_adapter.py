from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from shared.chat.events import Finished, Started, TextDelta, UsageReported
from shared.chat.request import ImagePart, Message, Native, ReasoningRequest, Sampling, TextPart
from shared.errors import (
    InvalidRequest,
    UpstreamCut,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamTimedOut,
    UpstreamUnreachable,
)
from shared.providers.base import Endpoint, OneChoiceOnly, Target, Timeouts
from shared.providers.ollama.adapter import Ollama
from shared.providers.ollama.images import MAX_IMAGE_BYTES
from shared.providers.openai_compatible import OpenAICompatible
from shared.providers.presets import PRESETS
from shared.providers.upstream import PooledUpstream
from tests.providers.asking import a_completion, a_request, a_target, an_embedding, ask, kinds, says, text
from tests.providers.fixtures import fixture_bytes
from tests.providers.loopback import Answer, Loopback, loopback

NDJSON = "application/x-ndjson"
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
COMPLETION = {
    "id": "chatcmpl-1",
    "model": "actual",
    "created": 5,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "by /v1"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with loopback() as server:
        yield server


@pytest.fixture
async def upstream() -> AsyncIterator[PooledUpstream]:
    upstream = PooledUpstream()
    yield upstream
    await upstream.aclose()


@pytest.fixture
def ollama(upstream: PooledUpstream) -> Ollama:
    return Ollama(upstream, fallback=OpenAICompatible(upstream, PRESETS["openai"]))


def recorded(name: str) -> Answer:
    return Answer(fixture_bytes(f"ollama/{name}.ndjson"), content_type=NDJSON)


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/api/"])
async def test_answers_over_the_native_route(server: Loopback, ollama: Ollama, suffix: str) -> None:
    server.on("POST", "/api/chat", recorded("text"))
    target = a_target(server.url + suffix, api_key="secret", headers={"X-Team": "a"})
    events = await ask(ollama.stream(a_request(sampling=Sampling(temperature=0)), target))
    assert kinds(events) == ["Started", "TextDelta", "TextDelta", "UsageReported", "Finished"]
    assert text(events) == 'Grüße, "wörld" 🌍'
    (seen,) = server.seen
    assert seen.body["model"] == "actual"
    assert seen.body["options"] == {"temperature": 0}
    assert seen.body["stream"] is True
    assert seen.headers["authorization"] == "Bearer secret"
    assert seen.headers["x-team"] == "a"


async def test_each_line_leaves_when_it_arrives(server: Loopback, ollama: Ollama) -> None:
    first, *_ = fixture_bytes("ollama/text.ndjson").splitlines(keepends=True)
    server.on("POST", "/api/chat", Answer(pieces=(first,), content_type=NDJSON, hold=True))
    stream = ollama.stream(a_request(), a_target(server.url))
    batch = await asyncio.wait_for(anext(stream), 2)
    assert [type(event) for event in batch[0].events] == [Started, TextDelta]
    await stream.aclose()
    await asyncio.wait_for(server.left.wait(), 2)  # closing the stream closed the connection


async def test_one_piece_where_streaming_is_off(server: Loopback, ollama: Ollama) -> None:
    line = {"model": "m", "message": {"content": "all"}, "done": True, "prompt_eval_count": 1, "eval_count": 1}
    server.on("POST", "/api/chat", Answer(line))
    events = await ask(ollama.stream(a_request(), a_target(server.url, whole=True)))
    assert kinds(events) == ["Started", "TextDelta", "UsageReported", "Finished"]
    assert server.seen[0].body["stream"] is False
    server.on("POST", "/api/chat", Answer({**line, "done": False}))
    with pytest.raises(UpstreamMalformed):
        await ask(ollama.stream(a_request(), a_target(server.url, whole=True)))


async def test_a_stream_that_stops_early_is_cut(server: Loopback, ollama: Ollama) -> None:
    first, *_ = fixture_bytes("ollama/text.ndjson").splitlines(keepends=True)
    server.on("POST", "/api/chat", Answer(pieces=(first,), content_type=NDJSON))
    with pytest.raises(UpstreamCut):
        await ask(ollama.stream(a_request(), a_target(server.url)))
    server.on("POST", "/api/chat", Answer(pieces=(first,), content_type=NDJSON, cut=True))
    with pytest.raises(UpstreamCut):
        await ask(ollama.stream(a_request(), a_target(server.url)))
    server.on("POST", "/api/chat", Answer(b"", content_type=NDJSON))
    with pytest.raises(UpstreamCut):
        await ask(ollama.stream(a_request(), a_target(server.url)))


async def test_text_before_an_error_line_is_not_lost(server: Loopback, ollama: Ollama) -> None:
    first, *_ = fixture_bytes("ollama/text.ndjson").splitlines(keepends=True)
    server.on("POST", "/api/chat", Answer(first + b'{"error":"out of memory"}\n', content_type=NDJSON))
    stream = ollama.stream(a_request(), a_target(server.url))
    async with aclosing(stream):
        assert text(event for frame in await anext(stream) for event in frame.events) == "Grüße"
        with pytest.raises(UpstreamCut, match="out of memory"):
            await anext(stream)


async def test_a_web_page_is_malformed(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/api/chat", Answer(b"<html>welcome</html>", content_type="text/html"))
    with pytest.raises(UpstreamMalformed, match="a web page"):
        await ask(ollama.stream(a_request(), a_target(server.url)))


async def test_an_unknown_model_is_the_models_error_and_no_missing_route(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/api/chat", Answer({"error": "model 'actual' not found"}, status=404))
    with pytest.raises(UpstreamRefused, match="model 'actual' not found") as refused:
        await ask(ollama.stream(a_request(), a_target(server.url)))
    assert refused.value.upstream_status == 404
    assert server.paths() == ["POST /api/chat"]


@pytest.mark.parametrize(
    "missing",
    [
        Answer(b"404 page not found", status=404, content_type="text/plain"),
        Answer({"detail": "Not Found"}, status=404),
        Answer({"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}, status=404),
        Answer({"detail": "Method Not Allowed"}, status=405),
    ],
)
async def test_a_server_without_the_native_route_is_asked_in_openais_words_and_remembered(
    server: Loopback, ollama: Ollama, missing: Answer
) -> None:
    server.on("POST", "/api/chat", missing)
    server.on("POST", "/v1/chat/completions", Answer(COMPLETION))
    target = a_target(server.url + "/v1")
    for _ in range(2):
        assert text(await ask(ollama.stream(a_request(stream=False), target))) == "by /v1"
    assert server.paths() == ["POST /api/chat", "POST /v1/chat/completions", "POST /v1/chat/completions"]
    assert ollama.serves_choices(a_request(sampling=Sampling(n=2)), target)


async def test_the_missing_route_is_tried_again_later(server: Loopback, upstream: PooledUpstream) -> None:
    now = 0.0
    ollama = Ollama(upstream, fallback=OpenAICompatible(upstream, PRESETS["openai"]), now=lambda: now)
    server.on("POST", "/v1/chat/completions", Answer(COMPLETION))
    await ask(ollama.stream(a_request(stream=False), a_target(server.url)))
    server.on("POST", "/api/chat", recorded("text"))
    now = 601.0
    assert text(await ask(ollama.stream(a_request(stream=False), a_target(server.url)))).startswith("Grüße")


async def test_less_thinking_is_asked_for_until_the_model_agrees(server: Loopback, ollama: Ollama) -> None:
    server.on(
        "POST", "/api/chat",
        Answer({"error": 'think value "low" is not supported for this model'}, status=400),
        Answer({"error": '"actual" does not support thinking'}, status=400),
        recorded("text"),
    )  # fmt: skip
    await ask(ollama.stream(a_request(reasoning=ReasoningRequest("low")), a_target(server.url)))
    assert [seen.body.get("think") for seen in server.seen] == ["low", True, None]


async def test_a_long_prompt_asks_for_a_larger_context(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/api/show", Answer(fixture_bytes("ollama/show.json")))
    server.on("POST", "/api/chat", lambda _: recorded("text"))
    request = a_request(messages=(says("user", "x" * 60_000),), sampling=Sampling(max_tokens=100))
    for _ in range(2):
        await ask(ollama.stream(request, a_target(server.url)))
    assert server.paths() == ["POST /api/show", "POST /api/chat", "POST /api/chat"]
    assert server.seen[0].body == {"model": "actual"}
    assert server.seen[1].body["options"] == {"num_predict": 100, "num_ctx": 32768}


async def test_a_server_that_cannot_show_its_model_is_asked_all_the_same(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/api/chat", recorded("text"))
    await ask(ollama.stream(a_request(), a_target(server.url, options={"num_ctx": 8192})))
    assert server.paths() == ["POST /api/show", "POST /api/chat"]
    assert server.seen[1].body["options"] == {"num_ctx": 4096}


def seeing(url: str) -> Any:
    return a_request(messages=(Message("user", (TextPart("look"), ImagePart(url=url))),))


async def test_images_are_fetched_and_sent_as_bytes(server: Loopback, ollama: Ollama) -> None:
    server.on("GET", "/cat.png", Answer(PNG, content_type="image/png"))
    server.on("POST", "/api/chat", recorded("text"))
    target = a_target(server.url, options={"private_image_urls": True}, api_key="secret")
    await ask(ollama.stream(seeing(f"{server.url}/cat.png"), target))
    assert server.seen[1].body["messages"] == [
        {"role": "user", "content": "look", "images": [base64.b64encode(PNG).decode()]}
    ]
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(b"<html>", content_type="image/png"), "is not a JPEG"),
        (Answer({}, status=302, headers={"location": "/elsewhere"}), "answered HTTP 302"),
        (Answer(b"\xff\xd8\xff" + b"\0" * MAX_IMAGE_BYTES, content_type="image/jpeg"), "more than"),
        (Answer(b"", status=500), "answered HTTP 500"),
    ],
)
async def test_what_is_no_image_is_the_clients_mistake(
    server: Loopback, ollama: Ollama, answer: Answer, why: str
) -> None:
    server.on("GET", "/cat.png", answer)
    target = a_target(server.url, options={"private_image_urls": True})
    with pytest.raises(InvalidRequest, match=why) as refused:
        await ask(ollama.stream(seeing(f"{server.url}/cat.png"), target))
    assert refused.value.code == "invalid_image_url"
    assert server.paths() == ["GET /cat.png"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "must begin with http"),
        ("http://", "must begin with http"),
        ("http://[::1", "is not a URL"),
        ("http://127.0.0.1:1/x.png", "private network"),
        ("http://169.254.169.254/latest/meta-data", "private network"),
        ("http://[::1]/x.png", "private network"),
        ("http://10.0.0.1/x.png", "private network"),
        ("http://[::ffff:127.0.0.1]/x.png", "private network"),
    ],
)
async def test_images_are_fetched_from_public_addresses_only(ollama: Ollama, url: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        await ask(ollama.stream(seeing(url), a_target("http://127.0.0.1:1")))


async def test_a_completion_goes_to_generate(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/api/generate", recorded("generate"))
    events = await ask(ollama.stream(a_completion(), a_target(server.url)))
    assert text(events) == " upon a time"
    assert events[-1] == Finished("length")
    assert server.seen[0].body["prompt"] == "Once"


async def test_one_prompt_and_one_choice_at_a_time(server: Loopback, ollama: Ollama) -> None:
    target = a_target(server.url)
    two = a_completion(["a", "b"])
    assert not ollama.serves_choices(two, target)
    assert not ollama.serves_choices(a_request(sampling=Sampling(n=2)), target)
    assert ollama.serves_choices(a_completion(), target)
    with pytest.raises(OneChoiceOnly):
        await ask(ollama.stream(two, target))


async def test_a_completion_falls_back_too(server: Loopback, ollama: Ollama) -> None:
    whole = {"id": "cmpl-1", "choices": [{"index": 0, "text": " by /v1", "finish_reason": "stop"}]}
    server.on("POST", "/v1/completions", Answer(whole))
    assert text(await ask(ollama.stream(a_completion(stream=False), a_target(server.url)))) == " by /v1"


async def test_ollamas_own_clients_get_ollamas_own_lines(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/api/chat", recorded("text"))
    native = Native("ollama", {"model": "fast", "messages": [{"role": "user", "content": "x"}]})
    frames = [frame async for batch in ollama.stream(a_request(native=native), a_target(server.url)) for frame in batch]
    assert [frame.native.body["done"] for frame in frames if frame.native] == [False, False, True]
    assert frames[-1].native is not None
    assert frames[-1].native.body["total_duration"] == 4883583458


async def test_embeds(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/api/embed", Answer({"embeddings": [[1, 0.5], [0, 1]], "prompt_eval_count": 4}))
    found = await ollama.embed(an_embedding("a", "b"), a_target(server.url))
    assert found.vectors == [[1, 0.5], [0, 1]]
    assert found.usage is not None
    assert found.usage.prompt_tokens == 4
    assert server.seen[0].body == {"model": "actual", "input": ["a", "b"], "truncate": False}


async def test_embeds_text_by_text_on_old_servers(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/api/embeddings", Answer({"embedding": [1.0]}), Answer({"embedding": [2.0]}))
    found = await ollama.embed(an_embedding("a", "b"), a_target(server.url))
    assert (found.vectors, found.usage) == ([[1.0], [2.0]], None)
    assert [seen.body.get("prompt") for seen in server.seen[1:]] == ["a", "b"]


async def test_embeds_in_openais_words_where_nothing_is_native(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/v1/embeddings", Answer({"data": [{"index": 0, "embedding": [3.0]}]}))
    assert (await ollama.embed(an_embedding("a"), a_target(server.url))).vectors == [[3.0]]


@pytest.mark.parametrize(
    "answer",
    [{"embeddings": [[1.0]]}, {"embeddings": [[1.0], []]}, {"embeddings": [[1.0], ["x"]]}, {"embeddings": None}],
)
async def test_too_few_or_broken_embeddings_are_malformed(server: Loopback, ollama: Ollama, answer: Any) -> None:
    server.on("POST", "/api/embed", Answer(answer))
    with pytest.raises(UpstreamMalformed):
        await ollama.embed(an_embedding("a", "b"), a_target(server.url))


async def test_embedding_errors_are_passed_on(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/api/embed", Answer({"error": 'model "actual" not found, try pulling it first'}, status=404))
    with pytest.raises(UpstreamRefused, match="try pulling it first"):
        await ollama.embed(an_embedding("a"), a_target(server.url))
    server.on("POST", "/api/embed", Answer({"error": "the input length exceeds the context length"}, status=400))
    with pytest.raises(UpstreamRefused, match="exceeds the context length") as refused:
        await ollama.embed(an_embedding("a"), a_target(server.url))
    assert refused.value.status == 400


async def test_lists_its_models(server: Loopback, ollama: Ollama) -> None:
    server.on("GET", "/api/tags", Answer(fixture_bytes("ollama/tags.json")))
    target = a_target(server.url + "/v1/", model="", api_key="secret")
    assert await ollama.models(target) == ["embeddinggemma", "llama3.2:latest", "qwen3:8b"]
    assert server.seen[0].headers["authorization"] == "Bearer secret"


async def test_lists_openais_models_where_nothing_is_native(server: Loopback, ollama: Ollama) -> None:
    server.on("GET", "/v1/models", Answer({"data": [{"id": "b"}, {"id": "a"}]}))
    assert await ollama.models(a_target(server.url, model="")) == ["a", "b"]


async def test_a_refused_key_is_no_missing_route(server: Loopback, ollama: Ollama) -> None:
    server.on("GET", "/api/tags", Answer({"error": "unauthorized"}, status=401))
    with pytest.raises(UpstreamRefused, match="refused the gateway's API key"):
        await ollama.models(a_target(server.url, model=""))


async def test_failures_before_the_first_event(server: Loopback, ollama: Ollama) -> None:
    with pytest.raises(UpstreamUnreachable):
        await ask(ollama.stream(a_request(), a_target("http://127.0.0.1:1")))
    server.on("POST", "/api/chat", Answer({"error": "server busy"}, status=503, headers={"retry-after": "7"}))
    with pytest.raises(UpstreamRefused, match="server busy") as refused:
        await ask(ollama.stream(a_request(), a_target(server.url)))
    assert refused.value.retry_after_seconds == 7
    assert refused.value.another_target_may_help


async def test_a_silent_server_times_out(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/api/chat", Answer(delay_seconds=1.0))
    target = Target(Endpoint(1, "backend", "ollama", server.url), "actual", timeouts=Timeouts(connect=1.0, idle=0.05))
    with pytest.raises(UpstreamTimedOut):
        await ask(ollama.stream(a_request(), target))


async def test_usage_is_reported(server: Loopback, ollama: Ollama) -> None:
    server.on("POST", "/api/chat", recorded("thinking_and_tools"))
    events = await ask(ollama.stream(a_request(), a_target(server.url)))
    (reported,) = (event for event in events if isinstance(event, UsageReported))
    assert (reported.usage.prompt_tokens, reported.usage.output_tokens) == (169, 33)
    assert events[-1] == Finished("tool_calls")

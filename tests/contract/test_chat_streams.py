"""Streamed chat completions, read raw and by the official SDK."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.contract.asking import CHAT, HELLO, a_chat, check_chunks, chunks_of, text_in
from tests.contract.catalogue import actual
from tests.contract.served import Served
from tests.upstreams.openai import DONE, recorded
from tests.upstreams.script import Gate, Reply, event, frames_of, says, streams, text_of
from tests.upstreams.server import Upstream

TEXT = "Grüße aus 東京 🗼"
WIRE = text_of("openai/text.sse")
NOISE = b": ping\n\nevent: message\nid: 7\nretry: 10\n"

FRAMINGS: dict[str, Reply] = {
    "one write per event": recorded("text.sse"),
    "every byte a write": streams(*(bytes((byte,)) for byte in WIRE)),
    "one write": streams(WIRE),
    "CRLF": streams(WIRE.replace(b"\n", b"\r\n")),
    "CR": streams(WIRE.replace(b"\n", b"\r")),
    "comments and other fields": streams(*(NOISE + frame for frame in frames_of("openai/text.sse"))),
    "no space behind the colon": streams(WIRE.replace(b"data: ", b"data:")),
    "a byte order mark": streams(b"\xef\xbb\xbf" + WIRE),
    "gzip": streams(gzip.compress(WIRE), headers={"content-encoding": "gzip"}),
    "no empty line at the end": streams(WIRE[:-2]),
    "no [DONE]": streams(WIRE.removesuffix(DONE)),
    "a charset": Reply((WIRE,), content_type="text/event-stream; charset=utf-8"),
    "more after [DONE]": streams(WIRE, event({"choices": [{"index": 0, "delta": {"content": "no"}}]})),
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_means_the_same_in_every_framing(
    framing: str, usage: bool, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("chat"), FRAMINGS[framing])
    options = {"stream_options": {"include_usage": True}} if usage else {}
    response = http.post(CHAT, json=a_chat(served.model("chat"), stream=True, **options))
    assert response.status_code == 200
    chunks = chunks_of(response.content)
    check_chunks(chunks, served.model("chat"), usage=usage)
    assert text_in(chunks) == TEXT
    assert chunks[0]["created"] == 1700000000
    assert chunks[0]["system_fingerprint"] == "fp_44709d6fcb"


def test_the_stream_says_what_it_is_in_its_headers(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    response = http.post(CHAT, json=a_chat(served.model("chat"), stream=True), headers={"x-request-id": "req-mine.1"})
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-request-id"] == "req-mine.1"
    assert response.headers["x-gateway-endpoint"] == served.model("main")
    assert response.headers["x-gateway-model"] == actual("chat")
    assert "content-encoding" not in response.headers


def test_a_chunk_leaves_when_it_arrives(client: OpenAI, served: Served, upstream: Upstream) -> None:
    """The backend holds each chunk until the client has the one before."""
    frames = frames_of("openai/text.sse")
    gates = [Gate() for _ in frames]
    upstream.on(actual("chat"), streams(*(step for pair in zip(frames, gates, strict=True) for step in pair)))
    seen = 0
    for chunk, gate in zip(
        client.chat.completions.create(model=served.model("chat"), messages=HELLO, stream=True), gates, strict=False
    ):
        assert chunk.choices
        assert not gate.is_open
        seen += 1
        gate.open()
        if seen == 5:
            for rest in gates:
                rest.open()
    assert seen == 5


async def test_the_async_client_reads_the_same(async_client: AsyncOpenAI, served: Served, upstream: Upstream) -> None:
    stream = await async_client.chat.completions.create(model=served.model("chat"), messages=HELLO, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == TEXT


@pytest.mark.parametrize(
    ("count", "size"), [(1_000, 4), (1, 1_000_000), (16, 70_000)], ids=["many small", "one huge", "many large"]
)
def test_no_size_of_frames_loses_anything(
    count: int, size: int, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    deltas = [f"{number:x}".rjust(4, "é") * (size // 4) for number in range(count)]
    frames = [event({"choices": [{"index": 0, "delta": {"content": delta}}]}) for delta in deltas]
    end = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    upstream.on(actual("chat"), streams(b"".join(frames), end, DONE))
    chunks = chunks_of(http.post(CHAT, json=a_chat(served.model("chat"), stream=True)).content)
    check_chunks(chunks, served.model("chat"))
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:-1]] == deltas


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("usage_with_a_choice", "Hello"),
        ("usage_in_the_last_chunk", "Hello there"),
        ("usage_in_every_chunk", "Hello there"),
        ("bare", "Hello there"),
    ],
)
@pytest.mark.parametrize("usage", [False, True])
def test_usage_is_shown_once_and_only_to_those_who_asked(
    name: str, text: str, usage: bool, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("chat"), recorded(f"{name}.sse"))
    response = http.post(CHAT, json=a_chat(served.model("chat"), stream=True, stream_options={"include_usage": usage}))
    chunks = chunks_of(response.content)
    check_chunks(chunks, served.model("chat"), usage=usage)
    assert text_in(chunks) == text
    assert upstream.last.body["stream_options"] == {"include_usage": True}
    if usage and name != "bare":  # the bare backend reports none: an estimate stands in
        assert (chunks[-1]["usage"]["prompt_tokens"], chunks[-1]["usage"]["completion_tokens"]) == (9, 4)


def test_the_backends_own_details_of_usage_stay(client: OpenAI, served: Served, upstream: Upstream) -> None:
    *_, last = client.chat.completions.create(
        model=served.model("chat"), messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    assert last.usage is not None
    assert last.usage.prompt_tokens_details is not None
    assert last.usage.prompt_tokens_details.cached_tokens == 2
    assert last.usage.completion_tokens_details is not None
    assert last.usage.completion_tokens_details.reasoning_tokens == 1


def test_a_backend_that_refuses_stream_options_is_asked_without(
    http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    refusal = says({"error": {"message": "Unrecognized request argument supplied: stream_options"}}, 400)
    upstream.on(actual("usage-refused"), refusal, recorded("no_done.sse"))
    for _ in range(2):
        body = a_chat(served.model("usage-refused"), stream=True, stream_options={"include_usage": True})
        chunks = chunks_of(http.post(CHAT, json=body).content)
        check_chunks(chunks, served.model("usage-refused"), usage=True)
        assert chunks[-1]["usage"]["completion_tokens"] > 0
    if served.one_process:
        assert ["stream_options" in body for body in upstream.bodies] == [True, False, False]


TOOL_STREAMS = (
    "parallel_tools", "tools_all_index_zero", "tools_repeated_names", "tools_finished_with_stop", "tools_in_one_delta"
)  # fmt: skip
CALLS = [
    ("call_a1", "get_weather", {"city": "Wien"}),
    ("call_b2", "get_weather", {"city": "São Paulo"}),
    ("call_c3", "get_time", {"city": "東京"}),
]


def calls_in(message: Any) -> list[tuple[str, str, Any]]:
    return [(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls]


@pytest.mark.parametrize("name", TOOL_STREAMS)
def test_three_parallel_calls_add_up_in_the_sdk(name: str, client: OpenAI, served: Served, upstream: Upstream) -> None:
    upstream.on(actual("chat"), recorded(f"{name}.sse"))
    with client.chat.completions.stream(model=served.model("chat"), messages=HELLO) as stream:
        for _ in stream:
            pass
        answer = stream.get_final_completion()
    assert calls_in(answer.choices[0].message) == CALLS
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.model == served.model("chat")


@pytest.mark.parametrize("name", TOOL_STREAMS)
def test_every_call_is_named_once_in_the_raw_chunks(
    name: str, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("chat"), recorded(f"{name}.sse"))
    chunks = chunks_of(http.post(CHAT, json=a_chat(served.model("chat"), stream=True)).content)
    check_chunks(chunks, served.model("chat"))


def accumulate(client: OpenAI, model: str, **fields: Any) -> Any:
    with client.chat.completions.stream(model=model, messages=HELLO, **fields) as stream:
        for _ in stream:
            pass
        return stream.get_final_completion()


def test_two_choices_come_through_side_by_side(client: OpenAI, served: Served, upstream: Upstream) -> None:
    upstream.on(actual("chat"), recorded("two_choices.sse"))
    answer = accumulate(client, served.model("chat"), n=2)
    assert [(each.message.content, each.finish_reason) for each in answer.choices] == [
        ("first", "stop"), ("second", "stop"),
    ]  # fmt: skip
    assert upstream.last.body["n"] == 2


def test_logprobs_come_through(client: OpenAI, served: Served, upstream: Upstream) -> None:
    upstream.on(actual("chat"), recorded("logprobs.sse"))
    answer = accumulate(client, served.model("chat"), logprobs=True, top_logprobs=1)
    assert [each.token for each in answer.choices[0].logprobs.content] == ["Hi", "!"]


def test_a_refusal_comes_through(client: OpenAI, served: Served, upstream: Upstream) -> None:
    upstream.on(actual("chat"), recorded("refusal.sse"))
    answer = accumulate(client, served.model("chat"))
    assert answer.choices[0].message.refusal == "I cannot help."


@pytest.mark.parametrize(("model", "shown"), [("chat", "Let me think."), ("no-reasoning", "")])
def test_reasoning_is_shown_unless_the_virtual_model_hides_it(
    model: str, shown: str, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual(model), recorded("reasoning.sse"))
    chunks = chunks_of(http.post(CHAT, json=a_chat(served.model(model), stream=True)).content)
    check_chunks(chunks, served.model(model))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == shown
    assert text_in(chunks) == "42"


@pytest.mark.parametrize("name", ["text", "parallel_tools", "logprobs", "two_choices", "reasoning"])
def test_a_backend_that_answers_whole_is_streamed_all_the_same(
    name: str, http: httpx.Client, client: OpenAI, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("chat"), recorded(f"{name}.json"))
    choices = (0, 1) if name == "two_choices" else (0,)
    body = a_chat(served.model("chat"), stream=True, stream_options={"include_usage": True})
    chunks = chunks_of(http.post(CHAT, json=body).content)
    check_chunks(chunks, served.model("chat"), usage=True, choices=choices)
    whole = json.loads(text_of(f"openai/{name}.json"))
    answer = accumulate(client, served.model("chat")).to_dict()
    for mine, theirs in zip(answer["choices"], whole["choices"], strict=True):
        assert mine["finish_reason"] == theirs["finish_reason"]
        assert (mine["message"].get("content") or None) == theirs["message"]["content"]
        assert mine["message"].get("reasoning_content") == theirs["message"].get("reasoning_content")
        assert [(call["id"], call["function"]["arguments"]) for call in mine["message"].get("tool_calls") or ()] == [
            (call["id"], call["function"]["arguments"]) for call in theirs["message"].get("tool_calls") or ()
        ]
        if theirs["logprobs"]:
            assert mine["logprobs"]["content"] == theirs["logprobs"]["content"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("eos", "stop"), ("max_tokens", "length"), ("tool_use", "tool_calls"), ("something-new", "stop")],
)
def test_finish_reasons_are_openais_words(
    theirs: str, ours: str, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    end = event({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": theirs}]})
    upstream.on(actual("chat"), streams(end, DONE))
    chunks = chunks_of(http.post(CHAT, json=a_chat(served.model("chat"), stream=True)).content)
    assert chunks[-1]["choices"][0]["finish_reason"] == ours


def test_a_chunk_keeps_the_backends_own_fields(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    extra = {"timings": {"predicted_ms": 1.5}, "choices": [{"index": 0, "delta": {"content": "x", "annotations": [1]}}]}
    upstream.on(actual("chat"), streams(event(extra), *frames_of("openai/no_done.sse")))
    first = chunks_of(http.post(CHAT, json=a_chat(served.model("chat"), stream=True)).content)[0]
    assert first["timings"] == {"predicted_ms": 1.5}
    assert first["choices"][0]["delta"]["annotations"] == [1]


def test_a_custom_tool_is_called_as_the_backend_says_it(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    calls: list[dict[str, Any]] = [
        {"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "code", "input": ""}},
        {"index": 0, "custom": {"input": "print(1)"}},
    ]
    deltas = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in calls]
    end = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    upstream.on(actual("chat"), streams(*map(event, deltas), end, DONE))
    chunks = chunks_of(http.post(CHAT, json=a_chat(served.model("chat"), stream=True)).content)
    assert [chunk["choices"][0]["delta"].get("tool_calls") for chunk in chunks] == [[calls[0]], [calls[1]], None]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


BROKEN: dict[str, tuple[Reply, str]] = {
    "an error object": (recorded("error_midway.sse"), "out of memory"),
    "[DONE] without a finish reason": (recorded("done_without_finish.sse"), "before the answer was complete"),
    "no end at all": (recorded("no_finish_no_done.sse"), "before the answer was complete"),
    "cut JSON": (streams(frames_of("openai/text.sse")[0], b'data: {"choices": [{"ind\n\n'), "broken JSON"),
    "JSON that is no object": (streams(frames_of("openai/text.sse")[0], b"data: [1]\n\n"), "not an object"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_stream_that_breaks_ends_with_an_error_frame(
    fault: str, http: httpx.Client, client: OpenAI, served: Served, upstream: Upstream
) -> None:
    from openai import APIError

    reply, words = BROKEN[fault]
    upstream.on(actual("chat"), reply)
    response = http.post(CHAT, json=a_chat(served.model("chat"), stream=True))
    assert response.status_code == 200
    *before, last = [frame for frame in response.content.split(b"\n\n") if frame]
    assert b"[DONE]" not in response.content
    assert before
    error = json.loads(last.removeprefix(b"data: "))["error"]
    assert words in error["message"]
    assert list(error) == ["message", "type", "param", "code"]
    with pytest.raises(APIError, match=words):
        list(client.chat.completions.create(model=served.model("chat"), messages=HELLO, stream=True))


def test_the_demo_model_answers_without_any_backend(client: OpenAI, served: Served) -> None:
    answer = accumulate(client, served.model("demo"))
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content
